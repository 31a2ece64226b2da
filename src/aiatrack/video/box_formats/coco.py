"""COCO's JSON for video: videos, images, tracks, annotations. A lost target has no annotation."""

import json
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

from aiatrack.video.box_formats.documents import Recording, label_of, printable
from aiatrack.video.box_writer import BoxRow, FilmFacts

_VIDEO_ID = 1


def compose_coco(recording: Recording) -> Iterator[str]:
    """Make the document; see `Compose`.

    Boxes are x, y, width, height in pixels from 0. Images carry `frame_index`, the frame's index in its
    source, and `frame_id`, its place in this file; annotations carry their track as `track_id` and as
    `instance_id`: the names that TAO and CocoVID read.
    """
    categories = {label: n for n, label in enumerate(dict.fromkeys(map(label_of, recording.ids)), start=1)}
    sections = {
        "videos": [_video(recording)],
        "categories": [{"id": number, "name": label} for label, number in categories.items()],
        "tracks": _tracks(recording, categories),
        "images": _images(recording),
        "annotations": _annotations(recording, categories),
    }
    yield '{"info": {"description": "boxes by aiatrack"},\n"licenses": []'
    for name, entries in sections.items():
        yield f',\n"{name}": ['
        yield from _joined(entries)
        yield "]"
    yield "}\n"


def _joined(entries: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One entry a line, so that differences between two files can be read."""
    for count, entry in enumerate(entries):
        yield ("," if count else "") + "\n" + json.dumps(entry)


def _video(recording: Recording) -> dict[str, Any]:
    film = recording.film
    video = {
        "id": _VIDEO_ID,
        "name": printable(film.name),
        "width": film.width,
        "height": film.height,
        "length": recording.frame_count,
    }
    return video if film.frame_rate is None else video | {"fps": round(film.frame_rate, 6)}


def _tracks(recording: Recording, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    for target_id in recording.ids:
        yield {
            "id": recording.numbers[target_id],
            "video_id": _VIDEO_ID,
            "category_id": categories[label_of(target_id)],
            "name": str(target_id),
        }


def _images(recording: Recording) -> Iterator[dict[str, Any]]:
    for place, shown in enumerate(recording.frames()):
        yield {
            "id": place + 1,
            "video_id": _VIDEO_ID,
            "file_name": _image_name(recording.film, shown.frame),
            "width": recording.film.width,
            "height": recording.film.height,
            "frame_index": shown.frame,
            "frame_id": place,
            "time": shown.time_s,
        }


def _image_name(film: FilmFacts, frame: int) -> str:
    """The image's own name; for a frame of a film, the one that it is likely to be exported by."""
    if frame < len(film.image_names):
        return film.image_names[frame]
    return f"{PurePath(printable(film.name)).stem}/{frame:06d}.jpg"


def _annotations(recording: Recording, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    rows = (
        (place + 1, row)
        for place, shown in enumerate(recording.frames())
        for row in shown.rows
        if not row.is_absent
    )
    for number, (image_id, row) in enumerate(rows, start=1):
        track = recording.numbers[row.id]
        yield {
            "id": number,
            "image_id": image_id,
            "video_id": _VIDEO_ID,
            "category_id": categories[label_of(row.id)],
            "track_id": track,
            "instance_id": track,
        } | _shape(row)


def _shape(row: BoxRow) -> dict[str, Any]:
    _, _, width, height = row.box_xywh
    return {
        "bbox": list(row.box_xywh),
        "area": round(width * height, 4),
        "iscrowd": 0,
        "score": round(row.confidence, 4),
        "state": row.state,
    }
