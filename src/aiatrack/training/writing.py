"""Failures to write what does not go through `aiatrack.atomic_files`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiatrack.errors import OutputError


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn a failure of the system inside the block into the package's own.

    Args:
        path: file or folder that the block writes to, for the message.

    Raises:
        OutputError: no permission, no space, or something else in its place.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another folder"
        ) from error
