"""Cut a square around a box out of a frame, and carry boxes between frame and crop.

The conventions, rounding included, are those that published checkpoints were trained with (docs/method.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import BoxError, FrameError

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]
Color = Literal["rgb", "bgr"]
"""Channel order of frames; OpenCV reads them as BGR."""

_MAX_PADDED_REDUCTION = 16
"""Beyond this reduction, sampling the few pixels needed beats padding the region and resizing it."""

_LARGEST_SIDE_PX = 2**22
"""Of a region; far beyond any frame, and small enough for its coordinates to be exact."""


@dataclass(frozen=True, slots=True)
class CropWindow:
    """A square region of a frame, as it is resized to the network's crop.

    Attributes:
        left: first column of the region, px of the frame; may be negative.
        top: first row of the region, px of the frame; may be negative.
        side: of the region, px of the frame.
        size: of the crop, px.
        centre_x: exact centre of the box that the region was cut around, px of the frame.
        centre_y: the same for y.
    """

    left: int
    top: int
    side: int
    size: int
    centre_x: float
    centre_y: float

    @property
    def scale(self) -> float:
        """Crop pixels per frame pixel."""
        return self.size / self.side

    def is_near(self, other: "CropWindow", share: float) -> bool:
        """Whether no edge is off the other region's by more than a share of the side."""
        off = (
            self.left - other.left,
            self.top - other.top,
            self.left + self.side - other.left - other.side,
            self.top + self.side - other.top - other.side,
        )
        return max(map(abs, off)) <= share * self.side

    def to_crop(self, boxes_xywh: FloatArray) -> FloatArray:
        """Map `(..., 4)` boxes from pixels of the frame to the crop, normalised to its side."""
        half_sizes = boxes_xywh[..., 2:] / 2
        offset = boxes_xywh[..., :2] + half_sizes - (self.centre_x, self.centre_y)
        corner = (self.size - 1) / 2 + (offset - half_sizes) * self.scale
        return np.concatenate((corner, boxes_xywh[..., 2:] * self.scale), axis=-1) / self.size

    def to_frame(self, boxes_xywh: FloatArray) -> FloatArray:
        """Map `(..., 4)` boxes, normalised to the crop, to pixels of the frame.

        Half a crop pixel away from the inverse of `to_crop`; published checkpoints expect both as they are.
        """
        pixels = boxes_xywh * self.side
        origin = (self.centre_x - self.side / 2, self.centre_y - self.side / 2)
        return np.concatenate((pixels[..., :2] + origin, pixels[..., 2:]), axis=-1)


@dataclass(frozen=True, slots=True)
class Crop:
    """A resized region of a frame.

    Attributes:
        image: `(S, S, 3)` uint8, channels as in the frame; black where the region leaves the frame.
        padding: `(S, S)` bool, True where the region leaves the frame.
        window: where it was cut.
    """

    image: Image
    padding: npt.NDArray[np.bool_]
    window: CropWindow


def check_frame(frame: Image) -> None:
    """Make sure that a frame is `(H, W, 3)` uint8 and not empty.

    Raises:
        FrameError: it is not; the message says how to convert it.
    """
    if not isinstance(frame, np.ndarray):
        raise FrameError(
            f"a frame is a NumPy array of shape (H, W, 3) and type uint8; got {type(frame).__name__}"
        )
    if frame.ndim != 3 or frame.shape[2] != 3:
        raise FrameError(f"a frame has shape (H, W, 3); got {frame.shape}: {_shape_advice(frame.shape)}")
    if frame.dtype != np.uint8:
        raise FrameError(f"a frame has type uint8, 0 to 255; got {frame.dtype}: scale and convert it first")
    if 0 in frame.shape:
        raise FrameError(f"a frame needs at least one pixel; got shape {frame.shape}")


def _shape_advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return "give one frame at a time, without the first axis: frame[0]"
    if len(shape) == 3 and shape[0] == 3:
        return "channels come last: frame.transpose(1, 2, 0)"
    return "repeat the channel of a grey image three times, drop an alpha channel"


