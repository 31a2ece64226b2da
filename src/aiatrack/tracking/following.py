"""How a target is followed: whatever happens, as the paper does, or as long as it is believed to be there.

A way of following says where to look for a target in the next frame, and what to make of what was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import TrackingSettings
from aiatrack.crop import CropWindow, crop_window
from aiatrack.tracking.evidence import Known
from aiatrack.tracking.network import LocatedTargets, ReferenceSet
from aiatrack.tracking.presence import CERTAIN, PresenceModel, logistic
from aiatrack.tracking.target import FloatArray, Target, TargetState, Watch

_MIN_PRESENCE_OF_RECENT = 0.7
"""From which a frame counts towards what is usual: what the target looks like, how surely it is found."""
_USUAL_AT_FIRST = 2.0
"""Evidence, a logit, that a target found as it was marked has: what is usual for one not yet seen again."""
_LEAST_OVERLAP_OF_LOOKS = 0.3
"""IoU of two findings of the same thing, in the same frame or in one after the other."""


@dataclass(frozen=True, slots=True)
class Look:
    """One region to look at for one target.

    Attributes:
        window: where.
        references: what to compare it with.
    """

    window: CropWindow
    references: ReferenceSet


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        box_xywh: `(4,)` px of the frame, clipped to it.
        score: of the IoU head.
        embedding: `(P, C)` what is inside the box looks like.
        evidence: for a followed target being there, a logit; 0 where it is not weighed.
        recognition: for its being the target wherever it was found, a logit; 0 where it is not weighed.
    """

    box_xywh: FloatArray
    score: float
    embedding: FloatArray
    evidence: float
    recognition: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is made of a target's findings in one frame.

    Attributes:
        box_xywh: `(4,)` px of the frame; where to look next, too.
        score: of the finding that it comes from.
        remember: whether what the first look found becomes a reference.
        presence: probability, or None where it is not judged.
        state: of the target.
    """

    box_xywh: FloatArray
    score: float
    remember: bool
    presence: float | None = None
    state: TargetState = TargetState.TRACKED


class Following(Protocol):
    """A way of following, for any number of targets and films: what is kept of each is in its watch."""

    @property
    def fingerprint(self) -> str:
        """Of all that it judges by beside the settings; empty where there is nothing else."""

    def begin(self, box_xywh: FloatArray, appearance: FloatArray) -> Watch:
        """What is kept of a target that has just been marked.

        Args:
            box_xywh: `(4,)` as it was marked, px of the frame.
            appearance: `(P, C)` of what is inside.

        Raises:
            SettingsError: the settings are for another network.
        """

    def look_for(self, target: Target, frame_shape: Sequence[int]) -> list[Look]:
        """Choose at least one region of the next frame."""

    def weigh(
        self, targets: Sequence[Target], windows: Sequence[CropWindow], located: LocatedTargets
    ) -> FloatArray:
        """What speaks for each of B located targets: `(B, 2)` logits, evidence and recognition."""

    def judge(self, target: Target, findings: Sequence[Finding]) -> Verdict:
        """Make up one's mind, given a finding for each look."""


class PaperFollowing:
    """The paper's: the target is where the network says (section 3.4).

    Args:
        settings: how to track.
        crop_size: of the network, px.
    """

    fingerprint = ""

    def __init__(self, settings: TrackingSettings, crop_size: int) -> None:
        self._settings = settings
        self._crop_size = crop_size

    def begin(self, box_xywh: FloatArray, appearance: FloatArray) -> Watch:
        """One that stays idle."""
        return start_watch(box_xywh, appearance)

    def look_for(self, target: Target, frame_shape: Sequence[int]) -> list[Look]:
        """The region around the last box."""
        window = crop_window(target.box_xywh, self._settings.search_factor, self._crop_size)
        return [Look(window, target.memory.references)]

    def weigh(
        self, targets: Sequence[Target], windows: Sequence[CropWindow], located: LocatedTargets
    ) -> FloatArray:
        """Nothing is weighed."""
        return np.zeros((len(targets), 2))

    def judge(self, target: Target, findings: Sequence[Finding]) -> Verdict:
        """Believe it."""
        (found,) = findings
        return Verdict(found.box_xywh, found.score, found.score > self._settings.min_score_to_remember)


