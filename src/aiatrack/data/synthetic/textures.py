"""Procedural surfaces: fractal noise, patterns, palettes, shading. Colours are RGB float32 in [0, 1]."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Field2D = npt.NDArray[np.float32]
"""`(H, W)` one value a pixel."""
ColourField = npt.NDArray[np.float32]
"""`(H, W, 3)` RGB in [0, 1]."""

PATTERNS = ("plain", "stripes", "spots", "checks", "rings", "patches", "scales")


@dataclass(frozen=True)
class Look:
    """What things of the same look share: colours and kinds of pattern, not where each spot lies."""

    palette: npt.NDArray[np.float32]
    """`(4, 3)` RGB: ground from dark to light, pattern, detail."""
    pattern: str
    frequency: float
    """Repetitions of the pattern over the thing's width."""
    angle: float
    """Direction of the pattern, radians."""
    warp: float
    """How much noise bends the pattern."""
    roughness: float
    """Share of noise in the ground, 0 to 1."""
    letters: str
    """Written on the thing; often empty."""


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], exponent: float) -> Field2D:
    """Noise whose amplitude falls as frequency to the minus `exponent`, as in natural images (about 1).

    Returns:
        `shape`, mean 0 and standard deviation 1; its opposite borders match.
    """
    height, width = shape
    white = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(white * frequency**-exponent, s=shape).astype(np.float32)
    return noise / max(float(noise.std()), 1e-12)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], exponent: float, *, coarser: int = 2
) -> Field2D:
    """Fractal noise of a high exponent, made at a lower resolution: it has no fine detail to lose."""
    height, width = shape
    small = fractal_noise(rng, (max(height // coarser, 2), max(width // coarser, 2)), exponent)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def random_colour(
    rng: np.random.Generator, hue: float, *, vividness: float = 0.42
) -> npt.NDArray[np.float32]:
    """A natural colour `(3,)` around a hue (a full turn is 1): mostly muted, at times vivid."""
    saturation = rng.beta(4 * vividness, 4 * (1 - vividness))
    hsv = np.array([[[(hue % 1.0) * 360, saturation, 0.15 + 0.8 * rng.beta(2, 1.6)]]], dtype=np.float32)
    colour: npt.NDArray[np.float32] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return colour


def random_look(rng: np.random.Generator) -> Look:
    """Draw a look."""
    hue = rng.uniform()
    hues = hue + np.array([0.0, rng.uniform(-0.06, 0.06), rng.choice([0.08, 0.33, 0.5]), rng.uniform()])
    palette = np.stack([random_colour(rng, h) for h in hues])
    ground = np.sort(rng.uniform(0.15, 0.95, 2))
    palette[:2] *= (ground / palette[:2].max(axis=1)).astype(np.float32)[:, None]
    letters = "".join(rng.choice(list("ABEHKMNRSTXZ23478"), int(rng.integers(1, 4))))
    return Look(
        palette=palette,
        pattern=str(rng.choice(PATTERNS)),
        frequency=float(rng.uniform(2.5, 8)),
        angle=float(rng.uniform(0, np.pi)),
        warp=float(rng.uniform(0, 0.5)),
        roughness=float(rng.uniform(0.2, 0.8)),
        letters=letters if rng.uniform() < 0.35 else "",
    )


def paint_surface(look: Look, rng: np.random.Generator, size: int) -> ColourField:
    """Paint a square surface of a look; `rng` decides the details.

    Returns:
        `(size, size, 3)` RGB in [0, 1].
    """
    noise = smooth_noise(rng, (size, size), 1.3)
    share = np.clip(0.5 + 0.35 * look.roughness * noise, 0, 1)[..., None]
    surface = look.palette[0] * (1 - share) + look.palette[1] * share
    pattern = pattern_field(look, rng, size)[..., None]
    surface = surface * (1 - pattern) + look.palette[2] * pattern
    if look.letters:
        ink = _letters(look.letters, rng, size)[..., None]
        surface = surface * (1 - ink) + look.palette[3] * ink
    grain = fractal_noise(rng, (size, size), 0.6)[..., None]
    painted: ColourField = np.clip(surface * (1 + 0.1 * grain), 0, 1)
    return painted


def pattern_field(look: Look, rng: np.random.Generator, size: int) -> Field2D:
    """Where the pattern's colour lies, `(size, size)` in [0, 1], with soft edges."""
    if look.pattern == "plain":
        return np.zeros((size, size), np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    noise = smooth_noise(rng, (size, size), 1.8)
    bend = look.warp / look.frequency
    x, y = x + bend * noise, y + bend * noise.T[::-1]
    u = np.cos(look.angle) * x + np.sin(look.angle) * y + rng.uniform()
    v = -np.sin(look.angle) * x + np.cos(look.angle) * y + rng.uniform()
    turns = 2 * np.pi * look.frequency
    if look.pattern == "stripes":
        wave = np.sin(turns * u)
    elif look.pattern == "checks":
        wave = np.sin(turns * u) * np.sin(turns * v) * 2
    elif look.pattern == "rings":
        wave = np.sin(turns * np.hypot(x - rng.uniform(-0.2, 0.2), y - rng.uniform(-0.2, 0.2)))
    elif look.pattern == "scales":
        wave = np.sin(turns * u + np.abs(np.sin(turns * v)) * 2.2)
    elif look.pattern == "spots":
        wave = 2 * _spots(rng, size, look.frequency) - 1
    else:
        wave = 2.5 * noise
    return np.asarray(np.clip(0.5 + 2.5 * wave, 0, 1), dtype=np.float32)


def _spots(rng: np.random.Generator, size: int, frequency: float) -> Field2D:
    spots = np.zeros((size, size), np.uint8)
    for _ in range(int(frequency**2 * 0.7)):
        centre = rng.integers(0, size, 2).tolist()
        axes = (size / frequency * rng.uniform(0.1, 0.38, 2)).astype(int).tolist()
        cv2.ellipse(spots, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    return spots.astype(np.float32) / np.float32(255)


def _letters(letters: str, rng: np.random.Generator, size: int) -> Field2D:
    sheet, thickness = np.zeros((size, size), np.uint8), max(1, size // 28)
    (width, height), _ = cv2.getTextSize(letters, cv2.FONT_HERSHEY_SIMPLEX, 1.0, thickness)
    scale = 0.5 * size / max(width, height)
    where = (
        int(size / 2 - width * scale / 2),
        int(size / 2 + height * scale / 2 + rng.uniform(-0.1, 0.1) * size),
    )
    cv2.putText(sheet, letters, where, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    return sheet.astype(np.float32) / np.float32(255)


def dome_shading(alpha: Field2D, roundness: float, light: float) -> tuple[Field2D, Field2D]:
    """Light a silhouette as if it bulged towards the viewer.

    Args:
        alpha: silhouette, `(H, W)` in [0, 1].
        roundness: 0 is a flat plate, 1 a pillow.
        light: direction of the light in the picture, radians.

    Returns:
        `(H, W)` factor on the colours, and `(H, W)` highlight to add.
    """
    inside = (alpha > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    reach = max(float(depth.max()), 1.0)
    height = np.sqrt(1 - (1 - np.clip(depth / reach, 0, 1)) ** 2) * reach * roundness
    height = cv2.GaussianBlur(height, (0, 0), max(reach / 12, 0.5))
    slope_x, slope_y = (
        cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125),
    )
    upright = 1 / np.sqrt(1 + slope_x**2 + slope_y**2)
    towards = -(np.cos(light) * slope_x + np.sin(light) * slope_y) * upright
    facing = np.clip(0.55 * towards + 0.83 * upright, 0, 1)
    return (0.35 + 0.75 * facing).astype(np.float32), (0.35 * roundness * facing**24).astype(np.float32)
