"""MOTChallenge: many targets in one film; every target is a sequence of its own."""

import configparser
from functools import lru_cache
from pathlib import Path

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, FloatArray, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import (
    check_name,
    list_folders,
    list_numbered_images,
    time_of_change,
)
from aiatrack.number_files import read_number_rows, read_text
from aiatrack.paths import is_file

_FRAME, _TARGET, _CONSIDERED = 0, 1, 6


class MotLayout:
    """`NAME/img1/000001.jpg`, `NAME/gt/gt.txt` (frame, id, x, y, w, h, considered, ...), `NAME/seqinfo.ini`.

    Sequences are `NAME_ID`, from a target's first row to its last; frames without a row are absent. Rows
    that the benchmark does not consider (column 7 is 0) are left out.
    """

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`."""
        films = [path for path in list_folders(root) if is_file(path / "gt" / "gt.txt")]
        if not films:
            raise DataError(f"{root} holds no MOTChallenge film: folders NAME with gt/gt.txt were expected")
        return tuple(entry for film in films for entry in _targets(film))

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`: by the numbers that the names end with, as gt.txt counts; else by position."""
        return list_numbered_images(root / sequence.frames, sequence.first, sequence.last)

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return root / sequence.annotation

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`."""
        path = self.annotation_path(root, sequence)
        rows = _considered(path, time_of_change(path))
        rows = rows[rows[:, _TARGET] == sequence.target]
        if sequence.last is None or not len(rows):
            raise DataError(f"{path}: target {sequence.target} has no rows")
        boxes = np.full((sequence.last - sequence.first + 1, 4), np.nan)
        boxes[rows[:, _FRAME].astype(int) - sequence.first] = rows[:, 2:6]
        return build_annotation(
            boxes, image_size=_image_size(path.parent.parent), origin=f"{path}, {sequence.name}"
        )


@lru_cache(maxsize=4)
def _considered(path: Path, _modified: int) -> FloatArray:
    """Rows that count, of all targets; read once for each state of the file, and not to be written to."""
    rows = read_number_rows(path)
    if rows.shape[1] < 6 or not (rows[:, _FRAME] >= 1).all():
        raise DataError(f"{path}: rows frame,id,x,y,w,h,... with frames from 1 were expected")
    return rows[rows[:, _CONSIDERED] != 0] if rows.shape[1] > _CONSIDERED else rows


def _targets(film: Path) -> list[SequenceDescription]:
    name = check_name(film.name, film)
    path = film / "gt" / "gt.txt"
    rows = _considered(path, time_of_change(path))
    entries = []
    for target in np.unique(rows[:, _TARGET]).astype(int).tolist():
        frames = rows[rows[:, _TARGET] == target, _FRAME].astype(int)
        entries.append(
            SequenceDescription(
                name=f"{name}_{target}",
                frames=f"{name}/img1",
                annotation=f"{name}/gt/gt.txt",
                first=int(frames.min()),
                last=int(frames.max()),
                target=target,
            )
        )
    return entries


def _image_size(film: Path) -> tuple[int, int] | None:
    path = film / "seqinfo.ini"
    if not is_file(path):
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(path))
        return parser.getint("Sequence", "imWidth"), parser.getint("Sequence", "imHeight")
    except (configparser.Error, ValueError) as error:
        raise DataError(
            f"{path}: imWidth and imHeight in section [Sequence] were expected: {error}"
        ) from error
