"""All sources side by side: one numbering of images and objects, and what can be drawn from each source."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from aiatrack.boxes import FloatArray
from aiatrack.config.data import DataSettings
from aiatrack.data.index import SourceIndex
from aiatrack.data.outlines import outline_of_box

IntArray = npt.NDArray[np.integer[Any]]
Part = Literal["train", "validation"]


@dataclass(frozen=True)
class Choice:
    """Groups, one for each source that has any, and how likely each source is drawn.

    Attributes:
        groups: for each source its items: ids of objects or images, or tracks as arrays of object ids.
        cumulative: `(len(groups),)` rising to 1.
    """

    groups: tuple[Sequence[Any], ...]
    cumulative: npt.NDArray[np.float64]

    def __bool__(self) -> bool:
        return bool(self.groups)

    def draw(self, rng: np.random.Generator) -> Any:
        """Draw a source, then one of its items."""
        source, item = rng.random(2)
        group = self.groups[min(int(np.searchsorted(self.cumulative, source, "right")), len(self.groups) - 1)]
        return group[int(item * len(group))]


def _choice(groups: Sequence[Any], weights: Sequence[float], balance: float) -> Choice:
    kept = [
        (group, w * len(group) ** balance)
        for group, w in zip(groups, weights, strict=True)
        if len(group) and w
    ]
    shares = np.array([share for _, share in kept])
    return Choice(tuple(group for group, _ in kept), np.cumsum(shares) / shares.sum() if kept else shares)


def clip_part(name: str, is_video: bool, settings: DataSettings) -> Part:
    """Say by its name alone whether a clip is for training or for validation.

    A clip that occurs in two sources under one name is on the same side in both.
    """
    share = settings.validation_clip_share if is_video else settings.validation_share
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return "validation" if place < share else "train"


class Corpus:
    """Objects, tracks, cut-outs and scenes of one part of all sources.

    Images and objects of all sources are numbered through. Arrays as in `SourceIndex`.
    """

    def __init__(
        self,
        indexes: Sequence[SourceIndex],
        weights: Sequence[float],
        settings: DataSettings,
        part: Part = "train",
    ) -> None:
        self.settings = settings
        self.part = part
        images = np.cumsum([0, *(len(index.image_offset) for index in indexes)])
        points = np.cumsum([0, *(len(index.outline_points) for index in indexes)])
        self.image_start = images
        self.image_size = np.concatenate([index.image_size for index in indexes])
        self.image_channels = np.concatenate([index.image_channels for index in indexes])
        self.image_frame = np.concatenate([index.image_frame for index in indexes])
        self._detail = [index.image_detail for index in indexes]
        self.object_image = _joined([index.object_image for index in indexes], images)
        self.object_box_xywh = np.concatenate([index.object_box_xywh for index in indexes])
        self.object_cutout = _joined([index.object_cutout for index in indexes], images)
        self.object_cutout_origin = np.concatenate([index.object_cutout_origin for index in indexes])
        self.outline_start = _joined([index.outline_start[:-1] for index in indexes], points)
        self.outline_stop = _joined([index.outline_start[1:] for index in indexes], points)
        self.outline_points = np.concatenate([index.outline_points for index in indexes])
        self._collect(indexes, weights)

    def _collect(self, indexes: Sequence[SourceIndex], weights: Sequence[float]) -> None:
        stills, tracks, cutouts, scenes, scene_clips = [], [], [], [], []
        first_object = 0
        for index, first_image in zip(indexes, self.image_start, strict=False):
            objects = first_object + np.arange(len(index.object_image))
            first_object += len(objects)
            in_part = self._image_in_part(index)
            ours = in_part[index.object_image]
            is_scene = index.image_channels[index.object_image] != 4
            usable = ours & is_scene & self._has_usable_size(objects)
            stills.append(objects[usable & self._gives_stills(index)])
            tracks.append(self._tracks(index, objects, ours & is_scene & self._has_usable_size(objects)))
            cutouts.append(objects[ours & (index.object_cutout >= 0)])
            is_scene_image = in_part & (index.image_channels == 3) & (index.image_clip >= 0)
            scenes.append(first_image + np.flatnonzero(is_scene_image))
            scene_clips.append(_scene_clips(index, is_scene_image, int(first_image)))
        balance = self.settings.balance
        self.stills = _choice(stills, weights, balance)
        self.tracks = _choice(tracks, weights, balance)
        self.cutouts = _choice(cutouts, weights, balance)
        self.scenes = _choice(scenes, weights, balance)
        self.scene_clips = _choice(scene_clips, weights, balance)

    def _gives_stills(self, index: SourceIndex) -> npt.NDArray[np.bool_]:
        usable = np.asarray(index.object_box_xywh[:, 2:].min(axis=1) > self.settings.min_still_box_px)
        if not self.settings.stills_from_clips and len(index.clip_is_video):
            usable &= ~index.clip_is_video[index.image_clip[index.object_image]]
        return usable

    def _image_in_part(self, index: SourceIndex) -> npt.NDArray[np.bool_]:
        """Whether each image is of this part; a cut-out is where the clip that it was cut from is."""
        parts = [
            clip_part(str(name), bool(is_video), self.settings) == self.part
            for name, is_video in zip(index.clip_name, index.clip_is_video, strict=True)
        ]
        in_part = np.zeros(len(index.image_clip), dtype=np.bool_)
        owned = index.image_clip >= 0
        in_part[owned] = np.array(parts, dtype=np.bool_)[index.image_clip[owned]]
        return in_part

    def _has_usable_size(self, objects: IntArray) -> npt.NDArray[np.bool_]:
        settings = self.settings
        boxes = self.object_box_xywh[objects]
        area = self.image_size[self.object_image[objects]].prod(axis=1)
        share = np.divide(boxes[:, 2] * boxes[:, 3], area, out=np.full(len(boxes), 0.1), where=area > 0)
        low, high = settings.box_share
        return np.asarray(
            (share >= low) & (share <= high) & (boxes[:, 2:].min(axis=1) >= settings.min_box_px)
        )

    def _tracks(self, index: SourceIndex, objects: IntArray, usable: npt.NDArray[np.bool_]) -> list[IntArray]:
        frames = np.bincount(index.image_clip[index.image_clip >= 0], minlength=len(index.clip_name))
        clips = index.image_clip[index.object_image]
        usable = usable & (index.clip_is_video & (frames >= self.settings.min_clip_frames))[clips]
        rows = objects[usable]
        order = np.lexsort((self.image_frame[self.object_image[rows]], index.object_track[usable]))
        rows, track = rows[order], index.object_track[usable][order]
        found = np.split(rows, np.flatnonzero(np.diff(track)) + 1)
        return [rows for rows in found if len(rows) >= self.settings.min_visible_frames]

    def outline(self, object_id: int) -> FloatArray:
        """Return an object's outline, `(K, 2)` px of its image; made of its box where there was no mask."""
        start, stop = int(self.outline_start[object_id]), int(self.outline_stop[object_id])
        if start == stop:
            return outline_of_box(self.object_box_xywh[object_id])
        return self.outline_points[start:stop]

    def image_detail(self, image: int) -> IntArray:
        """Return `(16, 16)` mean gradients of the parts of an image, grey levels."""
        source = int(np.searchsorted(self.image_start, image, "right")) - 1
        return np.asarray(self._detail[source][image - int(self.image_start[source])])

    def frames(self, track: IntArray) -> IntArray:
        """Return the frame numbers of a track's objects."""
        return np.asarray(self.image_frame[self.object_image[track]])


