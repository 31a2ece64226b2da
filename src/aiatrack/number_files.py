"""Text files of numbers, one row a frame, in every dialect that benchmarks and trackers write.

The same for benchmarks, results and training data.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError

FloatArray = npt.NDArray[np.float64]

_SHOWN = 60
"""Characters of a faulty line that a message repeats."""


def read_text(path: Path, *, may_be_empty: bool = False) -> str:
    """Read a small text file; a byte-order mark and Windows line ends disappear.

    Raises:
        DataError: missing, unreadable, not text, or empty unless it may be.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file (UTF-8): {error.reason} at byte {error.start}") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
    if not (text or may_be_empty):
        raise DataError(f"{path} is empty: one row of numbers a frame was expected")
    return text


def read_number_rows(path: Path, columns: int | None = None, *, may_end_in_comma: bool = False) -> FloatArray:
    """Read rows of numbers divided by commas, semicolons, tabs or spaces.

    Nothing is guessed or padded: a blank line in the middle, an empty field or a short row is an error,
    since each would shift or invent frames.

    Args:
        path: the file.
        columns: how many numbers a row must hold; None for any, the same in all rows.
        may_end_in_comma: whether a comma or semicolon at the end of a row is no field, as some data sets
            write them.

    Returns:
        `(T, columns)` float64; `nan` stays NaN.

    Raises:
        DataError: missing, empty, not numbers, or rows of another length.
    """
    lines = read_text(path).split("\n")
    blank = next((number for number, line in enumerate(lines, start=1) if not line.strip()), None)
    if blank is not None:
        raise DataError(f"{path}: line {blank} of {len(lines)} is blank; every frame needs its row")
    delimiter = next((mark for mark in (",", ";") if mark in lines[0]), None)
    if may_end_in_comma and delimiter is not None:
        lines = [line.rstrip().removesuffix(delimiter) for line in lines]
    try:
        rows = _parse_rows(lines, delimiter)
    except ValueError as error:
        raise DataError(f"{path} does not hold rows of numbers: {_first_fault(lines, delimiter)}") from error
    if columns is not None and rows.shape[1] != columns:
        raise DataError(f"{path}: {columns} numbers a row were expected, got {rows.shape[1]}")
    return rows


def _parse_rows(lines: list[str], delimiter: str | None) -> FloatArray:
    return np.loadtxt(lines, delimiter=delimiter, ndmin=2, comments=None, dtype=np.float64)


def _first_fault(lines: list[str], delimiter: str | None) -> str:
    """What is wrong with the first line that cannot follow those before it."""
    expected = 0
    for number, line in enumerate(lines, start=1):
        try:
            columns = _parse_rows([line], delimiter).shape[1]
        except ValueError:
            return f"line {number} is {line[:_SHOWN]!r}, where only numbers were expected"
        expected = expected or columns
        if columns != expected:
            return f"line {number} has {columns} columns, where {expected} were expected as in line 1"
    return "its lines do not fit together"


def read_numbers(path: Path, *, may_be_empty: bool = False) -> FloatArray:
    """Read all numbers of a file in order, whatever its rows: `(N,)` float64.

    Raises:
        DataError: missing, not numbers, or empty unless it may be.
    """
    numbers: list[float] = []
    for number, line in enumerate(read_text(path, may_be_empty=may_be_empty).split("\n"), start=1):
        try:
            numbers += [float(part) for part in line.replace(",", " ").replace(";", " ").split()]
        except ValueError as error:
            raise DataError(
                f"{path} does not hold numbers: line {number} is {line[:_SHOWN]!r}, where only numbers were "
                "expected"
            ) from error
    return np.array(numbers, dtype=np.float64)
