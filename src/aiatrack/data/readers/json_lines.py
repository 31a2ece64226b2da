"""Reader of annotations as JSON lines: one image a line, the project's own layout.

A line: `{"image": path from the file's folder, "width", "height": px, "boxes": [[x, y, w, h], ...],
"labels": [...], "mask": path of an 8-bit PNG or null (value or palette index k marks boxes[k - 1]),
"video": id or null, "frame": number or null}`. In a video, `boxes[0]` is one object as long as its label
stays the same.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import LARGEST_PX, Annotations, Clip, Track
from aiatrack.data.declared_sizes import read_declared_sizes
from aiatrack.data.readers.frame_numbers import parse_frame_number
from aiatrack.errors import DataError

_FIELDS = ("image", "boxes")
_NO_NUMBER = "has no frame number, which other frames of its video have; it is left out"


def read_json_lines(path: Path, *, identity: bool = True) -> Annotations:
    """Read one file of JSON lines.

    Args:
        path: the file; image paths in it are relative to its folder.
        identity: `boxes[0]` follows one object through a video. If false, frames are read as stills.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read annotations {path}: {error}") from error
    videos: dict[str, list[dict[str, Any]]] = defaultdict(list)
    problems = []
    # Not `splitlines`, which also splits at separators that JSON allows within a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = _parse_row(line)
        except ValueError as error:
            problems.append(f"{path.name}, line {number}: {error}")
            continue
        row["line"] = number
        problems += [f"{path.name}, line {number}: {problem}" for problem in _problems_of_still(row)]
        is_frame = identity and row.get("video") is not None
        videos[f"{row['video']}" if is_frame else f"{row['image']}"].append(row)
    if not videos and _is_coco(text):
        raise DataError(f"{path}: expected an object a line; this looks like COCO's JSON: set layout=coco")
    clips = []
    for name, rows in videos.items():
        is_video = identity and rows[0].get("video") is not None
        ordered, unnumbered = _in_order(rows) if is_video else (rows, [])
        problems += [f"{path.name}, line {row['line']}: {_NO_NUMBER}" for row in unnumbered]
        clips.append(_build_clip(name, ordered, path.parent, is_video))
    return Annotations(path.stem, tuple(clips), tuple(problems))


def _is_coco(text: str) -> bool:
    try:
        content = json.loads(text)
    except ValueError:
        return False
    return isinstance(content, dict) and "images" in content


def _parse_row(line: str) -> dict[str, Any]:
    """Return the row with its boxes as an array and its frame as a number or None.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg}") from error
    if not isinstance(row, dict) or any(field not in row for field in _FIELDS):
        raise ValueError(f"expected an object with {' and '.join(_FIELDS)}")
    if not isinstance(row["image"], str):
        raise ValueError(f"image must be a path, got {row['image']!r:.80}")
    for field, kind, words in (("mask", str, "a path"), ("labels", list, "a list")):
        if row.get(field) is not None and not isinstance(row[field], kind):
            raise ValueError(f"{field} must be {words} or null, got {row[field]!r:.80}")
    row["frame"] = None if row.get("frame") is None else parse_frame_number(row["frame"])
    row["boxes"] = _parse_boxes(row["boxes"])
    return row


def _parse_boxes(boxes: Any) -> npt.NDArray[np.float32]:
    """`(K, 4)`, NaN for what is NaN or null: so a clip marks an object as absent."""
    try:
        numbers = np.asarray(boxes, dtype=np.float64)
        if numbers.size and numbers.shape[-1:] != (4,):
            raise ValueError(f"got an array of shape {numbers.shape}")
        if (np.abs(numbers) > LARGEST_PX).any():
            raise ValueError("got a number that no image can hold")
        return numbers.reshape(-1, 4).astype(np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"boxes must be lists of four numbers x, y, width, height, at most {LARGEST_PX:g} px"
        ) from error


def _problems_of_still(row: dict[str, Any]) -> list[str]:
    """Boxes without numbers, which mean something in a clip alone."""
    if row.get("video") is not None:
        return []
    unknown = set(range(len(row["boxes"]))).difference(_known_boxes(row))
    return [f"box {k + 1} has no number where one is expected; it is left out" for k in sorted(unknown)]


def _known_boxes(row: dict[str, Any]) -> list[int]:
    """Places of the boxes that have all their numbers."""
    places: list[int] = np.flatnonzero(np.isfinite(row["boxes"]).all(axis=1)).tolist()
    return places


def _in_order(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Frames of a video by their numbers, or as they come where none has one; and those that lack theirs."""
    numbered = [row for row in rows if row["frame"] is not None]
    if not numbered:
        return [{**row, "frame": index} for index, row in enumerate(rows)], []
    unnumbered = [row for row in rows if row["frame"] is None]
    return sorted(numbered, key=lambda row: int(row["frame"])), unnumbered


def _build_clip(name: str, rows: list[dict[str, Any]], folder: Path, is_video: bool) -> Clip:
    frames = np.array([row["frame"] or 0 for row in rows], dtype=np.int64)
    masks = [folder / row["mask"] if row.get("mask") else None for row in rows]
    tracks = _first_box_tracks(rows) if is_video else []
    for index, row in enumerate(rows):
        tracks += [_lone_box(row, index, k) for k in _known_boxes(row) if k > 0 or not is_video]
    images = [folder / row["image"] for row in rows]
    has_masks = any(mask is not None for mask in masks)
    sizes = read_declared_sizes(rows)
    return Clip(name, images, frames, tuple(tracks), masks if has_masks else None, is_video, sizes)


def _label(row: dict[str, Any], k: int) -> str:
    labels = row.get("labels") or []
    return str(labels[k]) if k < len(labels) else ""


def _first_box_tracks(rows: list[dict[str, Any]]) -> list[Track]:
    frames_of: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if 0 in _known_boxes(row):
            frames_of[_label(row, 0)].append(index)
    return [
        _track([rows[t]["boxes"][0] for t in frames], frames, label, 1) for label, frames in frames_of.items()
    ]


def _lone_box(row: dict[str, Any], frame: int, k: int) -> Track:
    """An object that nothing joins to those of other frames."""
    return _track([row["boxes"][k]], [frame], _label(row, k), k + 1)


def _track(boxes: list[npt.NDArray[np.float32]], frames: list[int], label: str, mask_value: int) -> Track:
    count = len(frames)
    return Track(
        np.array(frames), np.array(boxes), np.ones(count, np.bool_), label, np.full(count, mask_value)
    )
