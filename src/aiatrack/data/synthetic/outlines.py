"""Closed smooth silhouettes around the origin, as points in the unit square [-1, 1] x [-1, 1]."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Outline = npt.NDArray[np.float64]
"""`(P, 2)` points x, y of a closed line; the last joins the first."""

POINTS = 192
"""Points of every outline: with smooth lines, the box of the points is within 1e-3 of the line's."""


def _angles() -> npt.NDArray[np.float64]:
    return np.linspace(0, 2 * np.pi, POINTS, endpoint=False)


def _fill_unit_square(points: Outline) -> Outline:
    """Centre and scale so that the longer side spans [-1, 1]."""
    low, high = points.min(axis=0), points.max(axis=0)
    scaled: Outline = (points - (low + high) / 2) * (2 / (high - low).max())
    return scaled


def blob_outline(rng: np.random.Generator) -> Outline:
    """A pebble to an amoeba: a circle whose radius carries a few random harmonics."""
    angles = _angles()
    radius = np.ones(POINTS)
    for harmonic in range(2, 6):
        radius += rng.uniform(0, 0.5 / harmonic) * np.cos(harmonic * angles + rng.uniform(0, 2 * np.pi))
    stretch = np.array([1.0, rng.uniform(0.6, 1.0)])
    return _fill_unit_square(np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None] * stretch)


def superellipse_outline(rng: np.random.Generator) -> Outline:
    """From a diamond over an ellipse to a rounded rectangle (Lame curve)."""
    angles, power = _angles(), 2 / rng.uniform(1.5, 6.0)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.sign(points) * np.abs(points) ** power
    return _fill_unit_square(_resample(points * np.array([1.0, rng.uniform(0.45, 1.0)])))


def cover_outline() -> Outline:
    """A square with round corners; every point within 1 of the middle lies inside."""
    angles = _angles()
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _resample(np.sign(points) * np.abs(points) ** (2 / 8.0))


def polygon_outline(rng: np.random.Generator) -> Outline:
    """An irregular polygon of three to eight rounded corners, convex or starlike."""
    corners = int(rng.integers(3, 9))
    angles = 2 * np.pi * (np.arange(corners) + rng.uniform(-0.25, 0.25, corners)) / corners
    radius = rng.uniform(0.65, 1.0, corners)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None]
    for _ in range(3):
        points = _cut_corners(points)
    return _fill_unit_square(_resample(points))


def star_outline(rng: np.random.Generator) -> Outline:
    """A flower, gear or star: many equal lobes."""
    angles, lobes = _angles(), int(rng.integers(4, 10))
    wave = np.cos(lobes * angles)
    radius = 1 + rng.uniform(0.1, 0.35) * np.sign(wave) * np.abs(wave) ** rng.uniform(0.5, 1.2)
    return _fill_unit_square(np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None])


def drop_outline(rng: np.random.Generator) -> Outline:
    """A fish, leaf or drop: round at one end, drawn out at the other."""
    angles = _angles()
    slim = rng.uniform(0.35, 0.8)
    taper = 1 - rng.uniform(0.3, 0.75) * (1 - np.cos(angles)) / 2
    return _fill_unit_square(np.stack([np.cos(angles), slim * np.sin(angles) * taper], axis=1))


def capsule_outline(rng: np.random.Generator) -> Outline:
    """A limb: a slim bar with round ends, slightly thinner at the far end."""
    angles, width = _angles(), rng.uniform(0.2, 0.36)
    power = 2 / rng.uniform(3.0, 6.0)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.sign(points) * np.abs(points) ** power
    points[:, 1] *= width * (1 - 0.25 * (points[:, 0] + 1) / 2)
    return _resample(points)


def _cut_corners(points: Outline) -> Outline:
    """One round of Chaikin's corner cutting."""
    following = np.roll(points, -1, axis=0)
    return np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1).reshape(
        -1, 2
    )


def _resample(points: Outline) -> Outline:
    """Spread `POINTS` points evenly along a closed line."""
    closed = np.concatenate([points, points[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    where = np.linspace(0, length[-1], POINTS, endpoint=False)
    return np.stack([np.interp(where, length, closed[:, axis]) for axis in range(2)], axis=1)


OUTLINES: tuple[Callable[[np.random.Generator], Outline], ...] = (
    blob_outline,
    superellipse_outline,
    polygon_outline,
    star_outline,
    drop_outline,
)
"""The silhouettes that a thing's body may have."""
