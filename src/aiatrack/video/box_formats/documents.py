"""Formats that are one document, such as XML: rows go to a journal first, the document is made at the end."""

import json
import math
import shlex
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from aiatrack.atomic_files import replace_file
from aiatrack.errors import DataError, OutputError
from aiatrack.paths import exists, is_file
from aiatrack.video.box_formats.lines import LineFile, describe_row, to_json
from aiatrack.video.box_writer import BoxRow, BoxWriter, FilmFacts, TargetId, TrackNumbers
from aiatrack.video.frames import VideoWarning
from aiatrack.video.output_path import lock, output_error

_JOURNAL_ENDING = ".journal"
_JOURNAL_VERSION = "aiatrack-boxes-2"
_FILM_ENDS = "film_ends"
"""Key of a line that stands behind the film's last frame. A run that was broken off wrote none."""


@dataclass(frozen=True, slots=True)
class FrameRows:
    """What was found in one frame.

    Attributes:
        frame: index of the frame in its source, from 0.
        time_s: presentation time in seconds.
        rows: one for each target that is followed.
    """

    frame: int
    time_s: float
    rows: tuple[BoxRow, ...]


class Recording:
    """All that a document is made of, read from its journal again and again rather than held in memory.

    Args:
        journal: written by a `DocumentBoxWriter`.

    Attributes:
        kind: of the document.
        film: that the boxes belong to.
        numbers: of the targets.
        ids: of all targets with a row, by their numbers.
        frame_count: frames in the journal.
        first_frame: index of the first of them in the source; None without frames.
        last_frame: index of the last of them.
        last_time_s: its presentation time in seconds.
        film_goes_on: whether there may be frames of the film after the last of them.

    Raises:
        DataError: the file is missing, no journal, or damaged.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.frame_count = 0
        self.first_frame: int | None = None
        self.last_frame: int | None = None
        self.last_time_s: float | None = None
        self.film_goes_on = True
        found: dict[TargetId, None] = {}
        with self._entries() as entries:
            head = next(entries, None)
            if head is None:
                raise ValueError("it has no first line")
            self.kind, self.film = str(head["kind"]), FilmFacts(**head["film"])
            self.numbers = TrackNumbers(head["ids"])
            for entry in entries:
                if _FILM_ENDS in entry:
                    self.film_goes_on = False
                    continue
                shown = _read_frame(entry)
                self.frame_count += 1
                self.first_frame = shown.frame if self.first_frame is None else self.first_frame
                self.last_frame, self.last_time_s = shown.frame, shown.time_s
                found.update((row.id, None) for row in shown.rows)
        self.ids = sorted(found, key=lambda target_id: self.numbers[target_id])

    def frames(self) -> Iterator[FrameRows]:
        """What was found, frame after frame.

        Raises:
            DataError: the journal is damaged or gone.
        """
        with self._entries() as entries:
            next(entries, None)
            for entry in entries:
                if _FILM_ENDS not in entry:
                    yield _read_frame(entry)

    @contextmanager
    def _entries(self) -> Iterator[Iterator[Any]]:
        """Whole lines; a last one that was cut off, as by a power failure, is left out."""
        try:
            with self._journal.open(encoding="utf-8") as file:
                yield (json.loads(line) for line in file if line.endswith("\n"))
        except OSError as error:
            raise _unreadable(self._journal, error) from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self._journal} is no journal of boxes, or damaged: {error!r}") from error


Compose = Callable[[Recording], Iterator[str]]
"""Makes the document's text, piece by piece."""


class DocumentBoxWriter(BoxWriter):
    """Keeps frames in a journal beside the document, and makes the document when closed.

    The document appears whole or not at all, and the journal goes when it is there. After a crash the journal
    is left, whole to the last frame: `finish_box_document` makes the document of it. A journal that an
    earlier run left is moved out of the way, with a `VideoWarning`.

    Args:
        path: document to write; an existing one is replaced at the end.
        kind: name of the format, for the journal.
        compose: makes the document.
        film: that the boxes belong to.
        ids: of the targets that are known beforehand.

    Raises:
        OutputError: the journal cannot be opened, another run is writing it, or an older one cannot be moved.
    """

    def __init__(
        self, path: Path, kind: str, compose: Compose, film: FilmFacts, *, ids: Sequence[TargetId] = ()
    ) -> None:
        self.path = path
        self._compose = compose
        _set_aside(path)
        self._journal = LineFile(journal_path(path))
        if not self._journal.lock():
            raise _in_use(path)
        self.unfinished = self._journal.path
        self._closed = False
        self._film_ends = True
        head = {"version": _JOURNAL_VERSION, "kind": kind, "film": asdict(film), "ids": list(ids)}
        self._write(head)

    def write_frame(self, frame: int, time_s: float, rows: Sequence[BoxRow]) -> None:
        """See `BoxWriter`."""
        found = [describe_row(row) for row in rows]
        self._write({"frame": frame, "time": round(float(time_s), 6), "boxes": found})

    def film_goes_on(self) -> None:
        """See `BoxWriter`."""
        self._film_ends = False

    def _write(self, entry: dict[str, Any]) -> None:
        if self._closed:
            raise OutputError(f"{self.path} is closed; write before leaving the `with` block")
        try:
            self._journal.write([to_json(entry)])
        except OutputError:
            self._film_ends = False
            raise

    def close(self) -> None:
        """See `BoxWriter`."""
        if self._closed:
            return
        self._closed = True
        try:
            self._finish_journal()
            write_document(self.path, self._compose, Recording(self._journal.path))
        except DataError as error:
            raise OutputError(f"{error}; {self.path.name} is not made") from error
        except OutputError as error:
            raise OutputError(
                f"{error}; {self.path.name} is not made, but its boxes are in {self._journal.path}: when it "
                f"can be written, make it with {_how_to_finish(self._journal.path)}"
            ) from error
        self._journal.path.unlink(missing_ok=True)
        self.unfinished = None

    def _finish_journal(self) -> None:
        try:
            if self._film_ends:
                self._journal.write([json.dumps({_FILM_ENDS: True})])
        finally:
            self._journal.close()


