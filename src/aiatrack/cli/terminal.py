"""What the commands share of the terminal: consoles, progress, signals."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

console = Console()
errors = Console(stderr=True)

STOPPED_EXIT_CODE = 130
"""What shells expect of a command that Ctrl-C ended."""


class _RateColumn(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Frames per second since the start, steadier than the latest speed."""
        if not task.completed or not task.elapsed:
            return Text("", style="progress.data.speed")
        return Text(f"{task.completed / task.elapsed:.0f} frames/s", style="progress.data.speed")


def frame_progress() -> Progress:
    """Progress over frames: speed and time left. Silent where the output is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=not errors.is_terminal,
    )


@contextmanager
def interrupted_by_termination() -> Iterator[None]:
    """Let SIGTERM end a job as Ctrl-C does, so that its files are closed."""

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
