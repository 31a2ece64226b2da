"""Reader of MOTChallenge: `<sequence>/img1/000001.jpg` and `<sequence>/gt/gt.txt`."""

from pathlib import Path

import numpy as np

from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.data.numbered_files import NumberedFiles
from aiatrack.data.reachable import check_reachable
from aiatrack.data.readers.text_tables import read_numbers
from aiatrack.errors import DataError

_LEAST_VISIBILITY = 0.25


def read_mot_challenge(path: Path, split: str | None = None) -> Annotations:
    """Read rows of frame, id, left, top, width, height, flag, class, visibility; all counts are from 1.

    Rows with flag 0 are passed over; an object less than a quarter visible counts as not visible.

    Args:
        path: one sequence, or a folder of them.
        split: folder below it, such as `train`.

    Raises:
        DataError: there are no sequences, or the folder cannot be reached.
    """
    root = path / (split or "")
    check_reachable(root)
    files = sorted(root.glob("**/gt/gt.txt"))
    if not files:
        raise DataError(f"{root}: expected MOTChallenge sequences with gt/gt.txt, found none")
    clips, problems = [], []
    for file in files:
        try:
            clips.append(_read_clip(file))
        except DataError as error:
            problems.append(str(error))
    return Annotations(path.name, tuple(clips), tuple(problems))


def _read_clip(file: Path) -> Clip:
    folder = file.parent.parent
    rows = read_numbers(file, _columns(file))
    images = sorted((folder / "img1").glob("*.*"))
    if not images or not len(rows):
        raise DataError(f"{folder}: expected images in img1 and rows in gt/gt.txt; it is left out")
    files = NumberedFiles(images[0].parent, len(images), digits=len(images[0].stem), suffix=images[0].suffix)
    rows = rows[(rows[:, 0] >= 1) & (rows[:, 0] <= len(images))]
    rows = rows[rows[:, 6] != 0] if rows.shape[1] > 6 else rows
    tracks = []
    for identity in np.unique(rows[:, 1]):
        own = rows[rows[:, 1] == identity]
        boxes = np.full((len(images), 4), np.nan, dtype=np.float32)
        frames = own[:, 0].astype(np.int64) - 1
        boxes[frames] = own[:, 2:6] - (1, 1, 0, 0)
        visible = np.zeros(len(images), dtype=np.bool_)
        visible[frames] = own[:, 8] >= _LEAST_VISIBILITY if rows.shape[1] > 8 else True
        tracks.append(Track(boxes, visible, str(int(own[0, 7])) if rows.shape[1] > 7 else ""))
    return Clip(folder.name, files, np.arange(len(images)), tuple(tracks), is_video=True)


def _columns(file: Path) -> int:
    try:
        first = file.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error
    columns = len(first.replace(",", " ").split())
    if columns < 6:
        raise DataError(
            f"{file}: expected at least frame, id, left, top, width, height in a row, got {columns}"
        )
    return columns
