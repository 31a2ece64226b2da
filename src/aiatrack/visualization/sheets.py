"""Pictures of many: contact sheets of training samples, and maps laid over a picture."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import BoxError, FrameError, SettingsError
from aiatrack.visualization.strokes import Colour, Frame, check_canvas, colour_of, draw_box

_GAP_PX = 2
_GAP_GREY = 32


def draw_samples(
    images: Sequence[Frame] | npt.NDArray[np.uint8],
    boxes_xywh: Sequence[Any] | npt.NDArray[np.floating[Any]],
    *,
    columns: int | None = None,
    labels: Sequence[str] | None = None,
    colors: Sequence[Colour] | None = None,
) -> Frame:
    """Lay pictures out in a grid, each with its boxes: what a network is trained on, at a glance.

    Args:
        images: B pictures `(H, W, 3)` uint8 RGB of one size; not changed.
        boxes_xywh: B boxes `(4,)`, or B lists of G boxes `(G, 4)`, as shares of the picture's width and
            height; a box that is not finite is left out.
        columns: pictures in a row; by default what makes the sheet about square.
        labels: B captions, written at each picture's first box.
        colors: of the first, second, ... box of every picture, such as truth and prediction.

    Returns:
        `(rows (H + 2) - 2, columns (W + 2) - 2, 3)` uint8 RGB.

    Raises:
        FrameError: no pictures, or not all RGB uint8 of one size.
        BoxError: not a box, or boxes, for every picture.
        SettingsError: `columns` below 1, or not a label for every picture.
    """
    pictures = [_copy_of(image) for image in images]
    if not pictures:
        raise FrameError("a contact sheet needs at least one picture; got none")
    if len({picture.shape for picture in pictures}) > 1:
        shapes = sorted({picture.shape for picture in pictures})
        raise FrameError(f"a contact sheet needs pictures of one size; got {shapes}: resize them first")
    if len(boxes_xywh) != len(pictures):
        raise BoxError(f"expected boxes for each of {len(pictures)} pictures; got {len(boxes_xywh)}")
    if labels is not None and len(labels) != len(pictures):
        raise SettingsError(f"expected a label for each of {len(pictures)} pictures; got {len(labels)}")
    if columns is not None and columns < 1:
        raise SettingsError(f"a contact sheet has at least one column; got {columns}")
    for number, (picture, boxes) in enumerate(zip(pictures, boxes_xywh, strict=True)):
        _draw_shares(picture, boxes, labels[number] if labels else None, colors)
    return _grid(pictures, columns or int(np.ceil(np.sqrt(len(pictures)))))


def draw_heatmap(
    frame: Frame,
    values: npt.NDArray[np.floating[Any]],
    *,
    box_xywh: Sequence[float] | None = None,
    opacity: float = 0.5,
    value_range: tuple[float, float] | None = None,
) -> Frame:
    """Lay a map, such as attention, over a picture, **in place**: blue is low, red is high.

    Args:
        frame: `(H, W, 3)` uint8 RGB; changed.
        values: `(h, w)`, any size; drawn smoothly.
        box_xywh: `(4,)` px of the frame that the map covers, such as a search region; by default all.
            It may stick out of the frame.
        opacity: 0 shows the picture alone, 1 the map alone.
        value_range: values drawn as lowest and highest; by default the map's own.

    Returns:
        `frame` itself.

    Raises:
        FrameError: `frame` is not a writable RGB uint8 frame, or `values` is not a finite `(h, w)` map.
        BoxError: the box is not four finite numbers with an area.
        SettingsError: opacity outside [0, 1], or a value range that is not two finite numbers.
    """
    check_canvas(frame)
    field = np.asarray(values, dtype=np.float32)
    if field.ndim != 2 or field.size == 0 or not np.isfinite(field).all():
        raise FrameError(f"a heat map needs finite values of shape (h, w); got shape {field.shape}")
    if not 0 <= opacity <= 1:
        raise SettingsError(f"opacity lies between 0 and 1; got {opacity}")
    low, high = value_range or (float(field.min()), float(field.max()))
    if not np.isfinite((low, high)).all():
        raise SettingsError(f"the value range of a heat map is two finite numbers; got {value_range}")
    levels = np.clip((field - low) / max(high - low, 1e-12), 0, 1)
    height, width = frame.shape[:2]
    left, top, box_width, box_height = _whole_box((0, 0, width, height) if box_xywh is None else box_xywh)
    # From each pixel of the frame to the map, pixel centres at whole numbers.
    scale_x, scale_y = field.shape[1] / box_width, field.shape[0] / box_height
    first_x, last_x = max(left, 0), min(left + box_width, width)
    first_y, last_y = max(top, 0), min(top + box_height, height)
    if first_x >= last_x or first_y >= last_y:
        return frame
    x = (np.arange(first_x, last_x, dtype=np.float32) - left + 0.5) * scale_x - 0.5
    y = (np.arange(first_y, last_y, dtype=np.float32) - top + 0.5) * scale_y - 0.5
    grid_x, grid_y = (np.ascontiguousarray(axis, dtype=np.float32) for axis in np.meshgrid(x, y))
    smooth = cv2.remap(levels, grid_x, grid_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colours = cv2.applyColorMap(np.round(smooth * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    part = frame[first_y:last_y, first_x:last_x]
    part[...] = np.round(part * (1 - opacity) + colours * opacity).astype(np.uint8)
    return frame


def _copy_of(image: Any) -> Frame:
    copy = np.array(image) if isinstance(image, np.ndarray) else image
    check_canvas(copy)
    return np.ascontiguousarray(copy)


def _draw_shares(picture: Frame, boxes: Any, label: str | None, colors: Sequence[Colour] | None) -> None:
    try:
        shares = np.atleast_2d(np.asarray(boxes, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise BoxError(f"boxes are (4,) or (G, 4) shares of a picture; got {boxes!r}") from error
    if shares.ndim != 2 or shares.shape[1] != 4:
        raise BoxError(f"boxes are (4,) or (G, 4) shares of a picture; got shape {shares.shape}")
    height, width = picture.shape[:2]
    for number, share in enumerate(shares):
        color = colors[number % len(colors)] if colors else colour_of(number)
        draw_box(
            picture, share * [width, height, width, height], label=label if number == 0 else None, color=color
        )


def _grid(pictures: list[Frame], columns: int) -> Frame:
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    shape = rows * (height + _GAP_PX) - _GAP_PX, columns * (width + _GAP_PX) - _GAP_PX, 3
    sheet = np.full(shape, _GAP_GREY, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * (height + _GAP_PX), number % columns * (width + _GAP_PX)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _whole_box(box_xywh: Sequence[float]) -> tuple[int, int, int, int]:
    box = np.asarray(box_xywh, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise BoxError(f"a heat map covers four finite numbers x, y, width, height; got {box_xywh!r}")
    left, top, right, bottom = (round(v) for v in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    if right <= left or bottom <= top:
        raise BoxError(f"a heat map covers at least a pixel; got {box.tolist()}")
    return left, top, right - left, bottom - top