def crop_window(box_xywh: FloatArray, search_factor: float, size: int) -> CropWindow:
    """Choose the square around a box: its side is `ceil(search_factor sqrt(w h))`.

    Args:
        box_xywh: `(4,)`, px of the frame.
        search_factor: side of the region over the box's geometric mean side.
        size: of the crop, px.

    Raises:
        BoxError: the region would be smaller than a pixel or larger than any frame.
    """
    x, y, width, height = (float(value) for value in box_xywh)
    exact_side = math.sqrt(width * height) * search_factor if min(width, height) > 0 else 0.0
    if not exact_side > 0:
        raise BoxError(f"box {[x, y, width, height]} is too small to cut a search region around")
    if not (exact_side <= _LARGEST_SIDE_PX and abs(x) <= _LARGEST_SIDE_PX and abs(y) <= _LARGEST_SIDE_PX):
        raise BoxError(
            f"box {[x, y, width, height]} is too large, or too far out, to cut a search region around"
        )
    side = math.ceil(exact_side)
    left = round(x + 0.5 * width - side * 0.5)
    top = round(y + 0.5 * height - side * 0.5)
    return CropWindow(left, top, side, size, x + 0.5 * width, y + 0.5 * height)


def crop_region(frame: Image, box_xywh: FloatArray, search_factor: float, size: int) -> Crop:
    """Cut and resize the square region around a box.

    Args:
        frame: `(H, W, 3)` uint8.
        box_xywh: `(4,)`, px of the frame; may leave it.
        search_factor: side of the region over the box's geometric mean side.
        size: of the crop, px.

    Raises:
        BoxError: as `crop_window`.
    """
    window = crop_window(box_xywh, search_factor, size)
    images, padding = cut_regions([frame], [window])
    return Crop(images[0], padding[0], window)


def cut_regions(
    frames: Sequence[Image], windows: Sequence[CropWindow], color: Color = "rgb"
) -> tuple[Image, Mask]:
    """Cut windows of one size out of frames, as a network takes them.

    Args:
        frames: F of `(H, W, 3)` uint8, of one size.
        windows: W of them, cut out of every frame; may leave it.
        color: channel order of the frames.

    Returns:
        Crops `(F W, S, S, 3)` uint8 RGB, all of the first frame, then all of the next one; black where they
        leave the frame, and where that is: `(F W, S, S)` bool.
    """
    size = windows[0].size
    images = np.empty((len(frames) * len(windows), size, size, 3), np.uint8)
    for (frame, window), image in zip(product(frames, windows), images, strict=True):
        _cut(frame, window, image)
        if color == "bgr":
            cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    return images, padding_masks(frames[0].shape, windows, len(frames))


def padding_masks(frame_shape: tuple[int, ...], windows: Sequence[CropWindow], frames: int = 1) -> Mask:
    """Where W windows leave each of F frames of a shape `(H, W, ...)`, in their crops: `(F W, S, S)`.

    Args:
        frame_shape: of every frame.
        windows: of one size.
        frames: how many, all alike.
    """
    size = windows[0].size
    masks = np.zeros((frames, len(windows), size, size), np.bool_)
    for place, window in enumerate(windows):
        covered = _covered_axes(frame_shape, window)
        if any(along.stop - along.start < window.side for along in covered):
            rows, columns = (_interior(along, window.side, size) for along in covered)
            masks[:, place] = ~np.logical_and.outer(rows, columns)
    return masks.reshape(-1, size, size)


def _cut(frame: Image, window: CropWindow, image: Image) -> None:
    """Fill in the `(S, S, 3)` crop of one window."""
    rows, columns = _covered_axes(frame.shape, window)
    covered = frame[rows.pixels, columns.pixels]
    if covered.shape[:2] == (window.side, window.side):
        cv2.resize(covered, (window.size, window.size), dst=image)
    elif window.side > _MAX_PADDED_REDUCTION * window.size:
        _sample_region(frame, window, rows, columns, image)
    else:
        region = np.zeros((window.side, window.side, 3), np.uint8)
        region[rows.start : rows.stop, columns.start : columns.stop] = covered
        cv2.resize(region, (window.size, window.size), dst=image)


