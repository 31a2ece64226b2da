"""Reader of YOLO folders: `images/**/<name>.jpg` and `labels/**/<name>.txt`."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.data.reachable import check_reachable
from aiatrack.errors import DataError
from aiatrack.image_files import read_image_size, select_images
from aiatrack.paths import is_file, walk_folders

_LEAST, _LARGEST = -0.1, 1.1
"""Shares of an image may go a little beyond its border; further away, a number is no share."""
_EXPECTED = (
    "expected a class and four numbers or a polygon, in shares of the image, or a pose of the shape that "
    "kpt_shape in data.yaml says"
)


def read_yolo(path: Path, split: str | None = None) -> Annotations:
    """Read rows of `class centre_x centre_y width height`, or `class x1 y1 x2 y2 ...` polygons, in shares.

    Rows of poses, a box and then its points, need the `kpt_shape` of a `data.yaml` in the folder.

    Args:
        path: folder that holds `images` and `labels`, and perhaps `data.yaml`; or that file, of any name.
        split: folder below both, such as `train`; all if not given.

    Raises:
        DataError: there are no images, or the folder cannot be reached.
    """
    folder, description = (path.parent, path) if is_file(path) else (path, path / "data.yaml")
    root = folder / "images" / (split or "")
    check_reachable(root)
    images = select_images(folder / name for folder, names in walk_folders(root) for name in names)
    if not images:
        raise DataError(f"{root}: expected images of a YOLO folder, found none")
    pose_numbers = _pose_numbers(description)
    clips, problems = [], []
    for image in images:
        name = image.relative_to(folder / "images")
        labels = folder / "labels" / name.with_suffix(".txt")
        clip = _read_still(image, labels, str(name), pose_numbers)
        if isinstance(clip, str):
            problems.append(clip)
        else:
            clips.append(clip)
    # Made absolute, since the working folder is called `.`, which has no name.
    return Annotations(folder.absolute().name, tuple(clips), tuple(problems))


def _pose_numbers(path: Path) -> int | None:
    """How many numbers the points of a pose are, by `kpt_shape: [points, numbers each]`; None if not said."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        points, each = content["kpt_shape"]
        return int(points) * int(each)
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return None


def _read_still(image: Path, labels: Path, name: str, pose_numbers: int | None) -> Clip | str:
    if not is_file(labels):
        return f"{labels}: missing; {image.name} is left out"
    try:
        sides = np.array(read_image_size(image), dtype=np.float64)
    except DataError as error:
        return str(error)
    tracks = []
    try:
        lines = labels.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        return f"{labels}: cannot be read: {error.strerror}; {image.name} is left out"
    for number, line in enumerate(lines, start=1):
        try:
            box = _box(line.split()[1:], pose_numbers)
        except ValueError:
            return f"{labels}, line {number}: {_EXPECTED}; {image.name} is left out"
        if box is not None:
            scaled = (box.reshape(2, 2) * sides).reshape(1, 4).astype(np.float32)
            tracks.append(Track(np.zeros(1, np.int64), scaled, np.ones(1, np.bool_), line.split()[0]))
    return Clip(name, [image], np.zeros(1, dtype=np.int64), tuple(tracks))


def _box(words: list[str], pose_numbers: int | None) -> npt.NDArray[Any] | None:
    """The xywh box of one row in shares; None for an empty row.

    Raises:
        ValueError: it cannot be told what the row is.
    """
    if not words:
        return None
    values = np.array(words, dtype=np.float64)
    if pose_numbers is not None and len(values) == 4 + pose_numbers:
        values = values[:4]
    if not ((values >= _LEAST) & (values <= _LARGEST)).all():
        raise ValueError("shares are expected")
    if len(values) == 4:
        return np.concatenate((values[:2] - values[2:] / 2, values[2:]))
    # Trackers write a box, its score and a whole number, its identity: as many numbers as a triangle.
    if len(values) < 6 or (len(values) == 6 and words[-1].isdecimal()):
        raise ValueError("a polygon has at least three points")
    points = values.reshape(-1, 2)
    low = points.min(axis=0)
    return np.concatenate((low, points.max(axis=0) - low))
