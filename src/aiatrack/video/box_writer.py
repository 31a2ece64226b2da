"""Boxes to text, CSV or JSON lines, on disk row by row."""

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from aiatrack.errors import OutputError
from aiatrack.video.output_path import check_output_path, output_error


@dataclass(frozen=True, slots=True)
class BoxRow:
    """One line of a result.

    Attributes:
        frame: index of the frame in its source, from 0.
        time_s: presentation time in seconds.
        box_xywh: left, top, width, height in pixels of the frame; NaN where the target has no box.
        score: confidence, or None where there is none, as in the first frame.
    """

    frame: int
    time_s: float
    box_xywh: tuple[float, float, float, float]
    score: float | None


class BoxWriter(ABC):
    """Context manager that writes `BoxRow`s; each is handed to the system as it comes, so a crash loses none.

    Args:
        path: file to write; an existing one is replaced.

    Raises:
        OutputError: the file cannot be opened.
    """

    header: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise output_error(path, error) from error
        if self.header is not None:
            self._write_line(self.header)

    @abstractmethod
    def format_row(self, row: BoxRow) -> str:
        """The line for `row`, without its end."""

    def write(self, row: BoxRow) -> None:
        """Write one row.

        Raises:
            OutputError: the writer is closed, or the disk is full or gone.
        """
        if self._file.closed:
            raise OutputError(f"{self.path} is closed; write before leaving the `with` block")
        self._write_line(self.format_row(row))

    def _write_line(self, line: str) -> None:
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            self._abandon()
            raise output_error(self.path, error) from error

    def _abandon(self) -> None:
        """Close although the buffer cannot be written; the error that led here is the one to tell."""
        try:
            self._file.close()
        except OSError:
            return

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        try:
            self._file.close()
        except OSError as error:
            raise output_error(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class TextBoxWriter(BoxWriter):
    """`x,y,w,h` with four decimals, as benchmarks read it; `nan` where there is no box."""

    def format_row(self, row: BoxRow) -> str:
        """See `BoxWriter`."""
        return ",".join(f"{value:.4f}" for value in row.box_xywh)


class CsvBoxWriter(BoxWriter):
    """`frame,time,x,y,w,h,score` under a header; cells without a value stay empty."""

    header = "frame,time,x,y,w,h,score"

    def format_row(self, row: BoxRow) -> str:
        """See `BoxWriter`."""
        line = io.StringIO()
        values = (*row.box_xywh, row.score)
        cells = ["" if value is None or math.isnan(value) else f"{value:.4f}" for value in values]
        csv.writer(line, lineterminator="").writerow([row.frame, f"{row.time_s:.6f}", *cells])
        return line.getvalue()


class JsonLinesBoxWriter(BoxWriter):
    """One object a line: `frame`, `time`, `box` (four numbers or null), `score` (number or null)."""

    def format_row(self, row: BoxRow) -> str:
        """See `BoxWriter`."""
        absent = any(math.isnan(value) for value in row.box_xywh)
        score = row.score
        return json.dumps(
            {
                "frame": row.frame,
                "time": round(row.time_s, 6),
                "box": None if absent else [round(float(value), 4) for value in row.box_xywh],
                "score": None if score is None or math.isnan(score) else round(float(score), 4),
            }
        )


_WRITERS: dict[str, type[BoxWriter]] = {
    ".txt": TextBoxWriter,
    ".csv": CsvBoxWriter,
    ".jsonl": JsonLinesBoxWriter,
}


def open_box_writer(path: str | PathLike[str], *, inputs: Iterable[Path] = ()) -> BoxWriter:
    """Open a file for boxes, its format chosen by the ending.

    Args:
        path: `.txt` (`x,y,w,h`), `.csv` (with header) or `.jsonl`; an existing file is replaced.
        inputs: files that this run reads, which are never overwritten.

    Raises:
        OutputError: unknown ending, not writable, or the output is an input.
    """
    target = Path(path).expanduser()
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise OutputError(f"cannot write boxes to {target}: the name must end in {', '.join(_WRITERS)}")
    check_output_path(target, inputs)
    return writer(target)
