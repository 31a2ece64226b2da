"""One worker: builds its tracker, then runs the sequences that it is given."""

import time
import traceback
from collections.abc import Callable

from aiatrack.errors import AiATrackError
from aiatrack.evaluation.running.sequence_run import SequenceRun, SequenceTask, run_sequence
from aiatrack.evaluation.running.threads import set_threads
from aiatrack.evaluation.running.tracker import TrackerFactory

Progress = Callable[[int], None]
"""Takes the number of frames done of the present sequence."""

_PROGRESS_INTERVAL_S = 0.2
_TRACEBACK_LINES = 12


class SequenceWorker:
    """A tracker in a process of its own.

    Args:
        factory: what to build.
        threads: how many the tracker may use.

    Raises:
        AiATrackError: it cannot be built.
    """

    def __init__(self, factory: TrackerFactory, threads: int) -> None:
        set_threads(threads)
        self._tracker = factory.build()
        set_threads(threads)

    def run(
        self, task: SequenceTask, report: Progress | None = None, check: Callable[[], None] | None = None
    ) -> SequenceRun:
        """Run a sequence.

        Args:
            task: the sequence.
            report: told of the progress a few times a second.
            check: called before every frame; it may raise to give up.
        """
        last_report = 0.0

        def before_frame(index: int) -> None:
            nonlocal last_report
            if check is not None:
                check()
            if report is not None and time.monotonic() - last_report > _PROGRESS_INTERVAL_S:
                last_report = time.monotonic()
                report(index)

        return run_sequence(self._tracker, task, before_frame)


def describe_crash(error: BaseException) -> str:
    """What to tell the user: our own errors by their message, anything else by the end of its traceback."""
    if isinstance(error, AiATrackError):
        return str(error)
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip().split("\n")
    return "\n".join(lines[-_TRACEBACK_LINES:])
