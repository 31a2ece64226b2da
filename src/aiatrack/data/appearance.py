"""Colour changes as `(3, 4)` matrices on RGB values and blurs as small kernels, drawn at random."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.config.data import AppearanceSettings

Array = npt.NDArray[np.floating[Any]]

_LUMA = np.array([0.299, 0.587, 0.114])
_MIDDLE = 127.5
NOISE_TILE_SIZE = 1024
"""Side of the tile of normal noise that both renderers read from, px."""


@dataclass(frozen=True)
class Look:
    """What the three crops of one sample share.

    Attributes:
        grey: no colour.
        infrared: 0, or the contrast of a thermal look, negative if inverted.
        flip: mirrored.
    """

    grey: bool
    infrared: float
    flip: bool


def draw_look(settings: AppearanceSettings, rng: np.random.Generator) -> Look:
    """Draw what the crops of one sample share."""
    grey, infrared, flip, contrast, invert = rng.random(5)
    strength = 0.8 + 0.9 * contrast
    return Look(
        grey=grey < settings.joint_grey,
        infrared=(strength if invert < 0.5 else -strength) if infrared < settings.joint_infrared else 0.0,
        flip=flip < settings.joint_flip,
    )


def draw_colour(settings: AppearanceSettings, look: Look, rng: np.random.Generator) -> Array:
    """Draw one crop's change of colour, `(3, 4)`."""
    u = rng.uniform(-1, 1, 6)
    brightness, contrast, saturation = (
        1 + settings.brightness * u[0],
        1 + settings.contrast * u[1],
        1 + settings.saturation * u[2],
    )
    if look.grey or look.infrared:
        saturation = 0.0
    mix = saturation * np.eye(3) + (1 - saturation) * _LUMA[None]
    if not (look.grey or look.infrared):
        mix = (1 + settings.colour_cast * u[3:])[:, None] * mix
    gain = contrast * (look.infrared or 1.0)
    offset = np.full((3, 1), _MIDDLE * (1 - gain))
    return np.asarray(brightness * np.concatenate((gain * mix, offset), axis=1), dtype=np.float32)


def draw_cutout_colour(strength: float, rng: np.random.Generator) -> Array:
    """Draw a change of brightness and cast for a pasted thing."""
    u = rng.uniform(-1, 1, 4)
    gains = (1 + strength * u[0]) * (1 + 0.5 * strength * u[1:])
    return np.asarray(np.concatenate((np.diag(gains), np.zeros((3, 1))), axis=1), dtype=np.float32)


def draw_kernel(settings: AppearanceSettings, rng: np.random.Generator) -> Array | None:
    """Draw one crop's blur, of motion or of focus; None for none."""
    motion, defocus, size, angle = rng.random(4)
    if motion < settings.motion_blur:
        return motion_kernel(3 + size * (settings.motion_blur_max_px - 3), angle * math.pi)
    if defocus < settings.defocus:
        return gaussian_kernel(0.4 + size * max(settings.defocus_max_sigma_px - 0.4, 0))
    return None


def motion_kernel(length_px: float, angle: float) -> Array:
    """Return the blur of a straight movement, `(K, K)` with odd K, sum 1.

    Args:
        length_px: way during the exposure.
        angle: direction, radians.
    """
    radius = math.ceil(length_px / 2)
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    steps = np.linspace(-length_px / 2, length_px / 2, 8 * radius + 1)
    x, y = radius + steps * math.cos(angle), radius + steps * math.sin(angle)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx, dy in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
        np.add.at(kernel, (np.minimum(top + dy, 2 * radius), np.minimum(left + dx, 2 * radius)), weight)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def gaussian_kernel(sigma_px: float) -> Array:
    """Return a Gaussian blur, `(K, K)` with odd K, sum 1."""
    radius = math.ceil(2.5 * sigma_px)
    row = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma_px) ** 2)
    return np.asarray(np.outer(row, row) / row.sum() ** 2, dtype=np.float32)


@functools.cache
def noise_tile() -> npt.NDArray[np.int8]:
    """Return `(1024, 1024, 3)` normal noise, sigma 32, the same on every machine."""
    noise = np.random.default_rng(20220709).standard_normal((NOISE_TILE_SIZE, NOISE_TILE_SIZE, 3)) * 32
    return np.clip(np.rint(noise), -127, 127).astype(np.int8)
