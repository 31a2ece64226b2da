"""Boxes and their labels on frames."""

import colorsys
from collections.abc import Sequence
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.crop import check_frame
from aiatrack.errors import BoxError, FrameError, SettingsError

Frame = npt.NDArray[np.uint8]
"""`(H, W, 3)` RGB."""
Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
Style = Literal["solid", "dashed", "dotted"]

_SUBPIXEL_BITS = 4
_WIDEST_PX = 2**15 - 1
"""Of a stroke; OpenCV draws no wider one."""
_PALETTE: tuple[Colour, ...] = (
    (0, 220, 110),
    (255, 140, 0),
    (60, 160, 255),
    (255, 80, 160),
    (240, 220, 40),
    (170, 110, 255),
    (0, 210, 220),
    (255, 95, 70),
)
_GOLDEN_RATIO = 0.618034
_SHADES = ((0.85, 1.0), (0.45, 1.0), (0.85, 0.75))
"""Saturation and brightness of colours beyond the palette, in turn."""

_LOST_COLOUR: Colour = (190, 190, 190)
_STYLES: dict[str, Style] = {
    "tracked": "solid",
    "uncertain": "dashed",
    "lost": "dotted",
    "recovered": "solid",
}
_PIECE_WIDTHS = {"dashed": 5.0, "dotted": 2.0}
"""Length of a dash or dot, and of the gap after it, in widths of the stroke."""


def colour_of(number: int) -> Colour:
    """A colour for a target's number: easy to tell from its neighbours' and from most scenes."""
    if number < len(_PALETTE):
        return _PALETTE[number]
    # Steps of the golden ratio around the colour circle never come back to where they were.
    hue = number * _GOLDEN_RATIO % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, *_SHADES[number % len(_SHADES)])
    return round(red * 255), round(green * 255), round(blue * 255)


def check_canvas(frame: Any) -> None:
    """Refuse anything that cannot be drawn on.

    Raises:
        FrameError: not a writable `(H, W, 3)` uint8 array with pixels.
    """
    check_frame(frame)
    if not frame.flags.writeable:
        raise FrameError("drawing is done in place but the frame is read-only: pass frame.copy()")


def line_width(frame: Frame) -> int:
    """Width of a stroke that reads well on a frame of this size, px: 2 at 640 x 480, 5 at 1080p."""
    height, width = frame.shape[:2]
    return max(1, round(0.0035 * float(np.sqrt(width * height))))


def draw_box(
    frame: Frame,
    box_xywh: Sequence[float] | npt.NDArray[np.floating[Any]],
    *,
    label: str | None = None,
    color: Colour = _PALETTE[0],
    thickness: int | None = None,
    style: Style = "solid",
) -> Frame:
    """Draw a box, **in place**.

    The stroke is centred on the box's edge, at a fraction of a pixel. Parts outside the frame are not seen,
    and a box that is wholly outside or not finite (an absent target's) leaves the frame as it is.

    Args:
        frame: `(H, W, 3)` uint8 RGB; changed.
        box_xywh: `(4,)` left, top, width, height in px.
        label: written above the box, or inside where there is no room; ASCII (other letters become `?`).
        color: RGB.
        thickness: of the stroke, px; by default what suits the frame's size.
        style: `"dashed"` for a box that one should not rely on, `"dotted"` for one where nothing is seen.

    Returns:
        `frame` itself.

    Raises:
        FrameError: not a writable RGB uint8 frame.
        BoxError: not four numbers.
        SettingsError: unknown style, or a thickness that is no whole number from 1 to 32767.
    """
    check_canvas(frame)
    box = _read_box(box_xywh)
    if style not in get_args(Style):
        raise SettingsError(f"a box is drawn 'solid', 'dashed' or 'dotted'; got {style!r}")
    width = line_width(frame) if thickness is None else thickness
    if not (1 <= width <= _WIDEST_PX and width == int(width)):
        raise SettingsError(
            f"a stroke is at least 1 px wide, a whole number up to {_WIDEST_PX}; got {thickness}"
        )
    width = int(width)
    if not np.isfinite(box).all() or not _is_on_frame(frame, box):
        return frame
    # A frame that is a view (a slice, a flip) is drawn on a copy, as OpenCV needs its own layout.
    canvas = np.ascontiguousarray(frame)
    for start, end in _edges(box, canvas, 4 * width):
        pieces = [(start, end)] if style == "solid" else _dashes(start, end, _PIECE_WIDTHS[style] * width)
        for piece_start, piece_end in pieces:
            _stroke(canvas, piece_start, piece_end, color, width)
    if label:
        _draw_label(canvas, box, label, color, width)
    if canvas is not frame:
        frame[...] = canvas
    return frame


