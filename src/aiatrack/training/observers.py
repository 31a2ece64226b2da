"""Who watches a run: the interface, the JSON-lines journal and TensorBoard."""

import json
from pathlib import Path

from aiatrack.atomic_files import write_text
from aiatrack.errors import MissingExtraError, OutputError
from aiatrack.training.writing import writing_to


class Observer:
    """Told what happens in a run, in its first process only. Does nothing; subclass what you need."""

    def on_start(self, step: int, steps: int) -> None:
        """The run starts, or goes on, at `step` of `steps`."""

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Means since the last call: losses, IoU, learning rates, speed."""

    def on_scores(self, step: int, scores: dict[str, float]) -> None:
        """A validation has ended."""

    def on_file(self, step: int, path: Path) -> None:
        """A checkpoint, picture or weights file has been written."""

    def on_end(self, step: int) -> None:
        """The run has reached its last step."""


class MetricsJournal(Observer):
    """Appends each event as one line of JSON; on resuming, drops what came after the checkpoint.

    Its methods raise `OutputError` where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_start(self, step: int, steps: int) -> None:
        """Keep the lines up to `step`, whole ones only."""
        try:
            kept = [line for line in self._lines() if _step_of(line) <= step]
        except OSError as error:
            raise OutputError(f"cannot read {self._path}: {error.strerror}") from error
        write_text(self._path, "".join(line + "\n" for line in kept))

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Append the metrics."""
        self._append({"step": step, **metrics})

    def on_scores(self, step: int, scores: dict[str, float]) -> None:
        """Append the scores under `validation`."""
        self._append({"step": step, "validation": scores})

    def _lines(self) -> list[str]:
        if not self._path.exists():
            return []
        whole, newline, _ = self._path.read_text(encoding="utf-8").rpartition("\n")
        return whole.split("\n") if newline else []

    def _append(self, record: dict[str, object]) -> None:
        with writing_to(self._path), self._path.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(record) + "\n")


class TensorBoardLog(Observer):
    """Curves for TensorBoard. Its methods raise `OutputError` where the folder cannot be written.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("TensorBoard is missing: pip install 'aiatrack[train]'") from error
        self._folder = folder
        self._open = SummaryWriter
        self._writer: SummaryWriter | None = None

    def on_start(self, step: int, steps: int) -> None:
        """Open the event file; a curve goes on from `step`."""
        with writing_to(self._folder):
            self._writer = self._open(str(self._folder), purge_step=step + 1)

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Add a point to each metric's curve."""
        self._add("train", step, metrics)

    def on_scores(self, step: int, scores: dict[str, float]) -> None:
        """Add a point to each score's curve."""
        self._add("validation", step, scores)

    def on_end(self, step: int) -> None:
        """Close the event file."""
        if self._writer is not None:
            with writing_to(self._folder):
                self._writer.close()

    def _add(self, group: str, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            if self._writer is not None:
                with writing_to(self._folder):
                    self._writer.add_scalar(f"{group}/{name}", value, step)


def _step_of(line: str) -> int:
    return int(json.loads(line)["step"])
