"""Formats of lines: text, CSV, JSON lines, MOTChallenge. On disk frame by frame."""

import csv
import io
import json
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from aiatrack.errors import OutputError
from aiatrack.video.box_writer import BoxRow, BoxWriter, TargetId, TrackNumbers
from aiatrack.video.output_path import lock, output_error

_NO_BOX = (math.nan,) * 4


class LineFile:
    """A text file whose lines are handed to the system as they come, so that a crash loses none.

    Args:
        path: file to write; an existing one is replaced.

    Raises:
        OutputError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Names with half letters, which UTF-8 lacks, are written as JSON writes them.
            self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise output_error(path, error) from error

    def lock(self) -> bool:
        """Keep other runs from the file until it is closed; False where another run has it."""
        return lock(self._file)

    def write(self, lines: Sequence[str]) -> None:
        """Write whole lines, without their ends.

        Raises:
            OutputError: the file is closed, or the disk is full or gone.
        """
        if self._file.closed:
            raise OutputError(f"{self.path} is closed; write before leaving the `with` block")
        try:
            self._file.write("".join(f"{line}\n" for line in lines))
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
        """Close the file; closing twice is allowed.

        Raises:
            OutputError: the disk is full or gone.
        """
        try:
            self._file.close()
        except OSError as error:
            raise output_error(self.path, error) from error


class LineBoxWriter(BoxWriter):
    """A line for each row, perhaps under a header.

    Args:
        path: file to write; an existing one is replaced.

    Raises:
        OutputError: the file cannot be opened.
    """

    header: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = LineFile(path)
        if self.header is not None:
            self._file.write([self.header])

    @abstractmethod
    def format_row(self, row: BoxRow) -> str | None:
        """The line for `row`, without its end; None for a row that this format leaves out."""

    def write_frame(self, frame: int, time_s: float, rows: Sequence[BoxRow]) -> None:
        """See `BoxWriter`."""
        lines = (self.format_row(row) for row in rows)
        self._file.write([line for line in lines if line is not None])

    def close(self) -> None:
        """See `BoxWriter`."""
        self._file.close()


class TextBoxWriter(LineBoxWriter):
    """`x,y,w,h` of one target, four decimals, a line a frame, as benchmarks read it; `nan` without a box."""

    def write_frame(self, frame: int, time_s: float, rows: Sequence[BoxRow]) -> None:
        """See `BoxWriter`."""
        if len(rows) > 1:
            ids = ", ".join(str(row.id) for row in rows)
            raise OutputError(
                f"{self.path} holds one target, and frame {frame} has {ids}: write .csv instead"
            )
        super().write_frame(frame, time_s, rows or [BoxRow(frame, time_s, _NO_BOX, None)])

    def format_row(self, row: BoxRow) -> str:
        """See `LineBoxWriter`."""
        return ",".join(f"{value:.4f}" for value in (_NO_BOX if row.is_absent else row.box_xywh))


class TextBoxFiles(BoxWriter):
    """A text file for each target, all of them with a line for every frame.

    Args:
        paths: the file of each target; existing ones are replaced.

    Raises:
        OutputError: a file cannot be opened.
    """

    def __init__(self, paths: Mapping[TargetId, Path]) -> None:
        with ExitStack() as opened:
            self._writers = {id: opened.enter_context(TextBoxWriter(path)) for id, path in paths.items()}
            self._opened = opened.pop_all()

    def write_frame(self, frame: int, time_s: float, rows: Sequence[BoxRow]) -> None:
        """See `BoxWriter`."""
        own: dict[TargetId, list[BoxRow]] = {id: [] for id in self._writers}
        for row in rows:
            if row.id not in own:
                raise OutputError(
                    f"no text file was opened for target {row.id!r}: name every target in `ids`"
                )
            own[row.id].append(row)
        for id, writer in self._writers.items():
            writer.write_frame(frame, time_s, own[id])

    def close(self) -> None:
        """See `BoxWriter`."""
        self._opened.close()


class CsvBoxWriter(LineBoxWriter):
    """Ten columns under a header; cells without a value stay empty."""

    header = "frame,time,x,y,w,h,score,id,presence,state"

    def format_row(self, row: BoxRow) -> str:
        """See `LineBoxWriter`."""
        line = io.StringIO()
        numbers = [_cell(value) for value in (*row.box_xywh, row.score)]
        cells = [row.frame, f"{row.time_s:.6f}", *numbers, row.id, _cell(row.presence), row.state]
        csv.writer(line, lineterminator="").writerow(cells)
        return line.getvalue()


class JsonLinesBoxWriter(LineBoxWriter):
    """An object a line: `frame`, `time`, `box` (four numbers or null), `score`, `id`, `presence`, `state`."""

    def format_row(self, row: BoxRow) -> str:
        """See `LineBoxWriter`."""
        return to_json({"frame": row.frame, "time": round(float(row.time_s), 6)} | describe_row(row))


class MotBoxWriter(LineBoxWriter):
    """MOTChallenge: `frame,id,x,y,w,h,conf,-1,-1,-1`, frames and pixels counted from 1, absent rows left out.

    Args:
        path: file to write; an existing one is replaced.
        numbers: of the targets.

    Raises:
        OutputError: the file cannot be opened.
    """

    def __init__(self, path: Path, numbers: TrackNumbers) -> None:
        super().__init__(path)
        self._numbers = numbers

    def format_row(self, row: BoxRow) -> str | None:
        """See `LineBoxWriter`."""
        if row.is_absent:
            return None
        x, y, width, height = row.box_xywh
        cells = (f"{value:.4f}" for value in (x + 1, y + 1, width, height, row.confidence))
        return f"{row.frame + 1},{self._numbers[row.id]},{','.join(cells)},-1,-1,-1"


def describe_row(row: BoxRow) -> dict[str, Any]:
    """A row as JSON has it, without its frame: what is not finite, which JSON lacks, becomes null."""
    absent = any(math.isnan(value) for value in row.box_xywh)
    return {
        "box": None if absent else [round(float(value), 4) for value in row.box_xywh],
        "score": _json_number(row.score),
        "id": row.id,
        "presence": _json_number(row.presence),
        "state": row.state,
    }


def to_json(entry: Mapping[str, Any]) -> str:
    """A line of JSON; NumPy's numbers become Python's.

    Raises:
        OutputError: there is something in it that JSON lacks, such as a time that is not finite.
    """
    try:
        return json.dumps(entry, allow_nan=False, default=np.generic.item)
    except (TypeError, ValueError) as error:
        raise OutputError(
            f"boxes cannot be written as JSON ({error}): give finite times, and numbers or names as ids"
        ) from error


def _cell(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _json_number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 4)
