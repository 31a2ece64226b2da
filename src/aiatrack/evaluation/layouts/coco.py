"""A COCO-style JSON file of videos, images and annotations with track numbers."""

import json
import math
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import time_of_change
from aiatrack.number_files import read_text
from aiatrack.paths import is_file

_TRACK_KEYS = ("track_id", "instance_id")
_FRAME_KEYS = ("frame_index", "frame_id")
_FILM_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"}
)
"""Endings of a video's name, in lower case, that are no part of what it is called."""


class CocoLayout:
    """`annotations.json` (or the only JSON file) beside the frames; each track of a video is a sequence.

    A sequence runs from the track's first box to the video's last frame; frames without a box, or with one
    that has no area, are absent. Crowds, and tracks that are absent throughout, are no targets.
    """

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: `VIDEO_TRACK` for every track, the file's videos in order."""
        path = _json_file(root)
        tracks = _read_tracks(path, time_of_change(path))
        return tuple(
            SequenceDescription(
                name=name, annotation=str(path.relative_to(root)), object_class=track["class"]
            )
            for name, track in tracks.items()
        )

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`: `file_name` of every image, below the root."""
        return tuple(root / name for name in self._track(root, sequence)["files"])

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`: the JSON file."""
        return root / sequence.annotation

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`."""
        track = self._track(root, sequence)
        return build_annotation(np.array(track["boxes"]), image_size=track["size"], origin=sequence.name)

    def _track(self, root: Path, sequence: SequenceDescription) -> dict[str, Any]:
        path = self.annotation_path(root, sequence)
        return _read_tracks(path, time_of_change(path))[sequence.name]


def _json_file(root: Path) -> Path:
    named = root / "annotations.json"
    files = [named] if is_file(named) else sorted(root.glob("*.json"))
    if len(files) != 1:
        raise DataError(f"{root}: annotations.json, or a single JSON file, was expected; found {len(files)}")
    return files[0]


@lru_cache(maxsize=4)
def _read_tracks(path: Path, _modified: int) -> dict[str, dict[str, Any]]:
    """Tracks by sequence name: class, boxes, files, size. Read once for each state of the file."""
    try:
        content = json.loads(read_text(path))
        return _collect_tracks(content)
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    except KeyError as error:
        raise DataError(f"{path} is not a COCO file of videos: {error} is missing") from error
    except (TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a COCO file of videos: {error}") from error
    except ValueError as error:
        raise DataError(f"{path} cannot be used: {error}") from error


def _collect_tracks(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    videos = _name_videos(content.get("videos", ()))
    classes = {category["id"]: category["name"] for category in content.get("categories", ())}
    images: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for image in content["images"]:
        images[image.get("video_id")].append(image)
    tracks: dict[str, dict[str, Any]] = {}
    for (video, track), entries in _group_by_track(content).items():
        name = f"{videos.get(video, video if video is not None else 'video')}_{track}"
        if name in tracks:
            raise ValueError(
                f"two sequences would be called {name}: rename one of their videos, or renumber its tracks"
            )
        boxes = {image: box for image, box in _boxes_by_image(track, entries).items() if _has_area(box)}
        if not boxes:
            continue
        category = classes.get(entries[-1].get("category_id"))
        tracks[name] = _lay_out(_ordered(images[video]), boxes, category)
    return tracks


def _group_by_track(content: dict[str, Any]) -> dict[tuple[Any, Any], list[dict[str, Any]]]:
    """Annotations by video and track.

    Raises:
        ValueError: two images have the same id, so that it cannot be told whose the annotations are.
    """
    video_of: dict[Any, Any] = {}
    for image in content["images"]:
        if image["id"] in video_of:
            raise ValueError(f"image {image['id']} is given more than once: number the images anew")
        video_of[image["id"]] = image.get("video_id")
    groups: dict[tuple[Any, Any], list[dict[str, Any]]] = defaultdict(list)
    for entry in content["annotations"]:
        if not entry.get("iscrowd"):
            groups[video_of[entry["image_id"]], _track_of(entry)].append(entry)
    return groups


def _name_videos(videos: list[dict[str, Any]]) -> dict[Any, str]:
    """The last part of each video's path, behind its folders where two would be called the same."""
    paths = {}
    for video in videos:
        name = str(video.get("name") or video.get("file_name") or video["id"])
        paths[video["id"]] = PurePosixPath(_without_ending(name.replace("\\", "/")))
    shared = Counter(path.name for path in paths.values())
    return {
        video: path.name if shared[path.name] == 1 else "_".join(path.parts).lstrip("/._")
        for video, path in paths.items()
    }


def _without_ending(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in _FILM_SUFFIXES else name


def _track_of(entry: dict[str, Any]) -> Any:
    """The first of a track's numbers that is given, and not null.

    Raises:
        ValueError: neither is.
    """
    track = next((entry[key] for key in _TRACK_KEYS if entry.get(key) is not None), None)
    if track is None:
        raise ValueError(f"annotation {entry.get('id')} has no {' or '.join(_TRACK_KEYS)}")
    return track


def _boxes_by_image(track: Any, entries: list[dict[str, Any]]) -> dict[Any, list[float]]:
    """A track's boxes by the ids of their images.

    Raises:
        ValueError: a box is none, or an image has two.
    """
    boxes: dict[Any, list[float]] = {}
    for entry in entries:
        image = entry["image_id"]
        if image in boxes:
            raise ValueError(f"annotation {entry.get('id')}: image {image} has a box of track {track} before")
        boxes[image] = _box_of(entry)
    return boxes


def _has_area(box: list[float]) -> bool:
    """Whether a box is one: files mark the absent by `[0, 0, 0, 0]` as well as by leaving the box out."""
    return all(map(math.isfinite, box)) and box[2] > 0 and box[3] > 0


def _box_of(entry: dict[str, Any]) -> list[float]:
    """Left, top, width, height.

    Raises:
        ValueError: they are not four numbers.
    """
    try:
        left, top, width, height = map(float, entry["bbox"])
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"annotation {entry.get('id')}: bbox {entry['bbox']!r:.80} is not four numbers x, y, w, h"
        ) from error
    return [left, top, width, height]


def _ordered(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    key = next((key for key in _FRAME_KEYS if all(image.get(key) is not None for image in images)), None)
    return sorted(images, key=lambda image: image["id"] if key is None else _frame_number(image, key))


def _frame_number(image: dict[str, Any], key: str) -> int:
    try:
        return int(image[key])
    except (TypeError, ValueError) as error:
        raise ValueError(f"image {image['id']}: {key} {image[key]!r:.80} is no whole number") from error


def _lay_out(
    frames: list[dict[str, Any]], boxes: dict[Any, list[float]], category: str | None
) -> dict[str, Any]:
    start = next(index for index, frame in enumerate(frames) if frame["id"] in boxes)
    kept = frames[start:]
    size = (kept[0]["width"], kept[0]["height"]) if {"width", "height"} <= kept[0].keys() else None
    return {
        "class": category,
        "boxes": [boxes.get(frame["id"], [np.nan] * 4) for frame in kept],
        "files": [frame["file_name"] for frame in kept],
        "size": size,
    }
