"""Readers of the published video data sets: LaSOT, GOT-10k and TrackingNet. One target in each sequence."""

import functools
import json
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.data.numbered_files import NumberedFiles
from aiatrack.errors import DataError, SettingsError
from aiatrack.number_files import read_number_rows, read_numbers
from aiatrack.paths import exists, is_file, is_folder, walk_folders, why_unreachable

_ReadClip = Callable[[], Clip]


def read_lasot(path: Path, split: str | None = None) -> Annotations:
    """Read LaSOT: `<class>/<class>-<n>/` with `img/00000001.jpg`, `groundtruth.txt` and marks of absence.

    Args:
        path: folder that holds the classes, or directly the sequences.
        split: `train` (the 1,120 training sequences, the default) or `all`.
    """
    names = _known_names(
        split, {"train": lambda: _split("lasot_train")["sequences"], "all": lambda: None}, "train"
    )
    if names is None:
        names = sorted(folder.name for folder, files in walk_folders(path) if "groundtruth.txt" in files)
    return _collect("lasot", path, (functools.partial(_lasot_clip, path, name) for name in names))


def read_got10k(path: Path, split: str | None = None) -> Annotations:
    """Read GOT-10k: `train/GOT-10k_Train_000001/` with `00000001.jpg`, `groundtruth.txt`, marks of absence.

    Args:
        path: folder that holds `train` and `val`.
        split: `train`, `val`, or `vot` (the default): the 7,086 training sequences that are not in VOT.
    """
    choices: dict[str, Callable[[], list[str] | None]] = {
        "vot": lambda: [f"train/{name}" for name in _vot_train_names()],
        "train": lambda: [f"train/{file.name}" for file in _folders(path / "train")],
        "val": lambda: [f"val/{file.name}" for file in _folders(path / "val")],
    }
    names = _known_names(split, choices, "vot") or []
    return _collect("got10k", path, (functools.partial(_got10k_clip, path / name) for name in sorted(names)))


def read_trackingnet(path: Path, split: str | None = None) -> Annotations:
    """Read TrackingNet: `TRAIN_<k>/anno/<name>.txt` and `TRAIN_<k>/frames/<name>/0.jpg`.

    Args:
        path: folder that holds `TRAIN_0` to `TRAIN_11`.
        split: which of them: `train` for all (the default), or a range such as `0-3` or `7`.
    """
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", split if split not in (None, "train") else "0-11")
    if match is None:
        raise SettingsError(f"TrackingNet's split is a range of chunks such as 0-11, got {split!r}")
    chunks = range(int(match[1]), int(match[2] or match[1]) + 1)
    files = [file for chunk in chunks for file in sorted((path / f"TRAIN_{chunk}" / "anno").glob("*.txt"))]
    return _collect("trackingnet", path, (functools.partial(_trackingnet_clip, file) for file in files))


def _split(name: str) -> dict[str, Any]:
    text = (resources.files("aiatrack.data") / "splits" / f"{name}.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def _vot_train_names() -> list[str]:
    """Index 0 of the published list is the first sequence, whose name ends in 1."""
    return [f"GOT-10k_Train_{index + 1:06d}" for index in _split("got10k_vot_train")["sequence_indices"]]


def _known_names(
    split: str | None, choices: dict[str, Callable[[], list[str] | None]], default: str
) -> list[str] | None:
    if (split or default) not in choices:
        raise SettingsError(f"there is no split {split!r}: choose one of {', '.join(choices)}")
    return choices[split or default]()


def _folders(path: Path) -> list[Path]:
    return sorted(folder for folder in path.glob("*") if is_folder(folder))


def _collect(name: str, path: Path, readers: Iterator[_ReadClip]) -> Annotations:
    """Read clip by clip; one that cannot be read becomes a problem."""
    if not is_folder(path):
        raise DataError(f"{path}: expected the folder of {name}; there is none{why_unreachable(path)}")
    clips, problems = [], []
    for read in readers:
        try:
            clips.append(read())
        except DataError as error:
            problems.append(str(error))
    return Annotations(name, tuple(clips), tuple(problems))


def _video(name: str, images: NumberedFiles, boxes: npt.NDArray[Any], visible: npt.NDArray[np.bool_]) -> Clip:
    for place in (0, len(images) - 1):
        if not is_file(images[place]):
            raise DataError(f"{images[place]}: no such frame; {name} is left out")
    boxes = boxes.astype(np.float32)
    frames = np.flatnonzero(np.isfinite(boxes).all(axis=1))
    visible = visible & (boxes[:, 2:] > 0).all(axis=1)
    track = Track(frames, boxes[frames], visible[frames])
    return Clip(name, images, np.arange(len(boxes)), (track,), is_video=True)


def _read_boxes(file: Path) -> npt.NDArray[np.float64]:
    return read_number_rows(file, columns=4, may_end_in_comma=True)


def _read_marks(file: Path, boxes: int, name: str) -> npt.NDArray[np.float64]:
    """One number for each of the clip's boxes: a single one would pass for all of them."""
    marks = read_numbers(file, may_be_empty=True)
    if len(marks) != boxes:
        raise DataError(f"{file}: {len(marks)} marks for {boxes} boxes; {name} is left out")
    return marks


def _lasot_clip(root: Path, name: str) -> Clip:
    folder = root / name.rsplit("-", 1)[0] / name
    folder = folder if is_folder(folder) else root / name
    boxes = _read_boxes(folder / "groundtruth.txt")
    occluded, out_of_view = (
        _read_marks(folder / file, len(boxes), name) for file in ("full_occlusion.txt", "out_of_view.txt")
    )
    return _video(name, NumberedFiles(folder / "img", len(boxes)), boxes, (occluded + out_of_view) == 0)


def _got10k_clip(folder: Path) -> Clip:
    boxes = _read_boxes(folder / "groundtruth.txt")
    visible = np.ones(len(boxes), dtype=np.bool_)
    if exists(folder / "absence.label"):
        visible &= _read_marks(folder / "absence.label", len(boxes), folder.name) == 0
    if exists(folder / "cover.label"):
        visible &= _read_marks(folder / "cover.label", len(boxes), folder.name) > 0
    return _video(folder.name, NumberedFiles(folder, len(boxes)), boxes, visible)


def _trackingnet_clip(file: Path) -> Clip:
    boxes = _read_boxes(file)
    images = NumberedFiles(file.parent.parent / "frames" / file.stem, len(boxes), first=0, digits=1)
    return _video(file.stem, images, boxes, np.ones(len(boxes), dtype=np.bool_))
