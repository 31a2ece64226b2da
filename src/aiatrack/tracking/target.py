"""State of one followed target and what is said about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from aiatrack.tracking.memory import ReferenceMemory

TargetId = int | str
AnyId = TypeVar("AnyId", bound=TargetId)
"""Of a mapping that a user gives: to type checkers, one from `str` is none from `TargetId`."""
FloatArray = npt.NDArray[np.floating[Any]]

_MOMENTUM = 0.8
"""Share of what was usual before that stays when a frame is learned from."""


class TargetState(str, Enum):
    """What the tracker makes of a target in one frame."""

    TRACKED = "tracked"
    UNCERTAIN = "uncertain"
    """Still followed, but the box should not be relied on."""
    LOST = "lost"
    """Not to be seen: the box is the last one that was believed, and the target is searched for."""
    RECOVERED = "recovered"
    """Found again in this frame, after it was lost, or elsewhere than where it was followed."""


@dataclass(frozen=True, slots=True)
class TrackResult:
    """Where the target is in one frame.

    Attributes:
        box_xywh: left, top, width, height in pixels of the frame, origin at the top left.
        score: raw IoU-head output in about [-1, 1]; 1 for the box that was given. While the target is lost,
            of the best that was found.
        frame_index: 0 for the first frame that the tracker was given, then 1, 2, ...
        remembered: whether this frame became a reference.
        id: of the target.
        presence: probability in [0, 1] that the target is there and well boxed; None with `presence="off"`.
        state: what follows from it; always `tracked` with `presence="off"`.
    """

    box_xywh: tuple[float, float, float, float]
    score: float
    frame_index: int
    remembered: bool
    id: TargetId = 1
    presence: float | None = None
    state: TargetState = TargetState.TRACKED

    @property
    def predicted_iou(self) -> float:
        """The score as an overlap with the true box, in [0, 1]."""
        return min(max((self.score + 1) / 2, 0.0), 1.0)


@dataclass(slots=True)
class Watch:
    """What is kept of a target to judge whether it is there.

    Attributes:
        believed_xywh: `(4,)` last box in which the target was believed to be, px of the frame.
        followed_xywh: `(4,)` where the paper's tracker found it in the last frame, px of the frame.
        recent: `(P, C)` mean appearance in recent frames in which it was.
        usual: mean evidence of those frames, a logit.
        carried: evidence of the frames before, a logit.
        state: of the last frame.
        frames_in_doubt: how many in a row spoke against it.
        is_suspected: whether what is followed may have become another thing.
        remembered_suspected: how many references were remembered meanwhile.
        frames_searched: for how many frames it has been suspected or lost.
        sights: in how many frames in a row a lost target seemed to be where it was followed to.
        next_tiles: which wide and which close tile of the frame to search next.
        candidate_xywh: `(4,)` where else it was perhaps found in the last frame, px of the frame.
        looks: how many second looks in a row confirmed the candidate.
    """

    believed_xywh: FloatArray
    followed_xywh: FloatArray
    recent: FloatArray
    usual: float
    carried: float
    state: TargetState = TargetState.TRACKED
    frames_in_doubt: int = 0
    is_suspected: bool = False
    remembered_suspected: int = 0
    frames_searched: int = 0
    sights: int = 0
    next_tiles: tuple[int, int] = (0, 0)
    candidate_xywh: FloatArray | None = None
    looks: int = 0

    @property
    def is_searched(self) -> bool:
        """Whether it is looked for elsewhere than on its path."""
        return self.is_suspected or not self.is_followed

    @property
    def is_followed(self) -> bool:
        """Whether its box is the one that was found, not held."""
        return self.state is not TargetState.LOST

    def learn(self, appearance: FloatArray, evidence: float) -> None:
        """Take a frame in which the target surely was for what is usual."""
        self.recent = _MOMENTUM * self.recent + (1 - _MOMENTUM) * appearance
        self.usual = _MOMENTUM * self.usual + (1 - _MOMENTUM) * evidence

    def begin_search(self) -> None:
        """From the held box outwards."""
        self.frames_searched, self.next_tiles = 0, (0, 0)

    def end_search(self) -> None:
        """Forget what came of it."""
        self.is_suspected, self.remembered_suspected = False, 0
        self.candidate_xywh, self.looks = None, 0


@dataclass(slots=True)
class Target:
    """State of one followed target.

    Attributes:
        box_xywh: `(4,)` last box, px of the frame, clipped to it.
        memory: its references.
        watch: what its presence is judged by; idle with `presence="off"`.
    """

    box_xywh: FloatArray
    memory: ReferenceMemory
    watch: Watch

    def copy(self) -> Self:
        """One that changes on its own. Arrays are shared, as they are replaced and never written to."""
        return replace(self, memory=self.memory.copy(), watch=replace(self.watch))


def to_box(values: Sequence[float] | FloatArray) -> tuple[float, float, float, float]:
    """Four plain numbers."""
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height
