"""Backdrops with the statistics of natural images: leaves of all sizes, fractal noise, lines, gradients."""

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.data.synthetic.outlines import OUTLINES
from aiatrack.data.synthetic.textures import ColourField, fractal_noise, random_colour, smooth_noise

Picture = npt.NDArray[np.uint8]
"""`(H, W, 3)` RGB."""

_VIVIDNESS = 0.22
"""Scenes are duller than what moves in them."""
_NATURAL_HUES = (0.06, 0.1, 0.13, 0.24, 0.31, 0.55, 0.6)
"""Earth, wood, sand, grass, leaves, water, sky."""


def _muted(rng: np.random.Generator, hue: float) -> npt.NDArray[np.float32]:
    return random_colour(rng, hue, vividness=_VIVIDNESS)


def paint_backdrop(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Paint a scene to look down on or across: sky, ground, things in the distance.

    Args:
        rng: decides everything.
        width: px.
        height: px.

    Returns:
        `(height, width, 3)` RGB.
    """
    hue = float(rng.choice(_NATURAL_HUES)) + rng.normal(0, 0.03) if rng.uniform() < 0.75 else rng.uniform()
    scene = _ground(rng, hue, width, height)
    _scatter_leaves(scene, rng, hue)
    for _ in range(int(rng.integers(0, 4))):
        _draw_road(scene, rng, hue)
    for _ in range(int(rng.choice([0, 0, 2, 5]))):
        _draw_facade(scene, rng, hue)
    light = 1 + 0.17 * smooth_noise(rng, (height, width), 1.5)
    grain = 1 + rng.uniform(0.04, 0.16) * fractal_noise(rng, (height, width), rng.uniform(0.6, 1.0))
    return np.round(np.clip(scene * (light * grain)[..., None], 0.02, 0.98) * 255).astype(np.uint8)


def _ground(rng: np.random.Generator, hue: float, width: int, height: int) -> ColourField:
    """A gradient from far to near with clouds or soil over it."""
    far, near = _muted(rng, hue + rng.uniform(-0.1, 0.1)), _muted(rng, hue + rng.uniform(-0.25, 0.25))
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None] + 0.18 * smooth_noise(
        rng, (height, width), 1.4
    )
    if rng.uniform() < 0.4:
        share = 1 / (1 + np.exp(-14 * (share - rng.uniform(0.25, 0.55))))
    share = np.clip(share, 0, 1)[..., None]
    tint = smooth_noise(rng, (height, width), 1.6, coarser=4)[..., None] * rng.uniform(-0.05, 0.05, 3).astype(
        np.float32
    )
    ground: ColourField = far * (1 - share) + near * share + tint
    return ground


def _scatter_leaves(scene: ColourField, rng: np.random.Generator, hue: float) -> None:
    """Dead leaves: things of power-law sizes hide one another (Lee, Mumford and Huang, IJCV 2001)."""
    height, width = scene.shape[:2]
    smallest, largest = 0.008 * min(width, height), 0.22 * min(width, height)
    shapes = [OUTLINES[int(rng.integers(len(OUTLINES)))](rng)[::6] for _ in range(8)]
    colours = [_muted(rng, hue + spread) for spread in rng.normal(0, 0.12, 10)]
    count = int(rng.choice([80, 300, 900]))
    # Inverse sampling of a density that falls as size^-2, large ones first so that small ones stay visible.
    quantile = np.sort(rng.uniform(size=count))
    sizes = 1 / (1 / largest + quantile * (1 / smallest - 1 / largest))
    cover = rng.uniform(0.35, 0.9)
    for size in sizes:
        angle, middle = rng.uniform(0, 2 * np.pi), rng.uniform(0, [width, height])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        points = shapes[int(rng.integers(8))] @ turn * size + middle
        colour = colours[int(rng.integers(10))] * rng.uniform(0.6, 1.2)
        # Ground and leaf belong together: lay the leaf on only in part.
        under = scene[int(middle[1]) % height, int(middle[0]) % width]
        _fill(scene, points, (1 - cover) * under + cover * colour)


def _fill(scene: ColourField, points: npt.NDArray[np.float64], colour: npt.NDArray[np.float32]) -> None:
    cv2.fillPoly(
        scene, [np.round(points * 16).astype(np.int32)], colour.astype(float).tolist(), cv2.LINE_8, 4
    )


def _draw_road(scene: ColourField, rng: np.random.Generator, hue: float) -> None:
    """A bent band from border to border, with marks along it: a road, river, rail or cable."""
    height, width = scene.shape[:2]
    knots = rng.uniform(-0.1, 1.1, (4, 2))
    knots[:, 0] = np.linspace(-0.1, 1.1, 4)
    along = np.linspace(0, 1, 40)
    line = np.stack([np.interp(along, np.linspace(0, 1, 4), knots[:, axis]) for axis in range(2)], axis=1)
    line[:, 1] = np.convolve(np.pad(line[:, 1], 6, mode="edge"), np.ones(13) / 13, mode="valid")
    points = np.round((line if rng.uniform() < 0.5 else line[:, ::-1]) * [width, height]).astype(np.int32)
    thickness = max(1, int(np.exp(rng.uniform(0, np.log(0.09 * min(width, height))))))
    colour = _muted(rng, hue + rng.normal(0, 0.1)) * 0.8
    cv2.polylines(scene, [points], False, colour.astype(float).tolist(), thickness, cv2.LINE_8)
    if thickness > 8:
        mark = np.clip(colour * 1.7 + 0.1, 0, 1).astype(float).tolist()
        for start in range(0, len(points) - 1, 2):
            cv2.line(scene, points[start].tolist(), points[start + 1].tolist(), mark, max(1, thickness // 12))


def _draw_facade(scene: ColourField, rng: np.random.Generator, hue: float) -> None:
    """A wall with rows of windows: the straight edges and repetition of things people build."""
    height, width = scene.shape[:2]
    size = rng.uniform(0.1, 0.35, 2) * min(width, height)
    left, top = rng.uniform(-0.1, 0.9, 2) * [width, height]
    wall, pane = _muted(rng, hue + rng.normal(0, 0.15)), _muted(rng, hue + 0.5) * 0.6
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
    slant = np.array([[1.0, rng.uniform(-0.15, 0.15)], [0.0, 1.0]])
    origin = np.array([left, top])
    _fill(scene, corners * size @ slant + origin, wall)
    columns, rows = (int(n) for n in rng.integers(2, 7, 2))
    for cell in range(columns * rows):
        start = np.array([cell % columns + 0.2, cell // columns + 0.25]) / [columns, rows]
        window = start + corners * [0.6 / columns, 0.5 / rows]
        _fill(scene, window * size @ slant + origin, pane * rng.uniform(0.7, 1.3))
