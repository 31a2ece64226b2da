"""Tables of numbers as tracking data sets write them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError


def read_numbers(path: Path, columns: int) -> npt.NDArray[np.float64]:
    """Read a table with commas, tabs or spaces between the numbers of a row.

    Args:
        path: a text file.
        columns: numbers in a row; a file with a single row is taken as one column if this is 1.

    Returns:
        `(rows, columns)`.

    Raises:
        DataError: the file is missing or not such a table; the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").replace(",", " ").replace("\t", " ")
        values = np.array(text.split(), dtype=np.float64)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path}: expected rows of {columns} numbers: {error}") from error
    if len(values) % columns:
        raise DataError(f"{path}: expected rows of {columns} numbers, got {len(values)} numbers in all")
    return values.reshape(-1, columns)
