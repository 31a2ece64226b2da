"""Which targets `aiatrack track` is to follow: read from options and files, checked against the film."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from aiatrack.boxes import check_box_xywh
from aiatrack.crop import crop_window
from aiatrack.errors import BoxError, DataError, SettingsError

TargetId = int | str
Box = tuple[float, float, float, float]
"""left, top, width, height, px of the frame."""

_COLUMNS = ("id", "frame", "x", "y", "w", "h")
_LAST_COLUMN = "last"
_WRITTEN_COLUMNS = frozenset({"time", "score"})
"""Columns of CSV and keys of JSON lines that only files written by `--save-boxes` have."""
_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class TargetMark:
    """A target, as it was marked; several of one id, in different frames, correct one another.

    Attributes:
        id: what it is called.
        box_xywh: left, top, width, height in pixels of its first frame.
        first_frame: index of that frame in the source; None for the first frame that is tracked.
        last_frame: index of the last frame in which it is followed, unless it is marked again before; None
            for the source's last.
        origin: where it was marked, for messages.
    """

    id: TargetId
    box_xywh: Box
    first_frame: int | None
    last_frame: int | None
    origin: str


def parse_box(text: str) -> Box:
    """Read `X,Y,WIDTH,HEIGHT`.

    Raises:
        BoxError: not four numbers.
    """
    try:
        x, y, width, height = (float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise BoxError(
            f"--box takes X,Y,WIDTH,HEIGHT in pixels, such as 120,80,64,48; got {text!r:.80}"
        ) from error
    return x, y, width, height


def read_marks(options: Sequence[str], file: Path | None) -> list[TargetMark]:
    """Read targets from `--box [NAME=]X,Y,WIDTH,HEIGHT` and from `--boxes FILE`.

    Args:
        options: of `--box`, in order. Those without a name are numbered, from the lowest free number.
        file: `.jsonl` with `{"id", "frame", "box": [x, y, w, h]}` and perhaps `"last"` a line; anything else
            is CSV with the columns id, frame, x, y, w, h and perhaps last, under a header. An id may come
            again in a later frame.

    Raises:
        BoxError: a box, name or line is malformed, or one id is marked twice in one frame; the message says
            where.
        DataError: the file cannot be read, or marks no target.
    """
    named = [_parse_option(text) for text in options]
    from_file = [] if file is None else list(_read_file(file))
    taken = {name for name, _ in named if name is not None} | {mark.id for mark in from_file}
    free = (number for number in count(1) if number not in taken)
    from_options = [
        TargetMark(next(free) if name is None else name, box, None, None, f"--box {text}")
        for text, (name, box) in zip(options, named, strict=True)
    ]
    marks = from_options + from_file
    _check_frames((mark, mark.first_frame) for mark in marks)
    return marks


def mark_boxes(boxes: Iterable[Box], origin: str) -> list[TargetMark]:
    """Number boxes in the first frame from 1."""
    return [TargetMark(number, box, None, None, origin) for number, box in enumerate(boxes, start=1)]


def check_marks(
    marks: Iterable[TargetMark], first_frame: int, width: int, height: int, search_factor: float
) -> None:
    """Hold targets against the film, all of whose frames have one size, before anything is written.

    Args:
        marks: the targets.
        first_frame: index of the first frame that is tracked.
        width: of the frames, px.
        height: of the frames, px.
        search_factor: side of a search region over the box's geometric mean side.

    Raises:
        BoxError: a box has no area, lies outside the frame, or is too large or small to be searched
            around, or a target is marked twice in one frame; the message names target and frame.
        SettingsError: a target begins before the first frame.
    """
    beginnings = [(m, first_frame if m.first_frame is None else m.first_frame) for m in marks]
    _check_frames(beginnings)
    for mark, begins in beginnings:
        if begins < first_frame:
            raise SettingsError(
                f"{mark.origin}: target {mark.id} begins in frame {begins}, before the first frame that is "
                f"tracked, {first_frame}: begin earlier (--start), or mark it in a later frame"
            )
        try:
            box_xywh = check_box_xywh(mark.box_xywh, width, height)
            # What the region is resized to has no part in whether it can be cut.
            crop_window(box_xywh, search_factor, size=1)
        except BoxError as error:
            raise BoxError(f"{mark.origin}: target {mark.id} in frame {begins}: {error}") from error


def _parse_option(text: str) -> tuple[TargetId | None, Box]:
    name, equals, numbers = text.rpartition("=")
    return (_parse_id(name, "--box") if equals else None), parse_box(numbers)


def _parse_id(value: Any, where: str) -> TargetId:
    """A whole number, or a name; text of digits alone is a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not text or not text.isprintable():
        raise BoxError(
            f"{where}: the id of a target is a number or a name that can be printed; got {value!r}"
        )
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else text


