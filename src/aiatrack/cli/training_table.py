"""A training run as a table in the terminal: one line for each report, no more."""

from pathlib import Path

from accelerate import PartialState
from rich.console import Console

from aiatrack.training import Observer

_COLUMNS = {
    "total": "loss",
    "giou": "giou",
    "l1": "l1",
    "iou": "iou head",
    "mean_iou": "mean IoU",
    "gradient_norm": "gradient",
    "learning_rate": "rate",
    "samples_per_second": "samples/s",
}
_LINES_PER_HEADER = 20


class TrainingTable(Observer):
    """Prints a line of metrics as it comes, and a header every so often: readable in a log file too."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0
        self._lines = 0

    def on_start(self, step: int, steps: int) -> None:
        """Say where the run begins, and how many processes share it if it is more than one."""
        self._steps = steps
        processes = PartialState().num_processes
        shared = f" in {processes} processes" if processes > 1 else ""
        self._console.print(f"training from step {step} to {steps}{shared}", highlight=False)

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """Print one line."""
        if self._lines % _LINES_PER_HEADER == 0:
            header = "".join(f"{title:>11}" for title in _COLUMNS.values())
            self._console.print(f"{'step':>15}{header}", style="bold", soft_wrap=True)
        self._lines += 1
        cells = "".join(f"{metrics.get(name, float('nan')):>11.4g}" for name in _COLUMNS)
        self._console.print(f"{step:>7}/{self._steps:<7}{cells}", highlight=False, soft_wrap=True)

    def on_scores(self, step: int, scores: dict[str, float]) -> None:
        """Print a validation's scores."""
        listed = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
        self._console.print(f"{step:>7} validation: {listed}", style="green", highlight=False, soft_wrap=True)

    def on_file(self, step: int, path: Path) -> None:
        """Say that weights were written; checkpoints and pictures come too often to tell."""
        if path.suffix == ".safetensors":
            self._console.print(f"{step:>7} wrote {path}", highlight=False, soft_wrap=True)
