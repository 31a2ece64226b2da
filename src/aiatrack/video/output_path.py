"""Checks on where results go, the same for films and boxes."""

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from aiatrack.errors import OutputError
from aiatrack.paths import exists, is_file, is_folder, why_unreachable

if sys.platform != "win32":
    import fcntl


def check_output_path(path: Path, inputs: Iterable[Path]) -> None:
    """Make sure that a result can be written to `path` and harms no input; leaves no trace.

    Args:
        path: file to write; it may exist and will then be replaced.
        inputs: files that this run reads.

    Raises:
        OutputError: `path` is an input (also by link), a folder, in a missing folder, or not writable.
    """
    for source in inputs:
        if is_same_file(path, source):
            raise OutputError(
                f"{path} is the input itself and would be overwritten: choose another output name"
            )
    if is_folder(path):
        raise OutputError(f"{path} is a folder: give the name of a file in it")
    if not is_folder(path.parent):
        raise OutputError(
            f"the folder {path.parent} does not exist{why_unreachable(path.parent)}: create it first"
        )
    existed = exists(path)
    if existed and not is_file(path):
        # Opening a pipe to try it would be the end of the file for whoever reads it.
        if not os.access(path, os.W_OK):
            raise output_error(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        return
    try:
        with path.open("ab"):
            pass
        if not existed:
            path.resolve().unlink()  # of a link to nowhere, the file that was made, not the link
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise output_error(path, error) from error


def output_error(path: Path, error: Exception) -> OutputError:
    """The error of our tree for a failed opening or writing of `path`."""
    if getattr(error, "errno", None) == errno.ENOSPC:
        return OutputError(
            f"no space left on the disk of {path}: what was written so far is kept; free some space"
        )
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(f"cannot write {path}: {reason}; check the folder, its permissions and the disk")


def lock(file: IO[Any]) -> bool:
    """Keep other runs from an open file until it is closed; False where another run has it.

    Where there are no such locks, as on Windows and some network disks, nothing is kept from anybody.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


def is_same_file(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, which need not exist."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return path.absolute() == other.absolute()
