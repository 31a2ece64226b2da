"""What lies at a path, where the path may be one that cannot even be asked about.

`Path.exists` and its kin raise for a name that is too long, or in a folder that may not be searched. Here
such a path counts as nothing there: what needs it later says what is wrong, as one of our errors.
"""

import errno
import os
from pathlib import Path


def exists(path: Path) -> bool:
    """Whether anything that can be reached lies at `path`."""
    return os.path.exists(path)  # noqa: PTH110 - does not raise


def is_file(path: Path) -> bool:
    """Whether a file that can be reached lies at `path`."""
    return os.path.isfile(path)  # noqa: PTH113 - does not raise


def is_folder(path: Path) -> bool:
    """Whether a folder that can be reached lies at `path`."""
    return os.path.isdir(path)  # noqa: PTH112 - does not raise


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
