"""Reader of COCO 2017 and of one's own images and video annotated in its style."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.errors import DataError
from aiatrack.paths import is_folder

_TRACK_KEYS = ("track_id", "instance_id")


def read_coco(path: Path, split: str | None = None) -> Annotations:
    """Read COCO's JSON: `images`, `annotations` with `bbox` in xywh px, and `categories`.

    With `videos`, images carry `video_id` (and `frame_id`), annotations `track_id` or `instance_id`, and
    each track becomes one object through its video.

    Args:
        path: COCO's folder, with `annotations/instances_<split>.json`; or a JSON file, whose images are
            looked for beside it and in `images` beside it.
        split: `train2017` (the default) or `val2017`; not for a JSON file.

    Raises:
        DataError: the file cannot be read or is not of this form.
    """
    name = split or "train2017"
    file = path / "annotations" / f"instances_{name}.json" if is_folder(path) else path
    folders = (
        [path / name, path / "images" / name] if is_folder(path) else [path.parent, path.parent / "images"]
    )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        images, rows = content["images"], content["annotations"]
        labels = {row["id"]: str(row["name"]) for row in content.get("categories", [])}
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: expected COCO's JSON with images, annotations and categories: {error!r}"
        ) from error
    folder = _folder_with(images, folders)
    reader = _CocoReader(folder, labels, rows)
    source = f"coco-{name}" if is_folder(path) else file.stem
    return reader.read(source, images)


def _folder_with(images: list[dict[str, Any]], folders: list[Path]) -> Path:
    for folder in folders:
        if images and (folder / str(images[0].get("file_name"))).is_file():
            return folder
    return folders[0]


class _CocoReader:
    """Groups annotations by image, and images by video."""

    def __init__(self, folder: Path, labels: dict[int, str], rows: list[dict[str, Any]]) -> None:
        self.folder, self.labels = folder, labels
        self.problems: list[str] = []
        self.rows_of: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            box = row.get("bbox")
            if row.get("iscrowd"):
                continue
            if not isinstance(box, list) or len(box) != 4 or min(box[2:]) <= 0:
                self.problems.append(f"annotation {row.get('id')}: bbox {box} is not four numbers x, y, w, h")
                continue
            self.rows_of[row.get("image_id")].append(row)

    def read(self, name: str, images: list[dict[str, Any]]) -> Annotations:
        groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for image in images:
            if "file_name" not in image or "id" not in image:
                self.problems.append(f"image {image.get('id')}: no file_name or id")
                continue
            video = image.get("video_id")
            groups[("image", image["id"]) if video is None else ("video", video)].append(image)
        clips = [self._clip(key, group) for key, group in groups.items()]
        return Annotations(name, tuple(clips), tuple(self.problems))

    def _clip(self, key: tuple[str, Any], images: list[dict[str, Any]]) -> Clip:
        is_video = key[0] == "video"
        images = sorted(images, key=lambda image: image.get("frame_id", image.get("frame_index", 0)))
        numbers = [image.get("frame_id", image.get("frame_index", t)) for t, image in enumerate(images)]
        boxes: dict[Any, Any] = {}
        labels: dict[Any, str] = {}
        for t, image in enumerate(images):
            for row in self.rows_of[image["id"]]:
                track = next((row[name] for name in _TRACK_KEYS if name in row), None)
                identity = (track,) if is_video and track is not None else (t, row.get("id"), len(boxes))
                boxes.setdefault(identity, np.full((len(images), 4), np.nan, np.float32))[t] = row["bbox"]
                labels[identity] = self.labels.get(row.get("category_id", -1), "")
        tracks = tuple(
            Track(b, np.isfinite(b).all(axis=1), labels[identity]) for identity, b in boxes.items()
        )
        name = f"video {key[1]}" if is_video else str(images[0]["file_name"])
        files = [self.folder / image["file_name"] for image in images]
        return Clip(name, files, np.array(numbers, dtype=np.int64), tracks, is_video=is_video)
