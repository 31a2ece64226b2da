"""Settings of online tracking (paper, section 3.4; docs/method.md)."""

from pydantic import Field

from aiatrack.config.frozen import FrozenSettings


class TrackingSettings(FrozenSettings):
    """How a target is followed from frame to frame; the defaults are the paper's."""

    search_factor: float = Field(5.0, gt=1, le=16)
    """Side of the search region over sqrt(width x height) of the last box."""
    memory_capacity: int = Field(100, ge=2)
    """References kept at most, frame 0 among them; the second-oldest goes first."""
    ensemble_size: int = Field(3, ge=0)
    """Short-term references drawn from memory for every frame; 0 leaves only the long-term one."""
    min_score_to_remember: float = Field(0.7, ge=-1, le=1)
    """Raw IoU-head score, in [-1, 1], above which a frame becomes a reference; 0.7 means an IoU of 0.85."""
    batch_size: int = Field(16, ge=1)
    """Targets that go through the network together at most; bounds the memory that many targets take."""
    clip_margin_px: float = Field(10.0, gt=0)
    """Least part of a box that stays inside the frame, and its least width and height, px."""
