"""Plane transforms as `(3, 3)` float64 matrices that act on columns (x, y, 1) in edge coordinates.

Edge coordinates put pixel (i, j) at [j, j + 1] x [i, i + 1]; renderers, which sample at pixel centres, use
index coordinates, half a pixel less.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Points = npt.NDArray[np.floating[Any]]


def identity() -> Matrix:
    """Return the transform that changes nothing."""
    return np.eye(3)


def translate(x: float, y: float) -> Matrix:
    """Return a shift by (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scale(x: float, y: float) -> Matrix:
    """Return a scaling about the origin."""
    return np.array([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])


def linear(angle: float, stretch: float, shear: float, tilt: tuple[float, float]) -> Matrix:
    """Return a change of shape about the origin that keeps areas there.

    Args:
        angle: rotation, radians.
        stretch: log of width ratio over height ratio.
        shear: shift in x per y.
        tilt: last row of the matrix: relative change of scale per unit of x and of y.
    """
    c, s = math.cos(angle), math.sin(angle)
    wide = math.exp(stretch / 2)
    a, b, d = wide, shear * wide, 1 / wide
    return np.array([[c * a, c * b - s * d, 0.0], [s * a, s * b + c * d, 0.0], [tilt[0], tilt[1], 1.0]])


def apply(matrix: Matrix, points: Points) -> npt.NDArray[np.float64]:
    """Transform `(K, 2)` points."""
    mapped = points @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] == 0 and matrix[2, 1] == 0:
        return np.asarray(mapped / matrix[2, 2])
    depth = points @ matrix[2, :2] + matrix[2, 2]
    return np.asarray(mapped / depth[:, None])


def to_index_coordinates(matrix: Matrix) -> Matrix:
    """Turn a transform between edge coordinates into the same one between index coordinates."""
    return translate(-0.5, -0.5) @ matrix @ translate(0.5, 0.5)


def crop_window(centre: tuple[float, float], side: float, crop_size: int) -> Matrix:
    """Return the transform from a frame to a square crop of `side` px, resized to `crop_size`."""
    zoom = crop_size / side
    return np.array(
        [
            [zoom, 0.0, (side / 2 - centre[0]) * zoom],
            [0.0, zoom, (side / 2 - centre[1]) * zoom],
            [0.0, 0.0, 1.0],
        ]
    )


def mirror(crop_size: int) -> Matrix:
    """Return the horizontal flip of a crop."""
    return np.array([[-1.0, 0.0, float(crop_size)], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