def _joined(parts: Sequence[IntArray], starts: IntArray) -> npt.NDArray[np.int64]:
    """Concatenate ids of several sources, shifted to a common numbering; -1 stays."""
    shifted = [np.where(part < 0, -1, part + start) for part, start in zip(parts, starts, strict=False)]
    return np.concatenate(shifted).astype(np.int64)


def _scene_clips(index: SourceIndex, usable: npt.NDArray[np.bool_], first_image: int) -> list[IntArray]:
    rows = np.flatnonzero(usable)
    rows = rows[index.clip_is_video[index.image_clip[rows]]] if len(index.clip_is_video) else rows
    order = np.lexsort((index.image_frame[rows], index.image_clip[rows]))
    rows = rows[order]
    found = np.split(first_image + rows, np.flatnonzero(np.diff(index.image_clip[rows])) + 1)
    return [images for images in found if len(images) >= 3]


def spread_frames(frames: IntArray, max_gap: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Choose three rising places in a row of frame numbers (docs/method.md, training).

    A base frame is drawn, one before and one after it no further away than `max_gap`; where there is none,
    the gap grows. With fewer than three frames, places repeat.
    """
    count = len(frames)
    if count < 3:
        return 0, count - 1 if rng.random() < 0.5 else 0, count - 1
    base = int(rng.integers(1, count - 1))
    gap = max_gap
    while True:
        low = int(np.searchsorted(frames, frames[base] - gap, "left"))
        high = int(np.searchsorted(frames, frames[base] + gap, "right"))
        if low < base and high > base + 1:
            return int(rng.integers(low, base)), base, int(rng.integers(base + 1, high))
        gap += math.ceil(max_gap / 2)
