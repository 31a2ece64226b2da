"""Clips kept from training, on which a tracker is run to choose among weights."""

import itertools
import math
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.boxes import check_box_xywh
from aiatrack.config.data import DataSettings
from aiatrack.data.box_use import lies_outside
from aiatrack.data.corpus import clip_part
from aiatrack.data.images import ImageBank
from aiatrack.data.index import SourceIndex
from aiatrack.data.sources import read_sources, store_sources
from aiatrack.data.store import Progress
from aiatrack.errors import BoxError, DataError

_LEAST_FRAMES = 12
_LEAST_VISIBLE = 0.5


@dataclass(frozen=True)
class ValidationClip:
    """One target in one clip.

    Attributes:
        name: source and clip, and a number behind them where several have this name.
        boxes_xywh: `(T, 4)` float32, px; NaN where the target is absent. It is there in frame 0.
    """

    name: str
    boxes_xywh: npt.NDArray[np.float32]
    _images: ImageBank
    _ids: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self._ids)

    def frames(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Return the T frames one by one, `(H, W, 3)` uint8 RGB."""
        return (np.array(self._images.read(int(image))[..., :3]) for image in self._ids)


def validation_clips(
    settings: DataSettings,
    *,
    clips_per_source: int = 4,
    frames_max: int = 100,
    progress: Progress | None = None,
) -> tuple[ValidationClip, ...]:
    """Return clips of the validation part, the same ones every time.

    Args:
        settings: sources, and the share of clips that is kept from training.
        clips_per_source: of each source the clips with the most frames in which the target is visible;
            fewer of a source of weight less than 1.
        frames_max: longer clips are thinned out evenly.
        progress: told of images decoded while the store is made, which happens once.

    Raises:
        DataError: there is no source, one cannot be read, or a clip cannot be tracked from its first frame.
    """
    sources = read_sources(settings)
    images, indexes = store_sources(sources, settings, progress)
    found: dict[str, ValidationClip] = {}
    first_image = 0
    for source, index in zip(sources, indexes, strict=True):
        ours = [clip for clip in _clips(index, settings) if len(clip[1]) >= _LEAST_FRAMES]
        ours.sort(key=lambda clip: -int(np.isfinite(clip[2][:, 0]).sum()))
        for name, rows, boxes in ours[: math.ceil(clips_per_source * min(source.weight, 1.0))]:
            kept = _thinned(len(rows), frames_max)
            full_name = _name_of_its_own(f"{source.annotations.name}/{name}", found)
            clip = ValidationClip(full_name, boxes[kept], images, first_image + rows[kept])
            _check_start(clip)
            found[full_name] = clip
        first_image += len(index.image_offset)
    return tuple(found.values())


def _name_of_its_own(name: str, taken: Container[str]) -> str:
    numbered = (f"{name} ({number})" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one not in taken)


def _check_start(clip: ValidationClip) -> None:
    """Find out now, and not after hours of training, that a tracker cannot start."""
    height, width = next(clip.frames()).shape[:2]
    try:
        check_box_xywh(clip.boxes_xywh[0], width, height)
    except BoxError as error:
        raise DataError(f"validation cannot start in clip {clip.name}: {error}; correct it") from error


_Found = tuple[str, npt.NDArray[np.int64], npt.NDArray[np.float32]]


def _clips(index: SourceIndex, settings: DataSettings) -> Iterator[_Found]:
    """For each clip with a target that is mostly visible: name, image rows from the first box on, boxes."""
    clips = len(index.clip_name)
    images_of = _by_clip(index.image_clip, clips)
    objects_of = _by_clip(index.image_clip[index.object_image], clips)
    for clip in np.flatnonzero(index.clip_is_video).tolist():
        name, objects = str(index.clip_name[clip]), objects_of(clip)
        if not len(objects) or clip_part(name, True, settings) != "validation":
            continue
        rows = images_of(clip)
        rows = rows[np.argsort(index.image_frame[rows], kind="stable")]
        boxes = _boxes_of_one(index, objects, rows)
        visible = np.isfinite(boxes[:, 0])
        start = int(visible.argmax())
        if visible[start:].mean() >= _LEAST_VISIBLE:
            yield name, rows[start:].astype(np.int64), boxes[start:]


def _by_clip(clip_of: npt.NDArray[Any], clips: int) -> Callable[[int], npt.NDArray[np.int64]]:
    """Sort once what is of clips, -1 for none, to look up the items of one, rising."""
    order = np.argsort(clip_of, kind="stable")
    start = np.searchsorted(clip_of[order], np.arange(clips + 1))
    return lambda clip: order[start[clip] : start[clip + 1]]


def _boxes_of_one(
    index: SourceIndex, objects: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Boxes, in some rows of images, of the object that is in most of them: `(T, 4)`, NaN where none is."""
    tracks, counts = np.unique(index.object_track[objects], return_counts=True)
    objects = objects[index.object_track[objects] == tracks[counts.argmax()]]
    boxes = np.full((len(rows), 4), np.nan, dtype=np.float32)
    place_of: dict[int, int] = {int(row): place for place, row in enumerate(rows)}
    places = [place_of[int(image)] for image in index.object_image[objects]]
    boxes[places] = index.object_box_xywh[objects]
    boxes[~_marks_a_part(boxes, index.image_size[rows])] = np.nan
    return boxes


def _marks_a_part(boxes_xywh: npt.NDArray[Any], image_sizes: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether each box has an area, and some of it within its image as far as its size is known."""
    return np.asarray((boxes_xywh[:, 2:] > 0).all(axis=1) & ~lies_outside(boxes_xywh, image_sizes))


def _thinned(count: int, most: int) -> npt.NDArray[Any]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
