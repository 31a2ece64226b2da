"""What a synthetic film shows, and how to draw many different ones."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import Self

from aiatrack.config import FrozenSettings


class SyntheticWorldSettings(FrozenSettings):
    """One synthetic film; equal settings make equal films."""

    width: int = Field(640, ge=32, le=4096)
    """Width of the frames, px."""
    height: int = Field(480, ge=32, le=4096)
    """Height of the frames, px."""
    frames: int = Field(240, ge=1)
    """Length of the film; memory does not depend on it."""
    frame_rate: float = Field(30.0, gt=0, le=1000)
    """Frames a second; motion is defined in seconds, so a higher rate means smaller steps."""
    seed: int = Field(0, ge=0)
    """Decides everything that the other settings leave open."""
    targets: int = Field(1, ge=1, le=64)
    """Annotated things, each of its own look."""
    target_size: float = Field(0.22, ge=0.02, le=0.8)
    """Mean diameter of a target over the frame's shorter side."""
    speed: float = Field(1.0, ge=0, le=8)
    """Pace of the targets' and distractors' paths; 1 crosses the frame in some two seconds."""
    deformation: float = Field(0.6, ge=0, le=1)
    """Strength of bending, swinging limbs, turning and change of aspect; 0 is a rigid, upright thing."""
    distractors: int = Field(2, ge=0, le=64)
    """Moving things of the same look as a target: same shape and colours, other details."""
    occluders: int = Field(1, ge=0, le=16)
    """Things that pass in front of a target every few seconds, hiding some or all of it for a moment."""
    clutter: int = Field(6, ge=0, le=64)
    """Resting things between the backdrop and the targets, nearer than the backdrop (parallax)."""
    zoom: float = Field(1.5, ge=1, le=4)
    """Targets grow and shrink gradually between 1/zoom and zoom of their mean size."""
    camera_motion: float = Field(0.6, ge=0, le=4)
    """Pan and roll of the camera; 1 pans by about a frame width."""
    shake_px: float = Field(1.2, ge=0, le=32)
    """Amplitude of the hand-held tremor of the whole picture, px."""
    shutter: float = Field(0.5, ge=0, le=1)
    """Share of the frame interval for which the shutter is open: the length of motion blur."""
    defocus_px: float = Field(0.6, ge=0, le=8)
    """Largest Gaussian sigma of the slowly drifting focus, px."""
    noise: float = Field(3.0, ge=0, le=64)
    """Standard deviation of sensor noise, grey levels of 255."""
    illumination: float = Field(0.25, ge=0, le=1)
    """Strength of slow drifts in brightness and colour temperature."""
    absence: float = Field(0.0, ge=0, le=0.5)
    """Share of frames in which each target is out of the frame or wholly hidden (the two by turns)."""
    absence_frames: int = Field(30, ge=1)
    """Length of one absence, frames. A target that left comes back in another place."""
    absence_kind: Literal["leave_or_hide", "vanish"] = "leave_or_hide"
    """`vanish`: gone from one frame to the next, and back far from there, as where a film is cut."""

    @model_validator(mode="after")
    def _film_is_long_enough_for_an_absence(self) -> Self:
        if self.absence and self.frames < self.absence_period:
            raise ValueError(
                f"absences of {self.absence_frames} frames for {self.absence:.0%} of the time recur every "
                f"{self.absence_period:.0f} frames, but the film has {self.frames}: "
                "lengthen it, or lower absence_frames"
            )
        return self

    @model_validator(mode="after")
    def _target_fits_the_frame(self) -> Self:
        if self.target_size * self.zoom > 1.25:
            raise ValueError(
                f"a target of {self.target_size:g} of the frame's shorter side, zoomed {self.zoom:g} times, "
                "outgrows the frame: keep target_size x zoom at 1.25 or less"
            )
        return self

    @property
    def absence_period(self) -> float:
        """Frames from one absence to the next; infinite where there is none."""
        return self.absence_frames / self.absence if self.absence else float("inf")

    @property
    def target_diameter_px(self) -> float:
        """Mean diameter of a target, px."""
        return self.target_size * min(self.width, self.height)


def random_world_settings(
    rng: np.random.Generator, size: tuple[int, int] = (320, 240), frames: int = 60
) -> SyntheticWorldSettings:
    """Draw the settings of a varied small world, for training: quick to build, unlike the one before.

    Args:
        rng: decides everything, the world's own seed included.
        size: width and height of the frames, px.
        frames: length of the film.
    """
    width, height = size
    return SyntheticWorldSettings(
        width=width,
        height=height,
        frames=frames,
        seed=int(rng.integers(2**31)),
        target_size=float(np.exp(rng.uniform(np.log(0.08), np.log(0.45)))),
        speed=float(rng.uniform(0.2, 2.0)),
        deformation=float(rng.uniform()),
        distractors=int(rng.choice([0, 0, 1, 1, 2, 3])),
        occluders=int(rng.choice([0, 0, 1, 2])),
        clutter=int(rng.integers(0, 9)),
        zoom=float(rng.uniform(1.0, 2.0)),
        camera_motion=float(rng.uniform(0, 1.5)),
        shake_px=float(rng.uniform(0, 2) * min(size) / 480),
        shutter=float(rng.uniform()),
        defocus_px=float(rng.uniform(0, 1.2)),
        noise=float(rng.uniform(0, 8)),
        illumination=float(rng.uniform(0, 0.5)),
    )
