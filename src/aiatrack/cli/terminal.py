"""What the commands share of the terminal: lines, warnings, progress, signals."""

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

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
from rich.table import Table
from rich.text import Text

_LONGEST_LINE, _TABLE_SLACK = 10_000, 4
"""Letters."""

if os.environ.get("COLUMNS", "").isdigit() and not int(os.environ["COLUMNS"]):
    # Rich would print everything into no columns. It reads this whenever a console is made.
    del os.environ["COLUMNS"]

console = Console()
errors = Console(stderr=True)


def prepare_streams() -> None:
    """Make standard output and error fit to be printed to, whatever they were opened as.

    One that is closed leads nowhere: a file that is opened later would take its number, and what is printed.
    Letters that standard output cannot encode become question marks; Python sees to those of errors.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def give_up_broken_output() -> OSError | None:
    """Why standard output takes nothing, as on a full disk; None where it does.

    If it is broken, what waits to be printed is dropped: Python would try, and fail, again as it ends.
    """
    try:
        # Where nothing is buffered, nothing is left that could fail again.
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        _lead_nowhere(sys.stdout)
        return error
    return None


@contextmanager
def _unless_broken() -> Iterator[None]:
    """Print to standard error; where that is broken, nobody can be told, and the exit code has to do."""
    try:
        yield
    except OSError:
        _lead_nowhere(sys.stderr)


def _lead_nowhere(stream: TextIO) -> None:
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def print_line(message: str, *, aside: bool = False) -> None:
    """Print a line as it is: file names in it are never markup, and nothing is wrapped.

    To standard output; or `aside`, to standard error, where that is taken by an output.
    """
    _print_plain(errors if aside else console, message)


def print_error(message: str) -> None:
    """Print `error: ...` as one line to standard error."""
    with _unless_broken():
        _print_plain(errors, message, Text("error: ", style="bold red"))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each warning as one line to standard error, without the place in the code that gave it."""

    def show(message: Warning | str, *_place: object, **_more: object) -> None:
        with _unless_broken():
            _print_plain(errors, str(message), Text("warning: ", style="bold yellow"))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _print_plain(target: Console, message: str, *before: Text) -> None:
    # Names of files need not be valid text, nor does every terminal have all letters.
    printable = message.encode(target.encoding, "backslashreplace").decode(target.encoding)
    line = " ".join(part.strip() for part in printable.splitlines())
    target.print(*before, Text(line), sep="", soft_wrap=True)


def print_table(table: Table) -> None:
    """Print a table to standard output, on lines longer than the terminal's where they do not fit.

    Rich would cut cells off, and of a number no one can tell.
    """
    whole = console.measure(table, options=console.options.update(width=_LONGEST_LINE))
    # Near its least width a table's last columns are still cut.
    if whole.minimum + _TABLE_SLACK <= console.width:
        console.print(table)
    else:
        Console(width=whole.maximum).print(table)


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Frames per second since the start, steadier than the latest speed."""
        if not task.completed or not task.elapsed:
            return Text("", style="progress.data.speed")
        return Text(f"{task.completed / task.elapsed:.0f} frames/s", style="progress.data.speed")


def frame_progress() -> Progress:
    """Progress over frames: speed and time left. Silent where standard error is not a terminal."""
    return _progress(_RateColumn(), TimeRemainingColumn())


def step_progress() -> Progress:
    """Progress over steps that have names. Silent where standard error is not a terminal."""
    return _progress(TimeRemainingColumn())


def _progress(*further: ProgressColumn) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *further,
        console=errors,
        disable=not errors.is_terminal,
    )
