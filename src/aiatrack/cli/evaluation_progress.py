"""Progress of an evaluation on the terminal: the whole and each worker."""

from types import TracebackType

from rich.markup import escape
from rich.progress import TaskID
from typing_extensions import Self

from aiatrack.cli.terminal import errors, frame_progress, print_line
from aiatrack.evaluation.running import Observer
from aiatrack.evaluation.wording import count_sequences


class EvaluationProgress(Observer):
    """Shows what `run_tracker` tells its observer; lines of text where the output is not a terminal.

    Args:
        tracker: what to call it.
    """

    def __init__(self, tracker: str) -> None:
        self._tracker = tracker
        self._progress = frame_progress()
        self._whole: TaskID | None = None
        self._workers: dict[int, TaskID] = {}
        self._frames: dict[int, int] = {}

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def planned(self, sequences: int, frames: int, *, sequences_done: int, frames_done: int) -> None:
        """See `Observer`."""
        resumed = f", {sequences_done} done before" if sequences_done else ""
        print_line(f"{self._tracker}: {count_sequences(sequences)}, {frames} frames{resumed}", aside=True)
        self._whole = self._progress.add_task(self._tracker, total=frames - frames_done)

    def began(self, worker: int, sequence: str, frames: int) -> None:
        """See `Observer`."""
        if worker not in self._workers:
            self._workers[worker] = self._progress.add_task("")
        label = escape(f"  worker {worker}: {sequence}")
        self._progress.reset(self._workers[worker], description=label, total=frames)
        self._frames[worker] = frames

    def advanced(self, worker: int, frames: int) -> None:
        """See `Observer`."""
        self._progress.update(self._workers[worker], completed=frames)

    def finished(self, worker: int, sequence: str) -> None:
        """See `Observer`."""
        self._progress.update(self._workers[worker], completed=self._frames[worker])
        if self._whole is not None:
            self._progress.advance(self._whole, self._frames[worker])

    def crashed(self, worker: int | None, sequence: str, reason: str, *, again: bool) -> None:
        """See `Observer`."""
        verdict = "will be tried again" if again else "given up"
        errors.print(
            f"[bold red]{escape(self._tracker)}: {escape(sequence)} crashed[/], {verdict}: {escape(reason)}",
            highlight=False,
            soft_wrap=True,
        )
