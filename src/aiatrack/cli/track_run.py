"""The work of `aiatrack track`: frames through the tracker, results to the outputs."""

import time
import warnings
from collections import deque
from collections.abc import Container, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile

from aiatrack.cli.stopping import ignore_interrupts
from aiatrack.cli.targets import TargetMark, check_marks
from aiatrack.cli.terminal import frame_progress
from aiatrack.cli.track_outputs import Outputs, Results, Sink
from aiatrack.tracking import MultiTracker, TargetId, TargetState, TrackResult
from aiatrack.video import Frame, Upcoming, VideoWarning

_NAMED_AT_MOST = 5


class TrackRun:
    """Targets followed from a source's first frame to its end, or to Ctrl-C.

    Args:
        tracker: without targets yet.
        marks: the targets.
        upcoming: what comes after the source's first frame; those that are held may be looked at together.
        outputs: where results go.

    Attributes:
        count: frames written.
    """

    def __init__(
        self, tracker: MultiTracker, marks: Sequence[TargetMark], upcoming: Upcoming, outputs: Outputs
    ) -> None:
        self.count = 0
        self._upcoming = upcoming
        self._outputs = outputs
        self._schedule = _Schedule(tracker, marks)
        self._search_factor = tracker.settings.search_factor
        self._tallies = {mark.id: _Tally() for mark in marks}
        self._seconds = 0.0

    def follow(self, first: Frame) -> bool:
        """Track and write; returns False if interrupted, with everything so far written and closed.

        Raises:
            AiATrackError: boxes, frames or outputs are at fault; what was written before stays.
        """
        # The first results come before any file: a bad box must not replace an older output.
        height, width = first.image.shape[:2]
        check_marks(self._schedule.waiting, first.index, width, height, self._search_factor)
        (first_results,) = self._schedule.follow([first])
        with ExitStack() as stack:
            sinks = self._outputs.open(first, list(self._tallies), stack)
            # Before the outputs are closed: a Ctrl-C, often the second one, must not break that off.
            stack.callback(ignore_interrupts)
            finished = True
            try:
                self._follow(first, first_results, sinks)
            except KeyboardInterrupt:
                finished = False
            if self._upcoming.goes_on:
                self._outputs.film_goes_on()
        if finished:
            self._warn_of_marks_never_reached()
        return finished

    @property
    def summary(self) -> str:
        """How many frames, how fast, how sure, and where they went."""
        words = _frames(self.count)
        if not self.count:
            return f"{words}; nothing was written"
        # A Ctrl-C may come between a frame and the time it took.
        if self._seconds:
            words += f" at {self.count / self._seconds:.1f} frames/s"
        followed = [tally for tally in self._tallies.values() if tally.frames]
        if len(self._tallies) > 1:
            words += f", {len(followed)} of {len(self._tallies)} targets followed"
        else:
            words += followed[0].verdict if followed else ", no target followed"
        return f"{words}; wrote {self._outputs.names}"

    @property
    def target_lines(self) -> list[str]:
        """What became of each target, if there are several."""
        if len(self._tallies) == 1:
            return []
        return [
            f"target {target_id}: {_frames(tally.frames)}{tally.verdict}"
            for target_id, tally in self._tallies.items()
        ]

    def _follow(self, first: Frame, first_results: Results, sinks: list[Sink]) -> None:
        started = time.perf_counter()
        with frame_progress() as progress:
            task = progress.add_task("tracking", total=self._upcoming.source.frame_count)
            self._write(first, first_results, sinks)
            progress.advance(task)
            while frames := self._upcoming.peek():
                for frame, results in zip(frames, self._schedule.follow(frames), strict=False):
                    self._write(frame, results, sinks)
                    self._upcoming.take(1)
                    self._seconds = time.perf_counter() - started
                    progress.advance(task)

    def _write(self, frame: Frame, results: Results, sinks: list[Sink]) -> None:
        for sink in sinks:
            sink(frame, results)
        for target_id, result in results.items():
            self._tallies[target_id].add(result, is_given=target_id in self._schedule.given)
        self.count += 1

    def _warn_of_marks_never_reached(self) -> None:
        ids = dict.fromkeys(mark.id for mark in self._schedule.waiting)
        seen = [target_id for target_id in ids if self._tallies[target_id].frames]
        unseen = [target_id for target_id in ids if target_id not in seen]
        _warn_of("never followed, as the source ends before their first frame", unseen)
        _warn_of("not marked anew, as the source ends before that frame", seen)


