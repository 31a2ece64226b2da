"""Checks of what callers hand in, shared by the whole room."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError, SettingsError


def check_choice(kind: str, choice: str, choices: Collection[str]) -> None:
    """Make sure that something is known by a name.

    Args:
        kind: what the name is of, for the message.
        choice: the name.
        choices: all names that there are.

    Raises:
        SettingsError: there is none of that name; the message lists those that exist.
    """
    if not isinstance(choice, str) or choice not in choices:
        raise SettingsError(f"there is no {kind} {choice!r}: choose one of {', '.join(choices)}")


def to_numbers(values: npt.ArrayLike, origin: str) -> npt.NDArray[np.float64]:
    """Return what a caller hands in as float64, in the shape that it has.

    Args:
        values: numbers or truth values.
        origin: file or sequence, for messages.

    Raises:
        DataError: text, complex numbers, a value that is masked, or rows of different lengths.
    """
    try:
        numbers: Any = np.ma.asarray(values)
        if np.ma.is_masked(numbers):
            raise TypeError("some are masked")
        if numbers.dtype.kind not in "biufO":  # NumPy would read text and drop imaginary parts
            raise TypeError(f"they are of type {numbers.dtype}")
        return np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise DataError(
            f"{origin}: plain numbers were expected, one row a frame and all rows of one length ({error})"
        ) from error


def check_finite_rows(rows: npt.NDArray[np.float64], origin: str) -> None:
    """Make sure that `(T, C)` rows hold nothing that is NaN or infinite.

    Raises:
        DataError: some do; the message says how many, and which is the first.
    """
    wrong = ~np.isfinite(rows).all(axis=1)
    if wrong.any():
        raise DataError(f"{origin}: {wrong.sum()} rows are not finite, first row {int(wrong.argmax()) + 1}")
