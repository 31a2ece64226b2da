"""Dialects of published result files: how to write boxes so that another toolkit reads them, and back."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiatrack.atomic_files import write_text
from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import FloatArray
from aiatrack.evaluation.checks import check_choice, check_finite_rows, to_numbers
from aiatrack.evaluation.results import find_result_file, read_result_boxes
from aiatrack.paths import AnyPath, expand_home


@dataclass(frozen=True)
class Dialect:
    """One way to write boxes as text."""

    name: str
    delimiter: str = ","
    decimals: int | None = 4
    """Digits after the point; None cuts boxes to integers, as the toolkits that want integers do."""
    prefixed: bool = False
    """File names start with the benchmark's prefix."""
    first_pixel: int = 0
    """Number of the first pixel: what is added to x and y of boxes that count from 0."""

    def format_boxes(self, boxes_xywh: FloatArray, origin: str = "boxes") -> str:
        """Text of one file: a row a frame, Unix line ends.

        Args:
            boxes_xywh: `(T, 4)` pixels counted from 0.
            origin: sequence, for messages.

        Raises:
            DataError: not four plain numbers a row, or a row that is not finite, which no reader would take.
        """
        boxes = to_numbers(boxes_xywh, origin)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise DataError(
                f"{origin}: one row of x, y, w, h a frame was expected; got an array of shape {boxes.shape}"
            )
        check_finite_rows(boxes, origin)
        shifted = np.add(boxes, (self.first_pixel, self.first_pixel, 0, 0))
        if self.decimals is None:
            # Python's integers have no end, at which NumPy's would turn into others.
            return "".join(self.delimiter.join(str(int(n)) for n in row) + "\n" for row in shifted.tolist())
        return "".join(
            self.delimiter.join(f"{n:.{self.decimals}f}" for n in row) + "\n" for row in shifted.tolist()
        )


DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Dialect("plain"),
        Dialect("tab", delimiter="\t"),
        Dialect("space", delimiter=" "),
        Dialect("one_based", first_pixel=1),
        Dialect("pytracking", delimiter="\t", decimals=None),
        Dialect("aiatrack", decimals=None, prefixed=True),
        Dialect("got10k"),
    )
}
"""Dialects by name. `got10k` differs from `plain` in its folders only: `NAME/NAME_001.txt`."""


def select_dialect(name: str) -> Dialect:
    """Return a dialect by name.

    Raises:
        SettingsError: there is no such dialect.
    """
    check_choice("dialect", name, DIALECTS)
    return DIALECTS[name]


def write_results(
    boxes: Mapping[str, FloatArray], folder: AnyPath, dialect: Dialect, *, prefix: str = ""
) -> list[Path]:
    """Write one file a sequence, none before all are found sound.

    Args:
        boxes: `(T, 4)` xywh by sequence name, pixels counted from 0 (or in the benchmark's own count with a
            dialect whose `first_pixel` is 0).
        folder: made if need be.
        dialect: how to write.
        prefix: of the benchmark, used where the dialect wants one.

    Raises:
        DataError: boxes of a sequence are not rows of four finite numbers.
        OutputError: a file cannot be written.
    """
    texts = {}
    for name, sequence_boxes in boxes.items():
        below = (
            f"{name}/{name}_001.txt" if dialect.name == "got10k" else f"{prefix * dialect.prefixed}{name}.txt"
        )
        texts[expand_home(folder) / below] = dialect.format_boxes(sequence_boxes, f"sequence {name}")
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def import_results(
    folder: AnyPath,
    frames: Mapping[str, int],
    *,
    prefix: str = "",
    first_pixel: int = 0,
    partial: bool = False,
) -> dict[str, FloatArray]:
    """Read published results whatever their delimiter, and count pixels from 0.

    Args:
        folder: with one file a sequence.
        frames: how many rows each wanted sequence must have, by its name.
        prefix: what the files may put before a name.
        first_pixel: number of the first pixel in the files, 0 or 1.
        partial: leave out files that are missing or damaged, each with a warning, instead of refusing all.

    Returns:
        `(T, 4)` xywh by name.

    Raises:
        DataError: a file (or, if `partial`, every file) is missing, damaged, or has another number of rows;
            nothing is padded or cut.
    """
    folder, imported = expand_home(folder), {}
    for name, rows in frames.items():
        try:
            boxes = _read_result(folder, name, rows, prefix)
        except DataError as error:
            if not partial:
                raise
            warnings.warn(f"{name} is left out: {error}", stacklevel=2)
        else:
            imported[name] = boxes - (first_pixel, first_pixel, 0, 0)
    if not imported:
        raise DataError(f"{folder} holds no sound result of any of {len(frames)} sequences")
    return imported


def _read_result(folder: Path, name: str, rows: int, prefix: str) -> FloatArray:
    path = find_result_file(folder, name, prefix)
    if path is None:
        raise DataError(f"{folder} holds no result of {name}: {prefix}{name}.txt or {name}.txt was expected")
    return read_result_boxes(path, rows)
