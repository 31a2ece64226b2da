"""The one form in which every reader hands over its annotations: clips of frames, and tracks through them.

A still image is a clip of one frame. T frames, K boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]

LARGEST_PX = 1e9
"""Beyond it, a number of pixels is taken for a slip of the file."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object in the K frames of a clip in which it is annotated; in a crowd that may be one.

    Attributes:
        frames: `(K,)` int, their places in the clip, rising.
        boxes_xywh: `(K, 4)` float32, px of the image; finite.
        visible: `(K,)` bool; false where the object is absent, out of view or fully covered.
        label: what it is, in the source's words; may be empty.
        mask_values: `(K,)` int, the value that marks the object in the frame's mask image; 0 where none does.
    """

    frames: npt.NDArray[np.int_]
    boxes_xywh: FloatArray
    visible: npt.NDArray[np.bool_]
    label: str = ""
    mask_values: npt.NDArray[np.int_] | None = None


class TrackRows(NamedTuple):
    """The boxes of several tracks, track by track, K in all.

    Attributes:
        track: `(K,)` int, place of the track that a box is of.
        frames, boxes_xywh, visible: as in `Track`.
    """

    track: npt.NDArray[np.int_]
    frames: npt.NDArray[np.int_]
    boxes_xywh: FloatArray
    visible: npt.NDArray[np.bool_]


def join_tracks(tracks: Sequence[Track]) -> TrackRows:
    """Join the boxes of tracks: one look at all of them, where there may be thousands of one box each."""
    none = np.zeros(0, dtype=np.int64), np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.bool_)
    columns = zip(none, *((track.frames, track.boxes_xywh, track.visible) for track in tracks), strict=True)
    counts = np.array([len(track.frames) for track in tracks], dtype=np.int64)
    return TrackRows(np.repeat(np.arange(len(tracks)), counts), *map(np.concatenate, columns))


@dataclass(frozen=True)
class Clip:
    """Frames of one video, or one still image, and the objects annotated in it.

    Attributes:
        name: unique within its source.
        images: T image files.
        frame_numbers: `(T,)` rising numbers of the frames in the original video.
        tracks: the objects.
        masks: T mask images, None for a frame without; or None if there are no masks at all.
        is_video: false for a still image.
        declared_sizes: `(T, 2)` width and height that the annotations state, px, 0 where they do not; or None
            if they state none at all.
    """

    name: str
    images: Sequence[Path]
    frame_numbers: npt.NDArray[np.int_]
    tracks: Sequence[Track]
    masks: Sequence[Path | None] | None = None
    is_video: bool = False
    declared_sizes: npt.NDArray[np.int_] | None = None


@dataclass(frozen=True)
class Annotations:
    """What a reader found in one source.

    Attributes:
        name: of the source.
        clips: in the source's order.
        problems: one line for each thing that was passed over, naming it.
    """

    name: str
    clips: tuple[Clip, ...]
    problems: tuple[str, ...] = ()
