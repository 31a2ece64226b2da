"""Reader of MOTChallenge: `<sequence>/img1/000001.jpg` and `<sequence>/gt/gt.txt`."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.data.reachable import check_reachable
from aiatrack.errors import DataError
from aiatrack.image_files import frame_number, select_images
from aiatrack.number_files import read_number_rows
from aiatrack.paths import is_file, walk_folders

_LEAST_VISIBILITY = 0.25


def read_mot_challenge(path: Path, split: str | None = None) -> Annotations:
    """Read rows of frame, id, left, top, width, height, flag, class, visibility; pixels count from 1.

    A frame is the image with its number at the end of its name. Rows with flag 0 are passed over; an object
    less than a quarter visible counts as not visible, one whose visibility is unknown (-1) as visible.

    Args:
        path: one sequence, or a folder of them.
        split: folder below it, such as `train`.

    Raises:
        DataError: there are no sequences, or the folder cannot be reached.
    """
    root = path / (split or "")
    check_reachable(root)
    candidates = (folder / "gt" / "gt.txt" for folder, _ in walk_folders(root))
    files = sorted(filter(is_file, candidates))
    if not files:
        raise DataError(f"{root}: expected MOTChallenge sequences with gt/gt.txt, found none")
    clips: list[Clip] = []
    problems: list[str] = []
    for file in files:
        try:
            clips.append(_read_clip(file, problems))
        except DataError as error:
            problems.append(str(error))
    # Made absolute, since the working folder is called `.`, which has no name.
    return Annotations(path.absolute().name, tuple(clips), tuple(problems))


def _read_clip(file: Path, problems: list[str]) -> Clip:
    folder = file.parent.parent
    rows = read_number_rows(file, may_end_in_comma=True)
    if rows.shape[1] < 6:
        raise DataError(
            f"{file}: expected at least frame, id, left, top, width, height in a row, got {rows.shape[1]}"
        )
    images = _numbered_images(folder / "img1", problems)
    numbers = np.array(list(images), dtype=np.int64)
    has_image = np.isin(rows[:, 0], numbers)
    if not has_image.any():
        raise DataError(
            f"{folder}: expected rows in gt/gt.txt, and in img1 images named by their frame numbers, such as "
            "000001.jpg; it is left out"
        )
    if not has_image.all():
        problems.append(f"{file}: {(~has_image).sum()} rows are of frames without an image in img1")
    is_known = np.isfinite(rows[:, 1:6]).all(axis=1)
    if not is_known.all():
        problems.append(f"{file}: {(~is_known).sum()} rows are without an id or a box")
    rows = rows[has_image & is_known]
    rows = rows[rows[:, 6] != 0] if rows.shape[1] > 6 else rows
    tracks = [_track(rows[rows[:, 1] == identity], numbers) for identity in np.unique(rows[:, 1])]
    return Clip(folder.name, list(images.values()), numbers, tuple(tracks), is_video=True)


def _track(rows: npt.NDArray[Any], numbers: npt.NDArray[np.int64]) -> Track:
    """One object from its rows; of two of the same frame the last one counts."""
    rows = rows[::-1]
    _, last = np.unique(rows[:, 0], return_index=True)
    rows = rows[last]
    boxes = (rows[:, 2:6] - (1, 1, 0, 0)).astype(np.float32)
    visible = np.ones(len(rows), dtype=np.bool_)
    if rows.shape[1] > 8:
        visible = (rows[:, 8] >= _LEAST_VISIBILITY) | (rows[:, 8] < 0)
    label = f"{rows[0, 7]:.0f}" if rows.shape[1] > 7 else ""
    return Track(np.searchsorted(numbers, rows[:, 0]), boxes, visible, label)


def _numbered_images(folder: Path, problems: list[str]) -> dict[int, Path]:
    """Images by their frame numbers, which rise."""
    images: dict[int, Path] = {}
    for path in select_images(folder.glob("*")):
        number = frame_number(path)
        if number is None:
            problems.append(f"{path}: no frame number in its name; it is left out")
        elif number in images:
            problems.append(f"{path}: {images[number].name} is of the same frame; it is left out")
        else:
            images[number] = path
    return dict(sorted(images.items()))