def draw_result(
    frame: Frame,
    box_xywh: Sequence[float] | npt.NDArray[np.floating[Any]],
    score: float,
    *,
    name: str | None = None,
    min_score: float | None = None,
    color: Colour = _PALETTE[0],
    state: str = "tracked",
) -> Frame:
    """Draw what a tracker said about one target, **in place**: its box, name, score and state.

    An uncertain target's box is dashed. A lost one's, which is where it was last seen, is thin, grey and
    dotted, with the word "lost" in place of the score. The box of one that was found again is thick, and
    the word "found" goes before the score.

    Args:
        frame: `(H, W, 3)` uint8 RGB; changed.
        box_xywh: `(4,)` left, top, width, height in px; not finite for a target that has no box.
        score: shown with two digits; NaN is not shown.
        name: of the target, written before the score.
        min_score: a lower score makes the box of a tracked target dashed.
        color: RGB.
        state: `tracked`, `uncertain`, `lost` or `recovered`.

    Returns:
        `frame` itself.

    Raises:
        FrameError: not a writable RGB uint8 frame.
        BoxError: not four numbers.
        SettingsError: unknown state.
    """
    if state not in _STYLES:
        raise SettingsError(f"a target is one of {', '.join(_STYLES)}; got state {state!r}")
    check_canvas(frame)
    width = line_width(frame)
    if state == "lost":
        label = f"{name} lost" if name else "lost"
        thin = max(1, round(0.6 * width))
        return draw_box(frame, box_xywh, label=label, color=_LOST_COLOUR, thickness=thin, style="dotted")
    words = [name] if name else []
    if state == "recovered":
        words.append("found")
    if np.isfinite(score):
        words.append(f"{score:.2f}")
    unsure = state == "tracked" and min_score is not None and not score >= min_score
    return draw_box(
        frame,
        box_xywh,
        label=" ".join(words) or None,
        color=color,
        thickness=2 * width if state == "recovered" else width,
        style="dashed" if unsure else _STYLES[state],
    )


def _read_box(box_xywh: Any) -> npt.NDArray[np.float64]:
    try:
        box = np.asarray(box_xywh, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BoxError(f"a box is four numbers x, y, width, height in pixels; got {box_xywh!r}") from error
    if box.shape != (4,):
        raise BoxError(f"a box is four numbers x, y, width, height in pixels; got shape {box.shape}")
    return box


def _is_on_frame(frame: Frame, box: npt.NDArray[np.float64]) -> bool:
    height, width = frame.shape[:2]
    x, y, box_width, box_height = box.tolist()
    return bool(x < width and y < height and x + box_width > 0 and y + box_height > 0)


Point = npt.NDArray[np.float64]


def _edges(box: npt.NDArray[np.float64], frame: Frame, margin: int) -> list[tuple[Point, Point]]:
    """The four edges, cut where they are too far outside the frame for OpenCV's whole numbers."""
    height, width = frame.shape[:2]
    low, high = np.full(2, -float(margin)), np.array([width + margin, height + margin], dtype=np.float64)
    left, top = np.clip(box[:2], low, high)
    right, bottom = np.clip(box[:2] + np.maximum(box[2:], 0), low, high)
    corners = [np.array(c) for c in ((left, top), (right, top), (right, bottom), (left, bottom))]
    return [(corners[i], corners[(i + 1) % 4]) for i in range(4)]


def _dashes(start: Point, end: Point, dash_px: float) -> list[tuple[Point, Point]]:
    """Cut an edge into dashes and equal gaps; both ends are dashes, so corners are always drawn."""
    pieces = 2 * round(float(np.hypot(*(end - start))) / dash_px / 2) + 1
    along = [start + (end - start) * i / pieces for i in range(pieces + 1)]
    return list(zip(along[0::2], along[1::2], strict=True))


def _stroke(frame: Frame, start: Point, end: Point, color: Colour, width: int) -> None:
    # The centre of pixel 0 lies at 0.5 of a box's coordinates and at 0 of OpenCV's.
    fixed = [tuple(np.round((p - 0.5) * 2**_SUBPIXEL_BITS).astype(int).tolist()) for p in (start, end)]
    cv2.line(frame, fixed[0], fixed[1], color, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_label(frame: Frame, box: npt.NDArray[np.float64], label: str, color: Colour, stroke: int) -> None:
    """Write on a plate of the box's colour, kept inside the frame; a thin box's label is no smaller."""
    frame_height, frame_width = frame.shape[:2]
    width = line_width(frame)
    scale, weight = 0.26 + 0.13 * width, max(1, round(0.6 * width))
    text = label.encode("ascii", "replace").decode()
    (text_width, text_height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
    pad = width + 1
    plate_width, plate_height = text_width + 2 * pad, text_height + below + 2 * pad
    left = int(np.clip(np.floor(box[0] - stroke / 2), 0, max(frame_width - plate_width, 0)))
    above = int(np.floor(box[1] - stroke / 2)) - plate_height
    top = (
        above
        if above >= 0
        else int(np.clip(np.ceil(box[1] + stroke / 2), 0, max(frame_height - plate_height, 0)))
    )
    cv2.rectangle(frame, (left, top), (left + plate_width - 1, top + plate_height - 1), color, cv2.FILLED)
    is_light = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 130
    ink = (0, 0, 0) if is_light else (255, 255, 255)
    where = (left + pad, top + pad + text_height)
    cv2.putText(frame, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, weight, cv2.LINE_AA)