@dataclass(frozen=True, slots=True)
class _Covered:
    """Along one axis, the part [start, stop) of a region that shows the frame, and its first pixel there."""

    start: int
    stop: int
    first_pixel: int

    @property
    def pixels(self) -> slice:
        """The part, in pixels of the frame."""
        return slice(self.first_pixel, self.first_pixel + self.stop - self.start)


def _covered_axes(frame_shape: tuple[int, ...], window: CropWindow) -> tuple[_Covered, _Covered]:
    """Of rows and of columns."""
    rows = _covered(window.top, window.side, frame_shape[0])
    return rows, _covered(window.left, window.side, frame_shape[1])


def _covered(origin: int, side: int, frame_length: int) -> _Covered:
    start = min(max(-origin, 0), side)
    # One more than needed: a region that touches the last row or column loses it, as in the published crops.
    padding_after = max(origin + side - frame_length + 1, 0)
    return _Covered(start, max(side - padding_after, start), origin + start)


def _sample_region(frame: Image, window: CropWindow, rows: _Covered, columns: _Covered, image: Image) -> None:
    """Bilinear resize that reads only the four pixels under each crop pixel; equal to one grey level."""
    row_index, row_weight = _bilinear_taps(rows, window)  # (S, 2)
    column_index, column_weight = _bilinear_taps(columns, window)
    lines = frame[row_index.ravel()]
    upper, lower = (lines[tap::2][:, column_index.ravel()] * row_weight[:, tap, None, None] for tap in (0, 1))
    upper += lower  # (S, 2 S, 3)
    upper *= column_weight.reshape(-1, 1)
    image[:] = np.rint(upper[:, ::2] + upper[:, 1::2])


def _bilinear_taps(
    covered: _Covered, window: CropWindow
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Along one axis, frame index and weight of both taps of each crop pixel: `(S, 2)` each.

    What does not show the frame has no weight, and any index.
    """
    position = (np.arange(window.size) + 0.5) / window.scale - 0.5
    first = np.floor(position).astype(np.intp)
    fraction = position - first
    taps = np.stack((first, first + 1), axis=1)
    inside = (taps >= covered.start) & (taps < covered.stop)
    weights = np.stack((1 - fraction, fraction), axis=1) * inside
    index = np.where(inside, taps - covered.start + covered.first_pixel, 0)
    return index, weights.astype(np.float32)


def _interior(covered: _Covered, side: int, size: int) -> npt.NDArray[np.bool_]:
    """Along one axis, the crop pixels that no padding pixel has a part in: `(S,)`."""
    padding = np.ones((1, side), np.float32)
    padding[0, covered.start : covered.stop] = 0
    interior: npt.NDArray[np.bool_] = cv2.resize(padding, (size, 1))[0] == 0
    return interior


def clip_to_frame(box_xywh: FloatArray, frame_width: int, frame_height: int, margin_px: float) -> FloatArray:
    """Keep at least `margin_px` of a `(4,)` box, in both directions, inside the frame, px.

    The box is then at least as large as the margin. Along an axis on which the frame itself is smaller than
    the margin, the box covers the frame.
    """
    x, y, width, height = (float(value) for value in box_xywh)
    left, clipped_width = _clip_span(x, width, float(frame_width), margin_px)
    top, clipped_height = _clip_span(y, height, float(frame_height), margin_px)
    return np.array([left, top, clipped_width, clipped_height])


def _clip_span(start: float, length: float, frame_length: float, margin: float) -> tuple[float, float]:
    """Along one axis, start and length of the clipped box."""
    margin = min(margin, frame_length)
    end = min(max(margin, start + length), frame_length)
    start = min(max(0.0, start), frame_length - margin)
    return start, max(margin, end - start)
