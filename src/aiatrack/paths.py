"""What lies at a path, where the path may be one that cannot even be asked about.

`Path.exists` and its kin raise for a name that is too long, or in a folder that may not be searched. Here
such a path counts as nothing there: what needs it later says what is wrong, as one of our errors.
"""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

AnyPath = str | os.PathLike[str]
"""As people give one; `expand_home` makes it a `Path`."""


def exists(path: Path) -> bool:
    """Whether anything that can be reached lies at `path`."""
    return os.path.exists(path)  # noqa: PTH110 - does not raise


def is_file(path: Path) -> bool:
    """Whether a file that can be reached lies at `path`."""
    return os.path.isfile(path)  # noqa: PTH113 - does not raise


def is_folder(path: Path) -> bool:
    """Whether a folder that can be reached lies at `path`."""
    return os.path.isdir(path)  # noqa: PTH112 - does not raise


def walk_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and all below it, each with the names of its files, in no order.

    Linked folders are followed, as `Path.rglob` does not. Since links may run in circles, each folder comes
    once, whatever leads to it: under its own path below `root` if it has one. What may not be read is passed
    over.
    """
    walked: set[str] = set()
    trees = [root]
    for tree in trees:  # which grows by the links that are met: they come after all that is no link
        for folder, names, files in os.walk(tree):
            resolved = os.path.realpath(folder)
            if resolved in walked:
                names.clear()
                continue
            walked.add(resolved)
            yield Path(folder), files
            trees += [path for name in sorted(names) if (path := Path(folder, name)).is_symlink()]


def expand_home(path: AnyPath) -> Path:
    """`path` with a leading `~` or `~user` replaced by the home folder, where that is known.

    Elsewhere it is returned as it is: a file may be called `~draft.txt`.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user, or no home folder
        return Path(path)


def user_cache() -> Path | None:
    """This package's folder in the user's cache, which need not exist yet; None where there is no home."""
    try:
        return _user_caches() / "aiatrack"
    except RuntimeError:  # of `Path.home`
        return None


def why_unreachable(path: Path) -> str:
    """Why `path` cannot be asked about, such as ` (Permission denied)`, to go behind it in a message.

    Empty where it can: then something lies there, or nothing does.
    """
    try:
        path.stat()
    except OSError as error:
        return "" if error.errno in (errno.ENOENT, errno.ENOTDIR) else f" ({error.strerror})"
    except ValueError as error:  # a null character
        return f" ({error})"
    return ""


def _user_caches() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
