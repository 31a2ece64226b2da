"""Index of a source whose images stay in their files, made without opening one; for data sets of millions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import Annotations, join_tracks
from aiatrack.data.index import SourceIndex


def index_files(annotations: Annotations) -> SourceIndex:
    """Number the images and objects of a source; sizes, outlines and cut-outs are not known."""
    clips = annotations.clips
    first = np.cumsum([0, *(len(clip.images) for clip in clips)])
    images = int(first[-1])
    rows = join_tracks([track for clip in clips for track in clip.tracks])
    tracks_of_clip = np.array([len(clip.tracks) for clip in clips], dtype=np.int64)
    first_of_track = np.repeat(first[:-1], tracks_of_clip)
    count = int(rows.visible.sum())
    return SourceIndex(
        image_offset=np.full(images, -1, dtype=np.int64),
        image_size=np.zeros((images, 2), dtype=np.int32),
        image_channels=np.zeros(images, dtype=np.uint8),
        image_clip=np.repeat(np.arange(len(clips), dtype=np.int32), np.diff(first)),
        image_frame=_concatenate([clip.frame_numbers for clip in clips], np.int64),
        image_detail=np.zeros((0, 16, 16), dtype=np.uint8),
        clip_name=np.array([clip.name for clip in clips], dtype=np.str_),
        clip_is_video=np.array([clip.is_video for clip in clips], dtype=np.bool_),
        object_image=(first_of_track[rows.track] + rows.frames)[rows.visible].astype(np.int32),
        object_box_xywh=rows.boxes_xywh[rows.visible].astype(np.float32),
        object_track=rows.track[rows.visible].astype(np.int32),
        object_cutout=np.full(count, -1, dtype=np.int32),
        object_cutout_origin=np.zeros((count, 2), dtype=np.float32),
        outline_start=np.zeros(count + 1, dtype=np.int64),
        outline_points=np.zeros((0, 2), dtype=np.float32),
        problems=np.array(annotations.problems, dtype=np.str_),
    )


def _concatenate(parts: Sequence[npt.NDArray[Any]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype=dtype)
