"""Paths of training data that cannot even be asked about."""

from pathlib import Path

from aiatrack.errors import DataError
from aiatrack.paths import why_unreachable


def check_reachable(path: Path) -> None:
    """Refuse a path that cannot be asked about; that nothing lies there is for its reader to say.

    Raises:
        DataError: its name is too long, or it lies in a folder that may not be searched.
    """
    if unreachable := why_unreachable(path):
        raise DataError(f"cannot read {path}{unreachable}: check the path and its permissions")
