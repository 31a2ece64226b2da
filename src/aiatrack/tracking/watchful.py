"""The way of following that holds on to a target's place while it is gone, and looks for it elsewhere."""

from collections.abc import Sequence
from dataclasses import replace

from aiatrack.tracking.following import Finding, JudgingFollowing, Look, Verdict, are_same
from aiatrack.tracking.presence import logistic
from aiatrack.tracking.searching import search_windows
from aiatrack.tracking.target import FloatArray, Target, TargetState, Watch


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


def _is_at(found: Finding, box_xywh: FloatArray | None) -> bool:
    return box_xywh is not None and bool(are_same(found.box_xywh, box_xywh))
