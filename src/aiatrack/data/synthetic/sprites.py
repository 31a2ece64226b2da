"""Painted cut-outs: texture and silhouette, rendered once and then only warped."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.data.synthetic.motion import FloatArray, turn_and_scale
from aiatrack.data.synthetic.outlines import Outline
from aiatrack.data.synthetic.textures import Field2D, Look, dome_shading, paint_surface

Rgba = npt.NDArray[np.uint8]
"""`(H, W, 4)` colours multiplied by their coverage, and the coverage."""

_MARGIN = 1.08
"""Half width of a sprite's picture in units of its outline: room for anti-aliased edges."""
_SMALLEST = 16


@dataclass(frozen=True)
class Sprite:
    """A cut-out in the unit square, painted at several sizes (so that a small one does not flicker)."""

    outline: Outline
    pictures: tuple[Rgba, ...]
    """From the largest to the smallest, each half as wide as the one before."""

    def picture_for(self, scale: float) -> Rgba:
        """The smallest picture that has no fewer pixels than a rendering at `scale` px a unit."""
        fitting = [picture for picture in self.pictures if picture.shape[0] >= 2 * _MARGIN * scale]
        return fitting[-1] if fitting else self.pictures[0]


def unit_to_pixel(side: int) -> FloatArray:
    """The `(3, 3)` matrix from the unit square to pixel indices of a picture (centres at whole numbers)."""
    scale = side / (2 * _MARGIN)
    matrix = turn_and_scale(0.0, scale, scale)
    matrix[:2, 2] = side / 2 - 0.5
    return matrix


def outline_coverage(outline: Outline, side: int) -> Field2D:
    """Share of every pixel that lies inside an outline: `(side, side)` in [0, 1]."""
    finer = 4
    points = (outline / _MARGIN + 1) / 2 * side * finer - 0.5
    filled = np.zeros((side * finer, side * finer), np.uint8)
    cv2.fillPoly(filled, [np.round(points * 16).astype(np.int32)], 255, shift=4)
    coverage = cv2.resize(filled, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(coverage, dtype=np.float32) / np.float32(255)


def paint_sprite(
    outline: Outline, look: Look, rng: np.random.Generator, *, side: int, roundness: float, light: float
) -> Sprite:
    """Paint a cut-out.

    Args:
        outline: its silhouette in the unit square.
        look: its colours and patterns.
        rng: decides the details.
        side: width of the largest picture, px.
        roundness: 0 is a flat plate, 1 a pillow.
        light: direction of the light in the picture, radians.
    """
    coverage = outline_coverage(outline, side)
    factor, highlight = dome_shading(coverage, roundness, light)
    colours = paint_surface(look, rng, side) * factor[..., None] + highlight[..., None]
    rim = cv2.GaussianBlur(coverage, (0, 0), side / 40)
    colours *= (0.55 + 0.45 * np.clip(2 * rim - 0.9, 0, 1))[..., None]
    rgba = np.dstack([np.clip(colours, 0, 1) * coverage[..., None], coverage])
    return Sprite(outline, _halvings(np.round(rgba * 255).astype(np.uint8)))


def _halvings(picture: Rgba) -> tuple[Rgba, ...]:
    pictures = [picture]
    while pictures[-1].shape[0] >= 2 * _SMALLEST:
        half = pictures[-1].shape[0] // 2
        pictures.append(cv2.resize(pictures[-1], (half, half), interpolation=cv2.INTER_AREA).astype(np.uint8))
    return tuple(pictures)
