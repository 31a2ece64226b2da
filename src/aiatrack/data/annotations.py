"""The one form in which every reader hands over its annotations: clips of frames, and tracks through them.

A still image is a clip of one frame. T frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

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
class LoneBox:
    """An object that is known in a single frame of its clip.

    Attributes:
        frame: index of the frame.
        box_xywh: `(4,)` px of the image.
        label: as in `Track`.
        mask_value: as in `Track`; None if there are no masks at all.
    """

    frame: int
    box_xywh: FloatArray
    label: str = ""
    mask_value: int | None = None

    def as_track(self, frames: int) -> Track:
        """Return the same with a row for each of the clip's frames."""
        boxes = np.full((frames, 4), np.nan, dtype=np.float32)
        boxes[self.frame] = self.box_xywh
        visible = np.arange(frames) == self.frame
        return Track(
            boxes, visible, self.label, None if self.mask_value is None else visible * self.mask_value
        )


class SparseTracks(Sequence[Track]):
    """Tracks of a clip of which some are a lone box: that gets its row for each frame when it is asked for.

    In a crowd whose boxes nothing joins from frame to frame, these rows would grow with the square of the
    clip's length.
    """

    def __init__(self, objects: Sequence[Track | LoneBox], frames: int) -> None:
        self._objects, self._frames = tuple(objects), frames

    def __len__(self) -> int:
        return len(self._objects)

    @overload
    def __getitem__(self, place: int) -> Track: ...
    @overload
    def __getitem__(self, place: slice) -> list[Track]: ...
    def __getitem__(self, place: int | slice) -> Track | list[Track]:
        """Return one track, or a list of them."""
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        found = self._objects[place]
        return found if isinstance(found, Track) else found.as_track(self._frames)


@dataclass(frozen=True)
class Clip:
    """Frames of one video, or one still image, and the objects annotated in it.

    Attributes:
        name: unique within its source.
        images: T image files.
        frame_numbers: `(T,)` rising numbers of the frames in the original video.
        tracks: the objects; `SparseTracks` where many may be in a single frame each.
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
