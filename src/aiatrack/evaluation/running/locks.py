"""Locks on a folder that the operating system lets go of when their holder dies, however it dies."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from aiatrack.errors import OutputError

# Windows has no such locks; there nothing keeps two runs apart.
fcntl: ModuleType | None
try:
    import fcntl
except ImportError:
    fcntl = None

_POLL_SECONDS = 0.05


@contextmanager
def hold_lock(path: Path, *, shared: bool = False, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: of the lock's file, which is made and stays.
        shared: with others who share it, or else alone.
        patience_s: how long to wait for it.

    Raises:
        OutputError: somebody else holds it, or the file cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    try:
        _acquire(handle, path, shared=shared, deadline=time.monotonic() + patience_s)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, *, shared: bool, deadline: float) -> None:
    if fcntl is None:
        return
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise OutputError(
                    f"another evaluation is writing to {path.parent}: wait for it, or give another folder"
                ) from error
            time.sleep(_POLL_SECONDS)
        else:
            return
