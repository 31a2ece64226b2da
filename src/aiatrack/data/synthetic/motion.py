"""Motion in closed form: every quantity is a function of time, so any frame can be computed on its own."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_TERMS = 5


class Drift:
    """Smooth, bounded, never repeating wandering of several quantities: sums of sines of random periods."""

    def __init__(self, rng: np.random.Generator, channels: int, periods_s: tuple[float, float]) -> None:
        """Draw the sines.

        Args:
            rng: decides periods and phases.
            channels: C, how many independent quantities.
            periods_s: shortest and longest period, seconds.
        """
        shortest, longest = np.log(periods_s)
        periods = np.exp(rng.uniform(shortest, longest, (channels, _TERMS)))
        self._rates = 2 * np.pi / periods
        self._phases = rng.uniform(0, 2 * np.pi, (channels, _TERMS))
        # Slower terms swing wider, as in natural motion.
        self._weights = periods**0.7 / (periods**0.7).sum(axis=1, keepdims=True)

    def at(self, seconds: float) -> FloatArray:
        """Values `(C,)` in (-1, 1) at a time."""
        swings: FloatArray = (self._weights * np.sin(self._rates * seconds + self._phases)).sum(axis=1)
        return np.tanh(2.2 * swings)


def translation(x: float, y: float) -> FloatArray:
    """Move by x, y: a `(3, 3)` matrix on column vectors (x, y, 1), as all matrices here."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def turn_and_scale(angle: float, scale_x: float, scale_y: float) -> FloatArray:
    """Scale along the axes, then turn by `angle` radians: `(3, 3)`."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array(
        [[cos * scale_x, -sin * scale_y, 0.0], [sin * scale_x, cos * scale_y, 0.0], [0.0, 0.0, 1.0]]
    )


def transform_points(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Apply a `(3, 3)` affine matrix to `(P, 2)` points."""
    moved: FloatArray = points @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


@dataclass(frozen=True)
class CameraPose:
    """Where the camera looks: a similarity, and the tremor that moves the whole picture."""

    pan: FloatArray
    """`(2,)` world px under the middle of the frame."""
    angle: float
    """Roll, radians."""
    zoom: float
    shake: FloatArray
    """`(2,)` px."""


class Camera:
    """A hand-held camera that pans, rolls and zooms."""

    def __init__(
        self,
        rng: np.random.Generator,
        frame_size: tuple[int, int],
        *,
        motion: float,
        zoom: float,
        shake_px: float,
    ) -> None:
        """Draw its way.

        Args:
            rng: decides the way.
            frame_size: width and height, px.
            motion: 1 pans by about a frame width.
            zoom: widest and closest view are 1/zoom and zoom of the mean.
            shake_px: amplitude of the tremor.
        """
        self.frame_centre = np.array(frame_size, dtype=np.float64) / 2
        self._reach = motion * np.array(frame_size, dtype=np.float64) * np.array([0.8, 0.3])
        self._max_angle = 0.12 * min(motion, 2.0)
        self._log_zoom = np.log(zoom)
        self._shake_px = shake_px
        self._slow = Drift(rng, 4, (4.0, 15.0))
        self._tremor = Drift(rng, 2, (0.12, 0.8))

    def at(self, seconds: float) -> CameraPose:
        """The pose at a time."""
        pan_x, pan_y, roll, zoom = self._slow.at(seconds)
        return CameraPose(
            pan=self._reach * np.array([pan_x, pan_y]),
            angle=float(self._max_angle * roll),
            zoom=float(np.exp(self._log_zoom * zoom)),
            shake=self._shake_px * self._tremor.at(seconds),
        )

    def world_to_frame(self, pose: CameraPose) -> FloatArray:
        """The `(3, 3)` matrix from backdrop px to frame px."""
        middle = self.frame_centre + pose.shake
        turned = translation(*middle) @ turn_and_scale(pose.angle, pose.zoom, pose.zoom)
        return turned @ translation(*-pose.pan)
