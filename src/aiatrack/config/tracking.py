"""Settings of online tracking (paper, section 3.4; docs/method.md; presence: docs/presence.md)."""

from typing import Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from aiatrack.config.frozen import FrozenSettings


class TrackingSettings(FrozenSettings):
    """How a target is followed from frame to frame; the defaults are the paper's."""

    search_factor: float = Field(5.0, gt=1, le=16)
    """Side of the search region over sqrt(width x height) of the last box."""
    memory_capacity: int = Field(100, ge=2)
    """References kept at most, frame 0 among them; the second-oldest goes first."""
    ensemble_size: int = Field(3, ge=0, le=1000)
    """Short-term references drawn from memory for every frame; 0 leaves only the long-term one. Each draw
    takes time, and of more than memory holds, the further ones change next to nothing."""
    min_score_to_remember: float = Field(0.7, ge=-1, le=1)
    """Raw IoU-head score, in [-1, 1], above which a frame becomes a reference; 0.7 means an IoU of 0.85."""
    batch_size: int = Field(32, ge=1)
    """Regions that go through the network together at most; bounds the memory that many targets take."""
    clip_margin_px: float = Field(10.0, gt=0)
    """Least part of a box that stays inside the frame, and its least width and height, px."""
    max_shift_ahead: float = Field(0.1, ge=0, le=0.5)
    """Where several frames are looked at together, in the region that the first one calls for: by how much
    that of a later one may be off, on any of its sides, as a share of the side."""

    presence: Literal["on", "judge", "off"] = "off"
    """`judge`: say how probable it is that the target is there, and follow as the paper does; `on`: act on it
    as well: search for a target that is lost; `off`: neither. Settings of losing, searching and recovering
    count only when it is on; suspecting decides what is learned when judging, too."""
    calibration: str = "generic"
    """What turns the network's outputs into a probability: a shipped calibration (`lite`, `nano`, `generic`
    for other weights) or a YAML file of one."""
    min_presence_to_track: float = Field(0.5, ge=0, le=1)
    """Probability from which a target counts as tracked; below, it is uncertain."""
    max_presence_to_lose: float = Field(0.01, ge=0, le=1)
    """Probability below which a frame counts towards losing the target."""
    frames_to_lose: int = Field(12, ge=1)
    """So many such frames in a row, and the target is lost: its box is held, and it is searched for."""
    max_evidence_to_suspect: float = Field(0.2, ge=0, le=1)
    """What speaks for a followed target, as a share of its usual: below it, something else may be followed.
    Nothing is learned of what the target looks like, and it is searched for elsewhere as well ..."""
    min_recognition_to_trust: float = Field(0.95, ge=0, le=1)
    """... until what is followed is the target with this probability, or something found elsewhere is ..."""
    frames_to_suspect: int = Field(60, ge=0)
    """... or for so many frames; 0: nothing is ever suspected."""
    search_growth: float = Field(1.3, ge=1, le=4)
    """The region around a lost target's box grows by this factor a frame ..."""
    search_growth_steps: int = Field(3, ge=0)
    """... for so many frames; after them, tiles of the whole frame are searched."""
    search_budget: int = Field(4, ge=2)
    """Regions that are looked at for a lost target in one frame at most; one that is followed takes one, or,
    while it is suspected, at most one more than a lost one."""
    tile_growth: float = Field(1.5, ge=0.5, le=4)
    """Side of a wide tile over that of the normal search region: larger ones are fewer, and less exact. For
    a target that is lost, tiles of the normal size are searched beside them."""
    min_presence_to_recover: float = Field(0.6, ge=0, le=1)
    """Probability from which a lost target counts as seen where it would have been followed to."""
    min_presence_of_candidate: float = Field(0.01, ge=0, le=1)
    """Probability from which what was found elsewhere is looked at again in the next frame, closely and by
    the long-term reference alone."""
    min_recognition_to_recover: float = Field(0.9, ge=0, le=1)
    """Probability of being the lost target from which such a second look counts."""
    recognition_to_switch: float = Field(1.0, ge=0)
    """By how much, as a logit, it must surpass what is followed meanwhile, looked at in the same way."""
    looks_to_recover: int = Field(1, ge=1)
    """So many looks after the first in a row, in as many frames, and the target is recovered."""

    @field_validator("presence", mode="before")
    @classmethod
    def _yaml_reads_on_and_off_as_booleans(cls, value: object) -> object:
        return ("on" if value else "off") if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _losing_lies_below_tracking(self) -> Self:
        if self.max_presence_to_lose > self.min_presence_to_track:
            raise ValueError(
                f"max_presence_to_lose ({self.max_presence_to_lose:g}) must not lie above "
                f"min_presence_to_track ({self.min_presence_to_track:g})"
            )
        return self
