"""What the evaluation room asks of a tracker, ours or anybody's."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiatrack.crop import Image

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels, in the count of the benchmark's own annotation."""


class Located(Protocol):
    """Where a tracker finds its target in one frame; `aiatrack.TrackResult` is one."""

    @property
    def box_xywh(self) -> Sequence[float]:
        """Left, top, width, height, px; four finite numbers, sides not negative."""

    @property
    def score(self) -> float | None:
        """How sure the tracker is, on its own scale; None if it does not say."""


class Estimate(NamedTuple):
    """A `Located` for trackers that have no type of their own."""

    box_xywh: Box
    score: float | None = None


class SequenceTracker(Protocol):
    """Follows one target; `start` may be called again for the next sequence. `aiatrack.Tracker` is one."""

    def start(self, frame: Image, box: Sequence[float], /) -> object:
        """Begin with what is inside a box (left, top, width, height, px) of an `(H, W, 3)` uint8 RGB frame.

        What it does afterwards must not depend on sequences that it has seen before.
        """

    def update(self, frame: Image, /) -> Located:
        """Find the target in the next frame."""


class TrackerFactory(Protocol):
    """A description of a tracker, small enough to be sent to other processes and machines, which build it."""

    @property
    def name(self) -> str:
        """Short name for folders and tables, such as `lite` or `csrt`."""

    @property
    def needs_gpu(self) -> bool:
        """Whether every worker needs a GPU."""

    def describe(self) -> Mapping[str, Any]:
        """Everything that decides the tracker's results, as plain data: weights by their hash, settings.

        Results of factories that describe themselves differently never share a folder.

        Raises:
            AiATrackError: the tracker cannot be built on this machine; found out before any worker starts.
        """

    def build(self) -> SequenceTracker:
        """Make the tracker, in the process where it will run.

        Raises:
            AiATrackError: it cannot be built.
        """
