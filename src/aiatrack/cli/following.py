"""The work of `aiatrack track`: frames through the tracker, results to the outputs."""

import time
import warnings
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from aiatrack.cli.targets import TargetMark, check_marks
from aiatrack.cli.terminal import frame_progress
from aiatrack.cli.track_outputs import Outputs, Results, Sink
from aiatrack.tracking import MultiTracker, TargetId, TargetState, TrackResult
from aiatrack.video import Frame, FrameSource, VideoWarning

_NAMED_AT_MOST = 5


class Following:
    """Targets followed from a source's first frame to its end, or to Ctrl-C.

    Args:
        tracker: without targets yet.
        marks: the targets.
        frames: the source, whose first frame was taken already.
        outputs: where results go.

    Attributes:
        count: frames written.
    """

    def __init__(
        self, tracker: MultiTracker, marks: Sequence[TargetMark], frames: FrameSource, outputs: Outputs
    ) -> None:
        self.count = 0
        self._frames = frames
        self._outputs = outputs
        self._schedule = _Schedule(tracker, marks)
        self._search_factor = tracker.settings.search_factor
        self._tallies = {mark.id: _Tally() for mark in marks}
        self._seconds = 0.0

    def run(self, first: Frame) -> bool:
        """Track and write; returns False if interrupted, with everything so far written and closed.

        Raises:
            AiATrackError: boxes, frames or outputs are at fault; what was written before stays.
        """
        # The first results come before any file: a bad box must not replace an older output.
        height, width = first.image.shape[:2]
        check_marks(self._schedule.waiting, first.index, width, height, self._search_factor)
        first_results = self._schedule.follow(first)
        with ExitStack() as stack:
            sinks = self._outputs.open(first, list(self._tallies), stack)
            finished = True
            try:
                self._follow(first, first_results, sinks)
            except KeyboardInterrupt:
                finished = False
            if self._frames.goes_on:
                self._outputs.film_goes_on()
        if finished:
            self._warn_of_those_never_seen()
        return finished

    @property
    def summary(self) -> str:
        """How many frames, how fast, how sure, and where they went."""
        words = _frames(self.count)
        if not self.count:
            return f"{words}; nothing was written"
        if self.count > 1:
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
            task = progress.add_task("tracking", total=self._frames.frame_count)
            self._write(first, first_results, sinks)
            progress.advance(task)
            for frame in self._frames:
                self._write(frame, self._schedule.follow(frame), sinks)
                self._seconds = time.perf_counter() - started
                progress.advance(task)

    def _write(self, frame: Frame, results: Results, sinks: list[Sink]) -> None:
        for sink in sinks:
            sink(frame, results)
        for target_id, result in results.items():
            self._tallies[target_id].add(result)
        self.count += 1

    def _warn_of_those_never_seen(self) -> None:
        ids = [str(mark.id) for mark in self._schedule.waiting]
        if ids:
            others = len(ids) - _NAMED_AT_MOST
            named = ", ".join(ids[:_NAMED_AT_MOST]) + (f" and {others} others" if others > 0 else "")
            warnings.warn(
                f"never followed, as the source ends before their first frame: target {named}",
                VideoWarning,
                stacklevel=2,
            )


class _Schedule:
    """Lets the tracker take up and let go targets when their time has come.

    Args:
        tracker: without targets yet.
        marks: the targets.

    Attributes:
        waiting: targets whose first frame has not come yet, the next one first.
    """

    def __init__(self, tracker: MultiTracker, marks: Sequence[TargetMark]) -> None:
        self.waiting = deque(sorted(marks, key=lambda mark: mark.first_frame or 0))
        self._tracker = tracker
        self._followed: list[TargetMark] = []

    def follow(self, frame: Frame) -> dict[TargetId, TrackResult]:
        """Results of the targets that are followed in this frame; those marked in it are as given."""
        self._let_go(frame.index)
        results = self._tracker.update(frame.image)
        while self.waiting and (self.waiting[0].first_frame or 0) <= frame.index:
            mark = self.waiting.popleft()
            self._tracker.add(frame.image, mark.box_xywh, mark.id)
            self._followed.append(mark)
            results[mark.id] = self._tracker.latest[mark.id]
        return results

    def _let_go(self, frame_index: int) -> None:
        over = [m for m in self._followed if m.last_frame is not None and m.last_frame < frame_index]
        for mark in over:
            self._tracker.remove(mark.id)
            self._followed.remove(mark)


@dataclass(slots=True)
class _Tally:
    """What is summed up of one target."""

    frames: int = 0
    lost: int = 0
    predicted_iou_sum: float = 0.0

    def add(self, result: TrackResult) -> None:
        # The first box was given, not found.
        self.predicted_iou_sum += result.predicted_iou if self.frames else 0.0
        self.frames += 1
        self.lost += result.state is TargetState.LOST

    @property
    def verdict(self) -> str:
        """To be appended to the number of frames; empty for a target that was never found, only given."""
        words = f", lost in {self.lost}" if self.lost else ""
        if self.frames > 1:
            words += f", mean predicted overlap {self.predicted_iou_sum / (self.frames - 1):.2f}"
        return words


def _frames(number: int) -> str:
    return "1 frame" if number == 1 else f"{number} frames"
