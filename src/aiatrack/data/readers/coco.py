"""Reader of COCO 2017 and of one's own images and video annotated in its style."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aiatrack.data.annotations import LARGEST_PX, Annotations, Clip, Track
from aiatrack.data.declared_sizes import read_declared_sizes
from aiatrack.data.readers.frame_numbers import parse_frame_number
from aiatrack.errors import DataError
from aiatrack.paths import is_file, is_folder

_TRACK_KEYS = ("track_id", "instance_id")
_FRAME_KEYS = ("frame_id", "frame_index")


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
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        images, rows = content["images"], content["annotations"]
        labels = {row["id"]: str(row["name"]) for row in content.get("categories", [])}
        if not (isinstance(images, list) and isinstance(rows, list)):
            raise TypeError("images and annotations must be lists")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: expected COCO's JSON with images, annotations and categories: {error!r}"
        ) from error
    reader = _CocoReader(labels, images, rows)
    source = f"coco-{name}" if is_folder(path) else file.stem
    return reader.read(source, folders)


def _folder_with(images: list[dict[str, Any]], folders: list[Path]) -> Path:
    for folder in folders:
        if images and is_file(folder / images[0]["file_name"]):
            return folder
    return folders[0]


def _first(row: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """The first of some values that is given, and not null."""
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _is_name(value: Any) -> bool:
    """Whether a value can say which one it is: a number or a text."""
    return isinstance(value, int | float | str)


def _is_box(box: Any) -> bool:
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(n, int | float) for n in box)
    return numbers and all(abs(n) < LARGEST_PX for n in box) and all(n > 0 for n in box[2:])


def _problem_of_second(row: dict[str, Any], first: dict[str, Any], track: Any) -> str:
    return (
        f"annotation {row.get('id')}: track {track} has annotation {first.get('id')} in the same image "
        f"{row['image_id']}; it is left out"
    )


class _CocoReader:
    """Groups annotations by image, and images by video; what cannot be used is named and left out."""

    def __init__(self, labels: dict[Any, str], images: list[Any], rows: list[Any]) -> None:
        self.labels = labels
        self.problems: list[str] = []
        sound = self._without_problems("image", images, self._problem_of_image)
        # As in files that were merged without numbering anew: whose annotations are whose cannot be told.
        counts = Counter(image["id"] for image in sound)
        self.shared = {identity for identity, count in counts.items() if count > 1}
        self.images = self._without_problems("image", sound, self._problem_of_id)
        self.known = {image["id"] for image in self.images}
        self.rows_of: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in self._without_problems("annotation", rows, self._problem_of_row):
            if not row.get("iscrowd"):
                self.rows_of[row["image_id"]].append(row)

    def _without_problems(
        self, kind: str, entries: list[Any], problem_of: Callable[[dict[str, Any]], str]
    ) -> list[dict[str, Any]]:
        kept = []
        for entry in entries:
            if not isinstance(entry, dict):
                self.problems.append(f"{kind}s: expected objects, got {entry!r:.80}")
            elif problem := problem_of(entry):
                self.problems.append(f"{kind} {entry.get('id')}: {problem}")
            else:
                kept.append(entry)
        return kept

    def _problem_of_image(self, image: dict[str, Any]) -> str:
        if not isinstance(image.get("file_name"), str) or not _is_name(image.get("id")):
            return "no file_name or id"
        video = image.get("video_id")
        return "" if video is None or _is_name(video) else f"video_id {video!r:.80} is no number or text"

    def _problem_of_id(self, image: dict[str, Any]) -> str:
        return f"{image['file_name']} shares its id with another image" if image["id"] in self.shared else ""

    def _problem_of_row(self, row: dict[str, Any]) -> str:
        if not (_is_box(row.get("bbox")) or row.get("iscrowd")):
            return f"bbox {row.get('bbox')!r:.80} is not four numbers x, y, w, h"
        for key in (*_TRACK_KEYS, "category_id"):
            if row.get(key) is not None and not _is_name(row[key]):
                return f"{key} {row[key]!r:.80} is no number or text"
        return self._problem_of_image_id(row.get("image_id"))

    def _problem_of_image_id(self, image: Any) -> str:
        if _is_name(image) and image in self.shared:
            return f"its image {image!r:.80} is given more than once"
        return "" if _is_name(image) and image in self.known else f"there is no image {image!r:.80}"

    def read(self, name: str, folders: list[Path]) -> Annotations:
        folder = _folder_with(self.images, folders)
        groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for image in self.images:
            video = image.get("video_id")
            groups[("image", image["id"]) if video is None else ("video", video)].append(image)
        clips = [self._clip(key, group, folder) for key, group in groups.items()]
        return Annotations(name, tuple(clip for clip in clips if clip.images), tuple(self.problems))

    def _in_order(self, images: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
        """Frames of a video by their numbers, or as they come where none is given."""
        if all(_first(image, _FRAME_KEYS) is None for image in images):
            return list(enumerate(images))
        frames = []
        for image in images:
            try:
                frames.append((parse_frame_number(_first(image, _FRAME_KEYS)), image))
            except ValueError as error:
                self.problems.append(f"image {image['id']}: {error}; it is left out")
        return sorted(frames, key=lambda frame: frame[0])

    def _clip(self, key: tuple[str, Any], images: list[dict[str, Any]], folder: Path) -> Clip:
        is_video = key[0] == "video"
        frames = self._in_order(images) if is_video else list(enumerate(images))
        rows: dict[Any, dict[int, dict[str, Any]]] = defaultdict(dict)
        for t, (_, image) in enumerate(frames):
            for row in self.rows_of[image["id"]]:
                track = _first(row, _TRACK_KEYS)
                identity = (track,) if is_video and track is not None else (t, len(rows))
                if t not in rows[identity]:
                    rows[identity][t] = row
                else:
                    self.problems.append(_problem_of_second(row, rows[identity][t], track))
        tracks = tuple(self._object(own) for own in rows.values())
        name = f"video {key[1]}" if is_video else str(images[0]["file_name"])
        files = [folder / image["file_name"] for _, image in frames]
        numbers = np.array([number for number, _ in frames], dtype=np.int64)
        sizes = read_declared_sizes([image for _, image in frames])
        return Clip(name, files, numbers, tracks, is_video=is_video, declared_sizes=sizes)

    def _object(self, rows: dict[int, dict[str, Any]]) -> Track:
        """One object from its annotations by frame; the last one says what it is."""
        frames = np.array(list(rows), dtype=np.int64)  # which rise, as the rows came frame by frame
        label = self.labels.get(rows[int(frames[-1])].get("category_id", -1), "")
        boxes = np.array([row["bbox"] for row in rows.values()], dtype=np.float32)
        return Track(frames, boxes, np.ones(len(frames), dtype=np.bool_), label)
