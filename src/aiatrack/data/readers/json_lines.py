"""Reader of annotations as JSON lines: one image a line, the project's own layout.

A line: `{"image": path from the file's folder, "width", "height": px, "boxes": [[x, y, w, h], ...],
"labels": [...], "mask": path of an 8-bit PNG or null (value k marks boxes[k - 1]), "video": id or null,
"frame": number or null}`. In a video, `boxes[0]` is one object as long as its label stays the same.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.errors import DataError

_FIELDS = ("image", "boxes")


def read_json_lines(path: Path, *, identity: bool = True) -> Annotations:
    """Read one file of JSON lines.

    Args:
        path: the file; image paths in it are relative to its folder.
        identity: `boxes[0]` follows one object through a video. If false, frames are read as stills.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read annotations {path}: {error}") from error
    videos: dict[str, list[dict[str, Any]]] = defaultdict(list)
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        row = _parse_row(line)
        if isinstance(row, str):
            problems.append(f"{path.name}, line {number}: {row}")
            continue
        is_frame = identity and row.get("video") is not None
        videos[f"{row['video']}" if is_frame else f"{row['image']}"].append(row)
    clips = tuple(_build_clip(name, rows, path.parent, identity) for name, rows in videos.items())
    return Annotations(path.stem, clips, tuple(problems))


def _parse_row(line: str) -> dict[str, Any] | str:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg}"
    if not isinstance(row, dict) or any(field not in row for field in _FIELDS):
        return f"expected an object with {' and '.join(_FIELDS)}"
    try:
        boxes = np.asarray(row["boxes"], dtype=np.float32).reshape(-1, 4)
    except (TypeError, ValueError):
        return "boxes must be lists of four numbers x, y, width, height"
    row["boxes"] = boxes
    return row


def _build_clip(name: str, rows: list[dict[str, Any]], folder: Path, identity: bool) -> Clip:
    is_video = identity and rows[0].get("video") is not None
    if is_video:
        rows = sorted(rows, key=lambda row: row.get("frame") or 0)
    frames = np.array([row.get("frame") or index for index, row in enumerate(rows)], dtype=np.int64)
    masks = [folder / row["mask"] if row.get("mask") else None for row in rows]
    tracks = _first_box_tracks(rows) if is_video else []
    for index, row in enumerate(rows):
        tracks += [_lone_track(rows, index, k) for k in range(1 if is_video else 0, len(row["boxes"]))]
    images = [folder / row["image"] for row in rows]
    has_masks = any(mask is not None for mask in masks)
    return Clip(name, images, frames, tuple(tracks), masks if has_masks else None, is_video)


def _label(row: dict[str, Any], k: int) -> str:
    labels = row.get("labels") or []
    return str(labels[k]) if k < len(labels) else ""


def _first_box_tracks(rows: list[dict[str, Any]]) -> list[Track]:
    labels = [_label(row, 0) if len(row["boxes"]) else None for row in rows]
    tracks = []
    for label in dict.fromkeys(text for text in labels if text is not None):
        visible = np.array([other == label for other in labels])
        boxes = np.full((len(rows), 4), np.nan, dtype=np.float32)
        for index in np.flatnonzero(visible):
            boxes[index] = rows[index]["boxes"][0]
        tracks.append(Track(boxes, visible, label, visible.astype(np.int64)))
    return tracks


def _lone_track(rows: list[dict[str, Any]], index: int, k: int) -> Track:
    boxes = np.full((len(rows), 4), np.nan, dtype=np.float32)
    boxes[index] = rows[index]["boxes"][k]
    visible = np.arange(len(rows)) == index
    return Track(boxes, visible, _label(rows[index], k), visible * (k + 1))
