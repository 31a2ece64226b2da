"""Locks on a folder that the operating system lets go of when their holder dies, however it dies."""

import errno
import os
import time
import warnings
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
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What file systems without such locks answer, as those of networks and clusters may be."""


@contextmanager
def hold_lock(path: Path, *, shared: bool = False, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a lock while the block runs; where the file system has none, go on without, with a warning.

    Args:
        path: of the lock's file, which is made and stays.
        shared: with others who share it, or else alone.
        patience_s: how long to wait for it.

    Raises:
        OutputError: somebody else holds it, or the file cannot be made or locked.
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
    while not _try_to_lock(handle, path, shared=shared):
        if time.monotonic() >= deadline:
            raise OutputError(
                f"another evaluation is writing to {path.parent}: wait for it, or give another folder"
            )
        time.sleep(_POLL_SECONDS)


def _try_to_lock(handle: int, path: Path, *, shared: bool) -> bool:
    """Whether the file is locked now, as far as it can be; False while somebody else holds it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise OutputError(f"cannot lock {path}: {error.strerror}; give another folder") from error
        # Workers share their lock; their runner has said so before.
        if not shared:
            warnings.warn(
                f"{path.parent} cannot be locked (its file system has no locks): never run two evaluations "
                "into it at once",
                stacklevel=2,
            )
    return True