class _Schedule:
    """Lets the tracker take up and let go targets when their time has come.

    Args:
        tracker: without targets yet.
        marks: the targets; one that is marked again is begun anew, under the same id.

    Attributes:
        waiting: marks whose frame has not come yet, the next one first.
        given: ids of the targets that were marked in the latest frame.
    """

    def __init__(self, tracker: MultiTracker, marks: Sequence[TargetMark]) -> None:
        self.waiting = deque(sorted(marks, key=lambda mark: mark.first_frame or 0))
        self.given: set[TargetId] = set()
        self._tracker = tracker
        self._followed: dict[TargetId, TargetMark] = {}

    def follow(self, frames: Sequence[Frame]) -> list[dict[TargetId, TrackResult]]:
        """Results of the targets that are followed in the first frame, and perhaps in some after it.

        Those that are marked in a frame are as given.
        """
        first = frames[0]
        begun = self._take_marks(first.index)
        self._let_go(first.index, begun)
        alike = [first] if begun else [first, *takewhile(self._changes_nothing, frames[1:])]
        found = self._tracker.update_ahead([frame.image for frame in alike])
        for target_id, mark in begun.items():
            self._tracker.add(first.image, mark.box_xywh, target_id)
            found[0][target_id] = self._tracker.latest[target_id]
        self._followed |= begun
        self.given = set(begun)
        return found

    def _changes_nothing(self, frame: Frame) -> bool:
        """Whether no target is to be taken up or let go in a later frame."""
        if self.waiting and (self.waiting[0].first_frame or 0) <= frame.index:
            return False
        ends = [mark.last_frame for mark in self._followed.values() if mark.last_frame is not None]
        return frame.index <= min(ends, default=frame.index)

    def _take_marks(self, frame_index: int) -> dict[TargetId, TargetMark]:
        begun: dict[TargetId, TargetMark] = {}
        while self.waiting and (self.waiting[0].first_frame or 0) <= frame_index:
            mark = self.waiting.popleft()
            begun[mark.id] = mark
        return begun

    def _let_go(self, frame_index: int, begun: Container[TargetId]) -> None:
        over = [
            target_id
            for target_id, mark in self._followed.items()
            if target_id in begun or (mark.last_frame is not None and mark.last_frame < frame_index)
        ]
        for target_id in over:
            self._tracker.remove(target_id)
            del self._followed[target_id]


@dataclass(slots=True)
class _Tally:
    """What is summed up of one target."""

    frames: int = 0
    found: int = 0
    lost: int = 0
    predicted_iou_sum: float = 0.0

    def add(self, result: TrackResult, *, is_given: bool) -> None:
        self.frames += 1
        self.lost += result.state is TargetState.LOST
        if not is_given:
            self.found += 1
            self.predicted_iou_sum += result.predicted_iou

    @property
    def verdict(self) -> str:
        """To be appended to the number of frames; empty for a target that was never found, only given."""
        words = f", lost in {self.lost}" if self.lost else ""
        if self.found:
            words += f", mean predicted overlap {self.predicted_iou_sum / self.found:.2f}"
        return words


def _warn_of(problem: str, ids: Sequence[TargetId]) -> None:
    """Warn of targets, of which there may be none, or too many to be named."""
    if ids:
        others = len(ids) - _NAMED_AT_MOST
        named = ", ".join(map(str, ids[:_NAMED_AT_MOST])) + (f" and {others} others" if others > 0 else "")
        warnings.warn(f"{problem}: target {named}", VideoWarning, stacklevel=3)


def _frames(number: int) -> str:
    return "1 frame" if number == 1 else f"{number} frames"
