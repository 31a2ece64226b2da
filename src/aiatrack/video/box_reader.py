"""Boxes from text files: annotations and results of other trackers."""

import math
import re
from os import PathLike

import numpy as np
import numpy.typing as npt

from aiatrack.errors import BoxError, DataError
from aiatrack.paths import expand_home


def read_boxes_txt(path: str | PathLike[str]) -> npt.NDArray[np.float64]:
    """Read one box `x y w h` a line, parted by commas, tabs, spaces or semicolons.

    Args:
        path: text file. Blank lines are passed over; `nan` marks a frame without a box.

    Returns:
        `(T, 4)` float64 xywh in pixels, one row a frame.

    Raises:
        DataError: the file is missing, no text, or holds no box.
        BoxError: a line is not four numbers; the message names the line.
    """
    source = expand_home(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read boxes from {source}: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{source} is not a text file: expected one box x,y,w,h a line") from error
    except ValueError as error:  # a null character in the name
        raise DataError(f"cannot read boxes from {source}: {error}; check the path") from error
    lines = enumerate(text.splitlines(), start=1)
    boxes = [_parse_box(line, f"{source}, line {number}") for number, line in lines if line.strip()]
    if not boxes:
        raise DataError(f"{source} holds no box: expected one box x,y,w,h a line")
    return np.array(boxes, dtype=np.float64)


def _parse_box(line: str, where: str) -> list[float]:
    cells = re.split(r"\s*[,;]\s*|\s+", line.strip())
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise BoxError(f"{where}: expected four numbers x,y,w,h, got {line.strip()!r:.80}") from error
    if len(values) != 4:
        advice = "; a polygon must be turned into a box first" if len(values) == 8 else ""
        raise BoxError(f"{where}: expected four numbers x,y,w,h, got {len(values)}{advice}")
    if any(math.isinf(value) for value in values):
        raise BoxError(f"{where}: a box must be finite or nan, got {line.strip()!r:.80}")
    return values
