"""Pictures side by side, each with a map, a box, a mark and a caption of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.crop import check_frame
from aiatrack.errors import FrameError
from aiatrack.visualization.sheets import draw_heatmap
from aiatrack.visualization.strokes import Colour, Frame, draw_box

_CAPTION_PX = 22
_GAP_PX = 4
_PAPER = 24
_INK = (235, 235, 235)
_BOX_COLOUR: Colour = (255, 255, 255)
_HEAT_OPACITY = 0.55


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of several.

    Attributes:
        image: `(H, W, 3)` uint8 RGB; not changed.
        caption: written above it; ASCII, about 36 letters in 256 px.
        heat: `(h, w)`, laid over it: blue is zero, red the highest.
        highest: value that is red; by default the map's own highest.
        box_xywh: `(4,)`, drawn into it, as shares of its width and height.
        mark_xy: `(2,)`, where a cross goes, as shares.
    """

    image: Frame
    caption: str
    heat: npt.NDArray[np.floating[Any]] | None = None
    highest: float | None = None
    box_xywh: Sequence[float] | npt.NDArray[np.floating[Any]] | None = None
    mark_xy: Sequence[float] | None = None


def draw_panels(rows: Sequence[Sequence[Panel]], *, columns: int = 1, side_px: int = 256) -> Frame:
    """Lay pictures out in rows.

    Args:
        rows: of panels; a row may be shorter than others.
        columns: there are at least so many, so that pictures of a film have one size.
        side_px: width and height of each picture on the sheet.

    Returns:
        `(H, W, 3)` uint8 RGB; both even, as films want them.

    Raises:
        FrameError: no panel, or one whose picture is not RGB uint8 or whose map is not finite.
    """
    if not any(rows):
        raise FrameError("a sheet needs at least one panel; got none")
    cell_height = side_px + _CAPTION_PX + _GAP_PX
    cell_width = side_px + _GAP_PX
    wide = max(columns, *(len(row) for row in rows), 1)
    height, width = len(rows) * cell_height + _GAP_PX, wide * cell_width + _GAP_PX
    sheet = np.full((height + height % 2, width + width % 2, 3), _PAPER, np.uint8)
    for number, row in enumerate(rows):
        for place, panel in enumerate(row):
            top, left = _GAP_PX + number * cell_height, _GAP_PX + place * cell_width
            _write(sheet, panel.caption, left, top)
            top += _CAPTION_PX
            sheet[top : top + side_px, left : left + side_px] = _draw(panel, side_px)
    return sheet


def _draw(panel: Panel, side_px: int) -> Frame:
    check_frame(panel.image)
    picture = np.asarray(cv2.resize(panel.image, (side_px, side_px)), dtype=np.uint8)
    if panel.heat is not None:
        highest = float(np.max(panel.heat)) if panel.highest is None else panel.highest
        draw_heatmap(picture, panel.heat, opacity=_HEAT_OPACITY, value_range=(0.0, highest))
    if panel.box_xywh is not None:
        draw_box(picture, np.asarray(panel.box_xywh) * side_px, color=_BOX_COLOUR, thickness=1)
    if panel.mark_xy is not None:
        x, y = (round(share * side_px - 0.5) for share in panel.mark_xy)
        for colour, thickness in (((0, 0, 0), 3), (_BOX_COLOUR, 1)):
            cv2.drawMarker(picture, (x, y), colour, cv2.MARKER_CROSS, 13, thickness)
    return picture


def _write(sheet: Frame, caption: str, left: int, top: int) -> None:
    text = caption.encode("ascii", "replace").decode()
    place = left + 1, top + _CAPTION_PX - 7
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
