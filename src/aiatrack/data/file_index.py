"""Index of a source whose images stay in their files, made without opening one; for data sets of millions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import Annotations, Clip
from aiatrack.data.index import SourceIndex


def index_files(annotations: Annotations) -> SourceIndex:
    """Number the images and objects of a source; sizes, outlines and cut-outs are not known."""
    clips = annotations.clips
    first = np.cumsum([0, *(len(clip.images) for clip in clips)])
    objects = [_clip_objects(clip, int(start)) for clip, start in zip(clips, first, strict=False)]
    tracks_before = np.cumsum([0, *(len(clip.tracks) for clip in clips)])
    images = int(first[-1])
    track = [part[2] + before for part, before in zip(objects, tracks_before, strict=False)]
    count = sum(len(part[0]) for part in objects)
    return SourceIndex(
        image_offset=np.full(images, -1, dtype=np.int64),
        image_size=np.zeros((images, 2), dtype=np.int32),
        image_channels=np.zeros(images, dtype=np.uint8),
        image_clip=np.repeat(np.arange(len(clips), dtype=np.int32), np.diff(first)),
        image_frame=_concatenate([clip.frame_numbers for clip in clips], np.int64),
        image_detail=np.zeros((0, 16, 16), dtype=np.uint8),
        clip_name=np.array([clip.name for clip in clips], dtype=np.str_),
        clip_is_video=np.array([clip.is_video for clip in clips], dtype=np.bool_),
        object_image=_concatenate([part[0] for part in objects], np.int32),
        object_box_xywh=_concatenate([part[1].reshape(-1) for part in objects], np.float32).reshape(-1, 4),
        object_track=_concatenate(track, np.int32),
        object_cutout=np.full(count, -1, dtype=np.int32),
        object_cutout_origin=np.zeros((count, 2), dtype=np.float32),
        outline_start=np.zeros(count + 1, dtype=np.int64),
        outline_points=np.zeros((0, 2), dtype=np.float32),
        problems=np.array(annotations.problems, dtype=np.str_),
    )


def _concatenate(parts: Sequence[npt.NDArray[Any]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype=dtype)


def _clip_objects(
    clip: Clip, first_image: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Image, box and track of every visible object of a clip."""
    images, boxes, tracks = [np.zeros(0, np.int64)], [np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)]
    for number, track in enumerate(clip.tracks):
        usable = np.flatnonzero(track.visible & np.isfinite(track.boxes_xywh).all(axis=1))
        images.append(first_image + usable)
        boxes.append(track.boxes_xywh[usable].astype(np.float32))
        tracks.append(np.full(len(usable), number))
    return np.concatenate(images), np.concatenate(boxes), np.concatenate(tracks)
