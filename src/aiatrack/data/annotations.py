"""The one form in which every reader hands over its annotations: clips of frames, and tracks through them.

A still image is a clip of one frame. T frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Track:
    """One object through the frames of a clip.

    Attributes:
        boxes_xywh: `(T, 4)` float32, px of the image; NaN where there is no annotation.
        visible: `(T,)` bool; false where the object is absent, out of view or fully covered.
        label: what it is, in the source's words; may be empty.
        mask_values: `(T,)` int, the value that marks the object in the frame's mask image; 0 where none does.
    """

    boxes_xywh: FloatArray
    visible: npt.NDArray[np.bool_]
    label: str = ""
    mask_values: npt.NDArray[np.int_] | None = None


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
    """

    name: str
    images: Sequence[Path]
    frame_numbers: npt.NDArray[np.int_]
    tracks: tuple[Track, ...]
    masks: Sequence[Path | None] | None = None
    is_video: bool = False


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
