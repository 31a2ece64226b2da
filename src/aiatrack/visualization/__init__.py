"""Drawing on frames: `draw_*` on pictures. NumPy and OpenCV only, RGB, uint8, in place where they say so."""

from aiatrack.visualization.panels import Panel, draw_panels
from aiatrack.visualization.sheets import draw_heatmap, draw_samples
from aiatrack.visualization.strokes import Colour, colour_of, draw_box, draw_result, line_width

__all__ = [
    "Colour",
    "Panel",
    "colour_of",
    "draw_box",
    "draw_heatmap",
    "draw_panels",
    "draw_result",
    "draw_samples",
    "line_width",
]