def _check_frames(beginnings: Iterable[tuple[TargetMark, int | None]]) -> None:
    """Refuse two marks of one target in one frame."""
    first: dict[tuple[TargetId, int | None], TargetMark] = {}
    for mark, begins in beginnings:
        same = first.setdefault((mark.id, begins), mark)
        if same is not mark:
            raise BoxError(
                f"{mark.origin}: target {mark.id} was marked already ({same.origin}), in the same frame: "
                "give every target an id of its own, and correct one in a later frame"
            )


def _read_file(path: Path) -> Iterator[TargetMark]:
    is_empty = True
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = _json_entries if path.suffix.lower() == ".jsonl" else _csv_entries
            for number, entry in reader(file, path):
                is_empty = False
                yield _to_mark(entry, f"{path}, line {number}")
    except OSError as error:
        raise DataError(f"cannot read boxes from {path}: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file: expected {_csv_header()} and a target a line") from error
    if is_empty:
        raise DataError(f"{path} marks no target: expected {_csv_header()} and a target a line")


def _csv_header() -> str:
    return f"a line {','.join(_COLUMNS)}[,{_LAST_COLUMN}]"


def _csv_entries(file: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.reader(file)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        _refuse_written(header, path)
        wrong = set(header) - {*_COLUMNS, _LAST_COLUMN}
        if wrong or not set(_COLUMNS) <= set(header) or len(set(header)) < len(header):
            raise DataError(f"{path}, line 1: expected {_csv_header()}; got {','.join(header)!r:.80}")
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise BoxError(f"{path}, line {rows.line_num}: expected {len(header)} cells, got {len(row)}")
            entry: dict[str, Any] = dict(zip(header, row, strict=True))
            yield rows.line_num, entry | {"box": [entry[side] for side in "xywh"]}
    except csv.Error as error:
        raise BoxError(f"{path}, line {rows.line_num}: not CSV: {error}") from error


def _json_entries(file: Iterable[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    expected = 'an object {"id": ..., "frame": ..., "box": [x, y, w, h]}, perhaps with "last"'
    known = {"id", "frame", "box"}
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BoxError(f"{path}, line {number}: expected {expected}; this is not JSON") from error
        if isinstance(entry, dict):
            _refuse_written(entry, path)
        if not isinstance(entry, dict) or not known <= entry.keys() <= known | {_LAST_COLUMN}:
            raise BoxError(f"{path}, line {number}: expected {expected}; got {line.strip()!r:.80}")
        yield number, entry


def _refuse_written(names: Iterable[str], path: Path) -> None:
    if set(names) >= _WRITTEN_COLUMNS:
        raise DataError(
            f"{path} was written by --save-boxes, with a box for every frame: keep the lines of those frames "
            "in which targets are to be marked, and of each line id, frame and box (CSV: id,frame,x,y,w,h)"
        )


def _to_mark(entry: dict[str, Any], where: str) -> TargetMark:
    target_id = _parse_id(entry["id"], where)
    frame = _parse_frame(entry["frame"], f"{where}: the first frame of target {target_id}")
    last = None
    if entry.get(_LAST_COLUMN) not in (None, ""):
        last = _parse_frame(entry[_LAST_COLUMN], f"{where}: the last frame of target {target_id}")
        if last < frame:
            raise BoxError(f"{where}: target {target_id} ends in frame {last}, before it begins in {frame}")
    return TargetMark(
        target_id, _parse_sides(entry["box"], f"{where}: target {target_id}"), frame, last, where
    )


def _parse_frame(value: Any, what: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise BoxError(f"{what} is a whole number from 0; got {value!r}")
    return int(text)


def _parse_sides(values: Any, what: str) -> Box:
    try:
        # A text or an object would be taken apart into letters or keys.
        if not isinstance(values, list) or any(isinstance(value, bool) for value in values):
            raise TypeError
        x, y, width, height = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise BoxError(f"{what}: a box is four numbers x, y, w, h in pixels; got {values!r:.80}") from error
    if not all(math.isfinite(side) for side in (x, y, width, height)) or width <= 0 or height <= 0:
        raise BoxError(f"{what}: a box is finite and has a positive width and height; got {values!r:.80}")
    return x, y, width, height
