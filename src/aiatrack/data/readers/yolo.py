"""Reader of YOLO folders: `images/**/<name>.jpg` and `labels/**/<name>.txt`."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.data.reachable import check_reachable
from aiatrack.errors import DataError
from aiatrack.paths import is_file

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def read_yolo(path: Path, split: str | None = None) -> Annotations:
    """Read rows of `class centre_x centre_y width height`, or `class x1 y1 x2 y2 ...` polygons, in shares.

    Args:
        path: folder that holds `images` and `labels`.
        split: folder below both, such as `train`; all if not given.

    Raises:
        DataError: there are no images, or the folder cannot be reached.
    """
    root = path / "images" / (split or "")
    check_reachable(root)
    images = sorted(file for file in root.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if not images:
        raise DataError(f"{root}: expected images of a YOLO folder, found none")
    clips, problems = [], []
    for image in images:
        labels = path / "labels" / image.relative_to(path / "images").with_suffix(".txt")
        clip = _read_still(image, labels, str(image.relative_to(path / "images")))
        if isinstance(clip, str):
            problems.append(clip)
        else:
            clips.append(clip)
    return Annotations(path.name, tuple(clips), tuple(problems))


def _read_still(image: Path, labels: Path, name: str) -> Clip | str:
    if not is_file(labels):
        return f"{labels}: missing; {image.name} is left out"
    pixels = cv2.imread(str(image), cv2.IMREAD_COLOR)
    if pixels is None:
        return f"{image}: not an image"
    sides = np.array(pixels.shape[1::-1], dtype=np.float64)
    tracks = []
    for number, line in enumerate(labels.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            box = _box(np.array(line.split()[1:], dtype=np.float64))
        except ValueError:
            return f"{labels}, line {number}: expected a class and four numbers or a polygon; left out"
        if box is not None:
            scaled = (box.reshape(2, 2) * sides).reshape(1, 4).astype(np.float32)
            tracks.append(Track(scaled, np.ones(1, dtype=np.bool_), line.split()[0]))
    return Clip(name, [image], np.zeros(1, dtype=np.int64), tuple(tracks))


def _box(values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """The xywh box of one row in shares; None for an empty row."""
    if len(values) == 0:
        return None
    if len(values) == 4:
        return np.concatenate((values[:2] - values[2:] / 2, values[2:]))
    points = values.reshape(-1, 2)
    if len(points) < 3:
        raise ValueError("a polygon has at least three points")
    low = points.min(axis=0)
    return np.concatenate((low, points.max(axis=0) - low))
