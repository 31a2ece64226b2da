"""Compositing: layers with motion blur and soft shadows, then the camera's light, focus and noise."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.data.synthetic.backdrop import Picture
from aiatrack.data.synthetic.motion import FloatArray, transform_points
from aiatrack.data.synthetic.sprites import Rgba
from aiatrack.data.synthetic.things import Thing, lay_over
from aiatrack.data.synthetic.windows import Window, bounding_window, overlap


@dataclass(frozen=True)
class Moment:
    """One sample of the time that the shutter is open."""

    seconds: float
    placed: FloatArray
    """`(3, 3)` from the thing's unit square, or from the backdrop, to frame px."""


@dataclass(frozen=True)
class Layer:
    """A thing drawn onto its window."""

    window: Window
    picture: Rgba
    """With motion blur."""
    coverage: npt.NDArray[np.uint8]
    """`(height, width)` without motion blur, in the middle of the exposure."""


def exposures(
    first: Moment, middle: Moment, last: Moment, *, radius_px: float, spacing_px: float, most: int
) -> list[Moment]:
    """Spread samples over the exposure, always an odd number.

    Args:
        first: when the shutter opens.
        middle: half way.
        last: when it closes.
        radius_px: how far from the thing's middle its outline lies.
        spacing_px: how far anything may move from one sample to the next.
        most: samples at most.
    """
    # Near the middle and at the rim: turning and growing move only the rim.
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    unit = radius_px / max(float(np.sqrt(abs(np.linalg.det(middle.placed[:2, :2])))), 1e-9)
    path = transform_points(last.placed, corners * unit) - transform_points(first.placed, corners * unit)
    count = min(2 * round(float(np.hypot(*path.T).max()) / spacing_px / 2) + 1, most)
    half = count // 2
    before = [_between(first, middle, i / half) for i in range(half)]
    after = [_between(middle, last, (i + 1) / half) for i in range(half)]
    return [*before, middle, *after]


def _between(start: Moment, end: Moment, share: float) -> Moment:
    return Moment(
        start.seconds * (1 - share) + end.seconds * share, start.placed * (1 - share) + end.placed * share
    )


def draw_layer(
    thing: Thing, moments: list[Moment], frame_size: tuple[int, int], *, whole: bool
) -> Layer | None:
    """Draw a thing as the shutter sees it.

    Args:
        thing: what.
        moments: samples of the exposure, an odd number.
        frame_size: width and height, px.
        whole: draw also what lies outside the frame (to know its area).

    Returns:
        The layer, or None where nothing of the thing is on the frame.
    """
    outlines = [line for m in (moments[0], moments[-1]) for line in thing.outlines(m.placed, m.seconds)]
    points = np.concatenate(outlines)
    window = bounding_window(points)
    common = overlap((0, 0, *frame_size), window)
    if common is None:
        return None
    if not whole:
        rows, columns = common[:2]
        window = columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
    pictures = [thing.render(m.placed, m.seconds, window) for m in moments]
    return Layer(window, _mean(pictures), pictures[len(pictures) // 2][..., 3])


def _mean(pictures: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    if len(pictures) == 1:
        return pictures[0]
    total = np.zeros(pictures[0].shape, np.float32)
    for picture in pictures:
        cv2.accumulate(picture, total)
    return cv2.convertScaleAbs(total, alpha=1 / len(pictures)).astype(np.uint8, copy=False)


def draw_backdrop(backdrop: Picture, moments: list[Moment], frame_size: tuple[int, int]) -> Picture:
    """Look at the backdrop, mirrored beyond its borders.

    Args:
        backdrop: `(H, W, 3)`.
        moments: samples of the exposure; `placed` maps backdrop pixel indices to frame px.
        frame_size: width and height of the frame, px.
    """
    views = [
        cv2.warpAffine(
            backdrop, m.placed[:2], frame_size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        for m in moments
    ]
    return _mean([np.asarray(view, dtype=np.uint8) for view in views])


def composite(frame: Picture, layer: Layer, shadow: float, shadow_offset: tuple[int, int]) -> None:
    """Lay a thing and its soft shadow onto the frame, in place.

    Args:
        frame: `(H, W, 3)`.
        layer: the thing.
        shadow: darkness of the shadow, 0 to 1.
        shadow_offset: x, y in px.
    """
    whole = 0, 0, frame.shape[1], frame.shape[0]
    if shadow:
        _composite_shadow(frame, layer, shadow, shadow_offset)
    common = overlap(whole, layer.window)
    if common is not None:
        rows, columns, layer_rows, layer_columns = common
        frame[rows, columns] = lay_over(frame[rows, columns], layer.picture[layer_rows, layer_columns])


def _composite_shadow(frame: Picture, layer: Layer, shadow: float, offset: tuple[int, int]) -> None:
    left, top, width, height = layer.window
    blur = 2 * max(1, int(0.06 * max(width, height))) + 1
    dark = cv2.convertScaleAbs(layer.picture[..., 3], alpha=shadow)
    dark = cv2.blur(cv2.copyMakeBorder(dark, blur, blur, blur, blur, cv2.BORDER_CONSTANT), (blur, blur))
    window = left + offset[0] - blur, top + offset[1] - blur, width + 2 * blur, height + 2 * blur
    common = overlap((0, 0, frame.shape[1], frame.shape[0]), window)
    if common is not None:
        rows, columns, dark_rows, dark_columns = common
        light = cv2.merge([255 - dark[dark_rows, dark_columns]] * 3)
        frame[rows, columns] = cv2.multiply(frame[rows, columns], light, scale=1 / 255)