class JudgingFollowing:
    """The paper's way, box for box, with a word on whether the target is there.

    Args:
        settings: how to track.
        crop_size: of the network, px.
        model: what presence is judged by.
    """

    def __init__(self, settings: TrackingSettings, crop_size: int, model: PresenceModel) -> None:
        self._settings = settings
        self._crop_size = crop_size
        self._model = model
        self._paper = PaperFollowing(settings, crop_size)

    @property
    def fingerprint(self) -> str:
        """Of the calibration."""
        return self._model.fingerprint

    def begin(self, box_xywh: FloatArray, appearance: FloatArray) -> Watch:
        """Certain that it is there; refuses a calibration of another network now, not in the next frame."""
        self._model.appearance.check(appearance)
        return start_watch(box_xywh, appearance)

    def look_for(self, target: Target, frame_shape: Sequence[int]) -> list[Look]:
        """The region around the last box."""
        return self._paper.look_for(target, frame_shape)

    def weigh(
        self, targets: Sequence[Target], windows: Sequence[CropWindow], located: LocatedTargets
    ) -> FloatArray:
        """By the network's outputs and what is known of each target."""
        return self._model.weigh(
            located,
            [known_of(target, window) for target, window in zip(targets, windows, strict=True)],
        )

    def judge(self, target: Target, findings: Sequence[Finding]) -> Verdict:
        """Believe it, and say how far."""
        (found,) = findings
        target.watch.frames_searched += target.watch.is_searched
        presence = self._believe(target.watch, found)
        verdict = self._paper.judge(target, findings)
        return replace(verdict, presence=presence, state=target.watch.state)

    def _believe(self, watch: Watch, found: Finding) -> float:
        """Update what is known of a followed target, its state among it; returns the presence."""
        self._suspect(watch, found)
        presence = self._model.presence(found.evidence, watch.carried, held=False)
        watch.carried = self._model.carry(watch.carried, found.evidence)
        if presence < self._settings.min_presence_to_track:
            watch.state = TargetState.UNCERTAIN
            return presence
        watch.state, watch.believed_xywh = TargetState.TRACKED, found.box_xywh
        if presence >= _MIN_PRESENCE_OF_RECENT and not watch.is_suspected:
            watch.learn(found.embedding, found.evidence)
        return presence

    def _suspect(self, watch: Watch, found: Finding) -> None:
        """Begin or end to suspect that something else is followed; nothing is learned meanwhile."""
        settings = self._settings
        if watch.is_suspected:
            recognised = logistic(found.recognition) >= settings.min_recognition_to_trust
            if recognised or watch.frames_searched >= settings.frames_to_suspect:
                watch.end_search()
        elif found.evidence < settings.max_evidence_to_suspect * watch.usual and settings.frames_to_suspect:
            watch.begin_search()
            watch.is_suspected = True


def are_same(a_xywh: FloatArray, b_xywh: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether two looks found the same thing, for paired `(..., 4)` boxes, allowing for a frame's motion."""
    return np.asarray(box_iou(xywh_to_xyxy(a_xywh), xywh_to_xyxy(b_xywh)) >= _LEAST_OVERLAP_OF_LOOKS)


def start_watch(box_xywh: FloatArray, appearance: FloatArray) -> Watch:
    """Of a target that has just been marked, and so is certain to be there."""
    return Watch(
        believed_xywh=box_xywh,
        followed_xywh=box_xywh,
        recent=appearance.astype(np.float64),
        usual=_USUAL_AT_FIRST,
        carried=CERTAIN,
    )


def known_of(target: Target, window: CropWindow) -> Known:
    """What is known of a target before it is looked for in a window."""
    watch = target.watch
    size = float(np.sqrt(watch.believed_xywh[2:].prod())) / window.side
    return Known(target.memory.appearance, watch.recent, size)
