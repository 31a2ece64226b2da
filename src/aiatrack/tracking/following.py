"""How a target is followed: whatever happens, as the paper does, or as long as it is believed to be there.

A way of following says where to look for a target in the next frame, and what to make of what was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import TrackingSettings, load_calibration
from aiatrack.crop import CropWindow, crop_window
from aiatrack.tracking.evidence import Known
from aiatrack.tracking.network import LocatedTargets, ReferenceSet
from aiatrack.tracking.presence import CERTAIN, PresenceModel, logistic
from aiatrack.tracking.searching import search_windows
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


class WatchfulFollowing(JudgingFollowing):
    """Follows while the target is believed to be there; holds its box when it is not.

    It looks elsewhere as well once something is amiss: while the target is lost, and while it is suspected of
    being another thing, that is since it was found far less surely than usual, until it is recognised.
    """

    def look_for(self, target: Target, frame_shape: Sequence[int]) -> list[Look]:
        """One region while all is well, several when it is not."""
        watch = target.watch
        if not watch.is_searched:
            return super().look_for(target, frame_shape)
        windows = search_windows(watch, frame_shape, self._settings, self._crop_size)
        looks = [Look(window, target.memory.references) for window in windows]
        if watch.candidate_xywh is not None:
            looks[1] = Look(windows[1], target.memory.first_reference)
            if watch.is_followed:
                looks.insert(2, Look(windows[0], target.memory.first_reference))
        return looks

    def judge(self, target: Target, findings: Sequence[Finding]) -> Verdict:
        """Weigh what was found against what was known."""
        watch = target.watch
        followed, *elsewhere = findings
        watch.followed_xywh = followed.box_xywh
        if watch.state is TargetState.LOST:
            return self._judge_lost(target, followed, elsewhere)
        verdict = super().judge(target, [followed])
        better = self._find_better(watch, followed, elsewhere) if watch.is_suspected else None
        if better is not None:
            return self._recover_elsewhere(target, better)
        if self._is_given_up(watch, verdict):
            return self._lose(watch, verdict)
        watch.remembered_suspected += watch.is_suspected and verdict.remember
        return verdict

    def _is_given_up(self, watch: Watch, verdict: Verdict) -> bool:
        doubtful = verdict.presence is not None and verdict.presence < self._settings.max_presence_to_lose
        watch.frames_in_doubt = watch.frames_in_doubt + 1 if doubtful else 0
        return watch.frames_in_doubt >= self._settings.frames_to_lose

    def _lose(self, watch: Watch, verdict: Verdict) -> Verdict:
        if not watch.is_suspected:
            watch.begin_search()
        watch.state, watch.sights = TargetState.LOST, 0
        return replace(verdict, box_xywh=watch.believed_xywh, remember=False, state=watch.state)

    def _find_better(self, watch: Watch, followed: Finding, elsewhere: list[Finding]) -> Finding | None:
        """What is more likely the target than what is followed under suspicion, if anything."""
        if not elsewhere:
            return None
        # What is followed has been looked at by frame 0 alone if there is a candidate to compare it with.
        rival = elsewhere.pop(1) if watch.candidate_xywh is not None else followed
        return self._find_elsewhere(watch, elsewhere, rival)

    def _judge_lost(self, target: Target, followed: Finding, elsewhere: Sequence[Finding]) -> Verdict:
        watch = target.watch
        watch.frames_searched += 1
        watch.sights = watch.sights + 1 if self._is_seen(followed) else 0
        # One sight more than looks: a candidate, too, has been seen once before it is looked at again.
        if watch.sights > self._settings.looks_to_recover:
            return self._recover(watch, followed)
        found = self._find_elsewhere(watch, elsewhere, None)
        if found is not None:
            return self._recover_elsewhere(target, found)
        best = max((followed, *elsewhere), key=lambda finding: finding.evidence)
        presence = self._model.presence(best.evidence, watch.carried, held=True)
        watch.carried = self._model.carry(watch.carried, best.evidence)
        return Verdict(watch.believed_xywh, best.score, False, presence, watch.state)

    def _find_elsewhere(
        self, watch: Watch, elsewhere: Sequence[Finding], followed: Finding | None
    ) -> Finding | None:
        """What a second look confirmed often enough, if anything; else choose what to look at again.

        Args:
            watch: of the target.
            elsewhere: what looks away from the path found, that at the candidate first if there is one.
            followed: what is followed meanwhile, and what must be surpassed; None: nothing.
        """
        if self._is_confirmed(watch, elsewhere[0], followed):
            watch.looks += 1
            watch.candidate_xywh = elsewhere[0].box_xywh
            # To leave what is followed takes one look more than to follow something again.
            enough = self._settings.looks_to_recover + (followed is not None)
            return elsewhere[0] if watch.looks >= enough else None
        watch.candidate_xywh, watch.looks = self._choose_candidate(watch, elsewhere, followed), 0
        return None

    def _choose_candidate(
        self, watch: Watch, elsewhere: Sequence[Finding], followed: Finding | None
    ) -> FloatArray | None:
        """The likeliest of what is not followed; what was looked at in vain lets others go first."""
        passed_over = None if followed is None else followed.box_xywh
        likely = [
            one
            for one in elsewhere
            if logistic(one.evidence) >= self._settings.min_presence_of_candidate
            and not _is_at(one, passed_over)
        ]
        others = [one for one in likely if not _is_at(one, watch.candidate_xywh)]
        best = max(others or likely, key=lambda finding: finding.evidence, default=None)
        return None if best is None else best.box_xywh

    def _is_confirmed(self, watch: Watch, found: Finding, followed: Finding | None) -> bool:
        """Whether a second look, by the long-term reference alone, sees the candidate as well."""
        settings = self._settings
        # To leave what is followed takes what it would take to trust it.
        least = settings.min_recognition_to_recover if followed is None else settings.min_recognition_to_trust
        if watch.candidate_xywh is None or logistic(found.recognition) < least:
            return False
        if followed is not None and not self._surpasses(found, followed):
            return False
        return bool(are_same(found.box_xywh, watch.candidate_xywh))

    def _surpasses(self, found: Finding, followed: Finding) -> bool:
        """Whether something elsewhere is well boxed, and far more likely the target than what is followed."""
        return (
            not are_same(found.box_xywh, followed.box_xywh)
            and logistic(found.evidence) >= self._settings.min_presence_to_track
            and found.recognition >= followed.recognition + self._settings.recognition_to_switch
        )

    def _is_seen(self, found: Finding) -> bool:
        return logistic(found.evidence) >= self._settings.min_presence_to_recover

    def _recover_elsewhere(self, target: Target, found: Finding) -> Verdict:
        # What was remembered since something was amiss may show another thing.
        target.memory.forget_latest(target.watch.remembered_suspected)
        return self._recover(target.watch, found)

    def _recover(self, watch: Watch, found: Finding) -> Verdict:
        watch.state, watch.believed_xywh = TargetState.RECOVERED, found.box_xywh
        watch.frames_in_doubt = 0
        watch.end_search()
        # What spoke against the old place says nothing of the new one.
        watch.carried = found.evidence
        presence = self._model.presence(found.evidence, watch.carried, held=False)
        return Verdict(found.box_xywh, found.score, False, presence, watch.state)


def build_following(settings: TrackingSettings, crop_size: int) -> Following:
    """The way that `settings.presence` chooses.

    Raises:
        SettingsError: the calibration is missing or cannot be used.
    """
    if settings.presence == "off":
        return PaperFollowing(settings, crop_size)
    chosen = WatchfulFollowing if settings.presence == "on" else JudgingFollowing
    return chosen(settings, crop_size, PresenceModel(load_calibration(settings.calibration)))


def are_same(a_xywh: FloatArray, b_xywh: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether two looks found the same thing, for paired `(..., 4)` boxes, allowing for a frame's motion."""
    return np.asarray(box_iou(xywh_to_xyxy(a_xywh), xywh_to_xyxy(b_xywh)) >= _LEAST_OVERLAP_OF_LOOKS)


def _is_at(found: Finding, box_xywh: FloatArray | None) -> bool:
    return box_xywh is not None and bool(are_same(found.box_xywh, box_xywh))


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
