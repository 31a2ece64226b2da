"""From the name of a file to the writer of its format."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from os import PathLike
from pathlib import Path

from aiatrack.errors import DataError, OutputError, SettingsError
from aiatrack.paths import exists, expand_home, is_file, is_folder
from aiatrack.video.box_formats.coco import compose_coco
from aiatrack.video.box_formats.cvat import compose_cvat
from aiatrack.video.box_formats.documents import (
    Compose,
    DocumentBoxWriter,
    Recording,
    document_path,
    hold_journal,
    journal_path,
    write_document,
)
from aiatrack.video.box_formats.label_studio import compose_label_studio
from aiatrack.video.box_formats.lines import (
    CsvBoxWriter,
    JsonLinesBoxWriter,
    MotBoxWriter,
    TextBoxFiles,
    TextBoxWriter,
)
from aiatrack.video.box_writer import BoxWriter, FilmFacts, TargetId, TrackNumbers
from aiatrack.video.output_path import check_output_path

_PLACE_OF_ID = "{id}"


class BoxFormat(str, Enum):
    """How boxes are written."""

    TEXT = "txt"
    CSV = "csv"
    JSON_LINES = "jsonl"
    MOT = "mot"
    CVAT = "cvat"
    COCO = "coco"
    LABEL_STUDIO = "labelstudio"


# Longer endings first: `.mot.txt` is also a `.txt`.
_ENDINGS = {
    ".mot.txt": BoxFormat.MOT,
    ".cvat.xml": BoxFormat.CVAT,
    ".coco.json": BoxFormat.COCO,
    ".labelstudio.json": BoxFormat.LABEL_STUDIO,
    ".txt": BoxFormat.TEXT,
    ".csv": BoxFormat.CSV,
    ".jsonl": BoxFormat.JSON_LINES,
}
_DOCUMENTS: dict[BoxFormat, Compose] = {
    BoxFormat.CVAT: compose_cvat,
    BoxFormat.COCO: compose_coco,
    BoxFormat.LABEL_STUDIO: compose_label_studio,
}


def choose_format(path: Path, format: BoxFormat | str | None = None) -> BoxFormat:
    """Tell the format of a file of boxes by its ending, unless it is given.

    Raises:
        OutputError: unknown ending.
        SettingsError: unknown format.
    """
    known = ", ".join(each.value for each in BoxFormat)
    if format is not None:
        try:
            return BoxFormat(format)
        except ValueError as error:
            raise SettingsError(f"boxes are written as one of {known}; got format {format!r}") from error
    for ending, found in _ENDINGS.items():
        if path.name.lower().endswith(ending):
            return found
    endings = ", ".join(sorted(_ENDINGS, key=lambda ending: ending.count(".")))
    raise OutputError(
        f"cannot write boxes to {path}: the name must end in {endings}; or give the format, one of {known}"
    )


def check_box_output(
    path: str | PathLike[str],
    *,
    format: BoxFormat | str | None = None,
    ids: Sequence[TargetId] | None = None,
    inputs: Iterable[Path] = (),
) -> None:
    """Make sure that the boxes of some targets can be written; leaves no trace.

    Args:
        path: as in `open_box_writer`.
        format: as in `open_box_writer`.
        ids: of all targets; None while nobody knows.
        inputs: as in `open_box_writer`.

    Raises:
        OutputError: unknown ending, not writable, the output is an input, or the format holds one target.
        SettingsError: unknown format.
    """
    target = expand_home(path)
    chosen = choose_format(target, format)
    files = [target]
    if chosen is BoxFormat.TEXT and ids is not None:
        files = list(_text_paths(target, ids).values())
    if chosen is not BoxFormat.TEXT and _PLACE_OF_ID in target.name:
        raise OutputError(f"{target}: only text files are written one a target; leave out {_PLACE_OF_ID}")
    if chosen in _DOCUMENTS and exists(target) and not (is_file(target) or is_folder(target)):
        raise OutputError(f"{target} is no ordinary file, and {chosen.value} is written as a whole: name one")
    sources = tuple(inputs)
    for file in files:
        check_output_path(file, sources)
    if chosen in _DOCUMENTS:
        check_output_path(journal_path(target.resolve()), sources)


def open_box_writer(
    path: str | PathLike[str],
    *,
    inputs: Iterable[Path] = (),
    format: BoxFormat | str | None = None,
    ids: Sequence[TargetId] = (),
    film: FilmFacts | None = None,
) -> BoxWriter:
    """Open a file for boxes, its format chosen by the ending.

    Args:
        path: `.txt` (`x,y,w,h`), `.csv` (with header), `.jsonl`, `.mot.txt` (MOTChallenge), `.cvat.xml` (CVAT
            for video 1.1), `.coco.json` (COCO with tracks) or `.labelstudio.json`; an existing file is
            replaced. `{id}` in the name of a `.txt` makes a file for each target.
        inputs: files that this run reads, which are never overwritten.
        format: for names that end otherwise.
        ids: of the targets, as far as they are known. Text files need them all.
        film: that the boxes belong to; needed by CVAT, COCO and Label Studio.

    Raises:
        OutputError: unknown ending, not writable, the output is an input, or the format holds one target.
        SettingsError: unknown format, or one that needs `film`.
    """
    check_box_output(path, format=format, ids=ids, inputs=inputs)
    target = expand_home(path)
    chosen = choose_format(target, format)
    if chosen is BoxFormat.TEXT:
        paths = _text_paths(target, ids)
        return TextBoxFiles(paths) if _PLACE_OF_ID in target.name else TextBoxWriter(target)
    if chosen is BoxFormat.MOT:
        return MotBoxWriter(target, TrackNumbers(ids))
    if chosen is BoxFormat.CSV:
        return CsvBoxWriter(target)
    if chosen is BoxFormat.JSON_LINES:
        return JsonLinesBoxWriter(target)
    if film is None:
        raise SettingsError(f"the format {chosen.value} says which film its boxes belong to: give `film`")
    # A link stays one, and what it leads to is replaced.
    return DocumentBoxWriter(target.resolve(), chosen.value, _DOCUMENTS[chosen], film, ids=ids)


def finish_box_document(journal: str | PathLike[str]) -> Path:
    """Make the document of a run that was killed, from the journal that it left.

    Args:
        journal: file beside the document, such as `boxes.cvat.xml.journal`; removed in the end.

    Returns:
        Path of the document.

    Raises:
        DataError: this is no journal.
        OutputError: the document cannot be written, or the run is alive and still writes its journal.
    """
    source = expand_home(journal)
    document = document_path(source)
    composers = {format.value: compose for format, compose in _DOCUMENTS.items()}
    with hold_journal(source):
        recording = Recording(source)
        if recording.kind not in composers:
            raise DataError(f"{source} is a journal for {recording.kind!r}, which this version cannot write")
        write_document(document, composers[recording.kind], recording)
    source.unlink(missing_ok=True)
    return document


def _text_paths(path: Path, ids: Sequence[TargetId]) -> dict[TargetId, Path]:
    """The file of each target; one file for the only one."""
    if _PLACE_OF_ID not in path.name:
        if len(ids) > 1:
            raise OutputError(
                f"{path} would hold one target, and there are {len(ids)}: write .csv, .jsonl or .mot.txt, or "
                f"a file for each, such as {path.stem}_{_PLACE_OF_ID}{path.suffix}"
            )
        return {ids[0] if ids else 1: path}
    if not ids:
        raise OutputError(f"{path} is a file for each target: name the targets in `ids`")
    for target_id in ids:
        if any(letter in str(target_id) for letter in '/\\:*?"<>|\0'):
            raise OutputError(f"target {target_id!r} cannot be part of a file's name: call it otherwise")
    paths = {each: path.with_name(path.name.replace(_PLACE_OF_ID, str(each))) for each in ids}
    _check_apart(paths)
    return paths


def _check_apart(paths: Mapping[TargetId, Path]) -> None:
    """Refuse two targets of one file, as `1` and `"1"` have, and on some systems `car` and `Car`."""
    first: dict[str, TargetId] = {}
    for target_id, path in paths.items():
        other = first.setdefault(path.name.casefold(), target_id)
        if other is not target_id:
            raise OutputError(
                f"targets {other!r} and {target_id!r} would share the file {path}: call one of them otherwise"
            )
