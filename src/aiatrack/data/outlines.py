"""Convex outlines of objects: what stays exact when an object is turned, stretched and cut.

Points are in edge coordinates of an image: pixel (i, j) covers [j, j + 1] x [i, i + 1]. The box of a
transformed object is the smallest one around its transformed outline; a mask's outline is its convex hull.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.boxes import FloatArray

_CORNER_SHARE = 0.22
"""Share of each side that a cut corner takes of a box without mask: objects seldom fill the corners."""


def outline_of_box(box_xywh: FloatArray) -> FloatArray:
    """Return a box with its corners cut, `(8, 2)` points: it touches all four sides."""
    x, y, w, h = (float(value) for value in box_xywh)
    c = _CORNER_SHARE
    unit = [(c, 0), (1 - c, 0), (1, c), (1, 1 - c), (1 - c, 1), (c, 1), (0, 1 - c), (0, c)]
    return np.array([(x + u * w, y + v * h) for u, v in unit], dtype=np.float32)


def outline_of_mask(mask: npt.NDArray[Any]) -> FloatArray | None:
    """Return the convex hull of a mask's pixels, `(K, 2)` float32, or None for an empty mask."""
    contours, _ = cv2.findContours(
        np.ascontiguousarray(mask != 0, dtype=np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    if not contours:
        return None
    pixels = np.concatenate(contours).reshape(-1, 2).astype(np.float32)
    corners = np.concatenate([pixels + np.array(shift) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))]).astype(
        np.float32
    )
    return np.asarray(cv2.convexHull(corners), dtype=np.float32).reshape(-1, 2)


def outline_box_xywh(outline: FloatArray) -> FloatArray:
    """Return the smallest box around `(K, 2)` points, `(4,)`."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    return np.concatenate((low, high - low))


def fit_outline(outline: FloatArray, box_xywh: FloatArray) -> FloatArray:
    """Scale and shift an outline so that its box is exactly the annotated one."""
    box = outline_box_xywh(outline)
    return (outline - box[:2]) * (box_xywh[2:] / np.maximum(box[2:], 1e-6)) + box_xywh[:2]


def clip_outline(outline: FloatArray, width: float, height: float) -> FloatArray:
    """Cut a convex outline at the border of its image (Sutherland and Hodgman).

    Returns:
        `(K', 2)` points; none if the outline lies outside.
    """
    for axis, limit, sign in ((0, 0.0, 1.0), (0, width, -1.0), (1, 0.0, 1.0), (1, height, -1.0)):
        inside = sign * (outline[:, axis] - limit)
        if not len(outline) or (inside >= 0).all():
            continue
        outline = _cut(outline, inside)
    return outline


def _cut(outline: FloatArray, inside: FloatArray) -> FloatArray:
    """Keep the part with `inside >= 0`, a signed distance for each point, and the crossings."""
    following, following_inside = np.roll(outline, -1, axis=0), np.roll(inside, -1)
    crosses = (inside >= 0) != (following_inside >= 0)
    share = inside[crosses] / (inside[crosses] - following_inside[crosses])
    crossings = outline[crosses] + share[:, None] * (following[crosses] - outline[crosses])
    return np.concatenate((outline[inside >= 0], crossings))
