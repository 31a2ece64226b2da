"""What the commands share of the terminal: lines, warnings, progress, signals."""

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
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


def print_line(message: str, *, aside: bool = False) -> None:
    """Print a line as it is: file names in it are never markup, and nothing is wrapped.

    To standard output; or `aside`, to standard error, where that is taken by an output.
    """
    _print_plain(errors if aside else console, message)


def print_error(message: str) -> None:
    """Print `error: ...` as one line to standard error."""
    _print_plain(errors, message, Text("error: ", style="bold red"))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each warning as one line to standard error, without the place in the code that gave it."""

    def show(message: Warning | str, *_place: object, **_more: object) -> None:
        _print_plain(errors, str(message), Text("warning: ", style="bold yellow"))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _print_plain(target: Console, message: str, *before: Text) -> None:
    # Names of files need not be valid text, nor does every terminal have all letters.
    printable = message.encode(target.encoding, "backslashreplace").decode(target.encoding)
    line = " ".join(part.strip() for part in printable.splitlines())
    target.print(*before, Text(line), sep="", soft_wrap=True)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Frames per second since the start, steadier than the latest speed."""
        if not task.completed or not task.elapsed:
            return Text("", style="progress.data.speed")
        return Text(f"{task.completed / task.elapsed:.0f} frames/s", style="progress.data.speed")


def frame_progress() -> Progress:
    """Progress over frames: speed and time left. Silent where standard error is not a terminal."""
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


def step_progress() -> Progress:
    """Progress over steps that have names. Silent where standard error is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
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
