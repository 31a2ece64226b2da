"""What settings, kept as plain data, differ in."""

from collections.abc import Iterator
from typing import Any


def list_differences(old: Any, new: Any, *, absent: Any = None) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, old and new value of each setting that differs, in the order of `old`, then of `new`.

    Mappings, and lists of one length, are compared entry by entry; names are then such as
    `data.sources.0.path`.

    Args:
        old: the settings.
        new: the settings to compare them with.
        absent: stands for the value of a name that one of the two lacks. With None, a setting that another
            version of this package does not know is the same as one that is not set.
    """
    return _below("", old, new, absent)


def _below(name: str, old: Any, new: Any, absent: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        old, new = dict(enumerate(old)), dict(enumerate(new))
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            inner = f"{name}.{key}" if name else str(key)
            yield from _below(inner, old.get(key, absent), new.get(key, absent), absent)
    elif old != new:
        yield name, old, new
