"""Whole files that appear complete or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiatrack.errors import OutputError


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, which becomes `path` when the block ends without error.

    Raises:
        OutputError: the folder or file cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        # Temporary files are private; results are as readable as any other new file.
        temporary.chmod(0o666 & ~_umask())
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file at once, UTF-8 with Unix line ends.

    Raises:
        OutputError: it cannot be written.
    """
    with replace_file(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
