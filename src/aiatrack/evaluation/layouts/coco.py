"""A COCO-style JSON file of videos, images and annotations with track numbers."""

import json
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.number_files import read_text
from aiatrack.paths import is_file

_TRACK_KEYS = ("track_id", "instance_id")
_ORDER_KEYS = ("frame_index", "frame_id", "id")


class CocoLayout:
    """`annotations.json` (or the only JSON file) beside the frames; each track of a video is a sequence.

    A sequence runs from the track's first box to the video's last frame; frames without a box are absent.
    """

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: `VIDEO_TRACK` for every track, the file's videos in order."""
        path = _json_file(root)
        tracks = _read_tracks(path, path.stat().st_mtime_ns)
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
        return _read_tracks(path, path.stat().st_mtime_ns)[sequence.name]


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
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not a COCO file of videos: {error} is missing or of the wrong kind"
        ) from error


def _collect_tracks(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    classes = {category["id"]: category["name"] for category in content.get("categories", ())}
    videos = {
        video["id"]: Path(video.get("name", video.get("file_name", str(video["id"])))).stem
        for video in content.get("videos", ())
    }
    images: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for image in content["images"]:
        images[image.get("video_id")].append(image)
    video_of = {image["id"]: image.get("video_id") for image in content["images"]}
    boxes: dict[tuple[Any, Any], dict[Any, list[float]]] = defaultdict(dict)
    category: dict[tuple[Any, Any], str | None] = {}
    for entry in content["annotations"]:
        track = next((entry[key] for key in _TRACK_KEYS if key in entry), None)
        if track is None:
            raise KeyError(" or ".join(_TRACK_KEYS))
        key = (video_of[entry["image_id"]], track)
        boxes[key][entry["image_id"]] = entry["bbox"]
        category[key] = classes.get(entry.get("category_id"))
    return {
        f"{videos.get(video, video if video is not None else 'video')}_{track}": _lay_out(
            _ordered(images[video]), found, category[video, track]
        )
        for (video, track), found in boxes.items()
    }


def _ordered(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = next(key for key in _ORDER_KEYS if all(key in image for image in images))
    return sorted(images, key=lambda image: image[order])


def _lay_out(
    frames: list[dict[str, Any]], boxes: dict[Any, list[float]], category: str | None
) -> dict[str, Any]:
    start = next(index for index, frame in enumerate(frames) if frame["id"] in boxes)
    kept = frames[start:]
    size = (kept[0]["width"], kept[0]["height"]) if {"width", "height"} <= kept[0].keys() else None
    return {
        "class": category,
        "boxes": [[float(n) for n in boxes.get(frame["id"], [np.nan] * 4)] for frame in kept],
        "files": [frame["file_name"] for frame in kept],
        "size": size,
    }
