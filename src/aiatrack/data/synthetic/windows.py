"""Rectangles of whole pixels, and where two of them meet."""

import numpy as np

from aiatrack.data.synthetic.outlines import Outline

Window = tuple[int, int, int, int]
"""Left, top, width, height in whole frame px; it may lie outside the frame."""


def bounding_window(points: Outline, margin: int = 2) -> Window:
    """The window around `(P, 2)` points, with room for anti-aliased edges."""
    left, top = (np.floor(points.min(axis=0)).astype(int) - margin).tolist()
    right, bottom = (np.ceil(points.max(axis=0)).astype(int) + margin).tolist()
    return left, top, right - left, bottom - top


def overlap(window: Window, other: Window) -> tuple[slice, slice, slice, slice] | None:
    """Rows and columns of the common part, in `window` and then in `other`; None if there is none."""
    left, top = max(window[0], other[0]), max(window[1], other[1])
    right = min(window[0] + window[2], other[0] + other[2])
    bottom = min(window[1] + window[3], other[1] + other[3])
    if left >= right or top >= bottom:
        return None
    return (
        slice(top - window[1], bottom - window[1]),
        slice(left - window[0], right - window[0]),
        slice(top - other[1], bottom - other[1]),
        slice(left - other[0], right - other[0]),
    )