def journal_path(document: Path) -> Path:
    """Where the frames of a document are kept until it is made."""
    return document.with_name(document.name + _JOURNAL_ENDING)


def _set_aside(document: Path) -> None:
    """Move the journal of an earlier run, which was killed, to a free name, so that it is not overwritten."""
    left = journal_path(document)
    # What is no file has nothing to lose, such as a link to a device.
    if not is_file(left) or left.stat().st_size == 0:
        return
    try:
        with left.open("rb") as journal:
            is_free = lock(journal)
    except OSError as error:
        raise output_error(left, error) from error
    if not is_free:
        raise _in_use(document)
    head, dot, tail = document.name.partition(".")
    # The document has to be free as well: it is what the journal will be made into.
    numbered = (document.with_name(f"{head}.{number}{dot}{tail}") for number in count(1))
    kept = next(journal_path(one) for one in numbered if not (exists(one) or exists(journal_path(one))))
    try:
        left.rename(kept)
    except OSError as error:
        raise output_error(kept, error) from error
    warnings.warn(
        f"{left} holds boxes of an earlier run that did not end; it is now {kept}: make the document with "
        f"{_how_to_finish(kept)}, or remove it",
        VideoWarning,
        stacklevel=4,
    )


@contextmanager
def hold_journal(journal: Path) -> Iterator[None]:
    """Keep other runs from a journal that a run left.

    Raises:
        DataError: it cannot be read.
        OutputError: the run is alive.
    """
    try:
        file = journal.open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(journal, error) from error
    with file:
        if not lock(file):
            raise OutputError(f"a run is still writing {journal}: let it end, and it makes the document")
        yield


def _unreadable(journal: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    return DataError(f"cannot read the journal {journal}: {reason}; check the path")


def _in_use(document: Path) -> OutputError:
    return OutputError(f"another run is writing {document}: let it end, or choose another name")


def _how_to_finish(journal: Path) -> str:
    code = "import sys, aiatrack.video as v; v.finish_box_document(sys.argv[1])"
    return f"python -c {shlex.quote(code)} {shlex.quote(str(journal))}"


def document_path(journal: Path) -> Path:
    """The document that a journal belongs to.

    Raises:
        DataError: this is no journal's name.
    """
    if journal.suffix != _JOURNAL_ENDING:
        raise DataError(f"{journal} is no journal of boxes: expected a name that ends in {_JOURNAL_ENDING}")
    return journal.with_suffix("")


def write_document(path: Path, compose: Compose, recording: Recording) -> None:
    """Make a document, which appears whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with replace_file(path) as temporary:
        try:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                file.writelines(compose(recording))
        except OSError as error:
            raise output_error(path, error) from error


def label_of(target_id: TargetId) -> str:
    """What kind of thing a target is: its name without a number at the end; `target` if it has none."""
    name = "" if isinstance(target_id, int) else printable(target_id).rstrip("0123456789").rstrip(" _-#.")
    return name or "target"


def printable(text: str) -> str:
    """Replace what XML cannot hold, and half letters, as names of files may have them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _read_frame(entry: dict[str, Any]) -> FrameRows:
    frame, time_s = int(entry["frame"]), float(entry["time"])
    return FrameRows(frame, time_s, tuple(_read_row(frame, time_s, found) for found in entry["boxes"]))


def _read_row(frame: int, time_s: float, found: dict[str, Any]) -> BoxRow:
    x, y, width, height = (math.nan,) * 4 if found["box"] is None else found["box"]
    box = float(x), float(y), float(width), float(height)
    return BoxRow(frame, time_s, box, found["score"], found["id"], found["presence"], found["state"])
