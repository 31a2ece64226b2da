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
from aiatrack.data.box_use import BoxCounts, BoxUse, judge_boxes
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

    Attributes:
        counts: of each source's boxes, how many are passed over.
        has_images: whether any image is of this part.
        shares_elsewhere: settings by which clips and images are of the other part.
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
        counts, elsewhere, self.has_images = [], set(), False
        for index, first_image in zip(indexes, self.image_start, strict=False):
            objects = first_object + np.arange(len(index.object_image))
            first_object += len(objects)
            in_part = self._image_in_part(index)
            ours = in_part[index.object_image]
            is_scene = index.image_channels[index.object_image] != 4
            use = self._judge(objects)
            usable = ours & is_scene & use.usable
            counts.append(_count(use, is_scene, ours))
            elsewhere |= _shares_of(index, ~in_part)
            self.has_images |= bool(in_part.any())
            stills.append(objects[usable & self._gives_stills(index)])
            tracks.append(self._tracks(index, objects, usable))
            cutouts.append(objects[ours & (index.object_cutout >= 0)])
            is_scene_image = in_part & (index.image_channels == 3) & (index.image_clip >= 0)
            scenes.append(first_image + np.flatnonzero(is_scene_image))
            scene_clips.append(_scene_clips(index, is_scene_image, int(first_image)))
        self.counts, self.shares_elsewhere = tuple(counts), tuple(sorted(elsewhere))
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

    def _judge(self, objects: IntArray) -> BoxUse:
        sizes = self.image_size[self.object_image[objects]]
        return judge_boxes(self.object_box_xywh[objects], sizes, self.settings)

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

    def box_in_image(self, object_id: int) -> FloatArray:
        """Return an object's box cut at its image's border, `(4,)` px."""
        box, size = self.object_box_xywh[object_id], self.image_size[self.object_image[object_id]]
        low = np.maximum(box[:2], 0)
        return np.concatenate((low, np.minimum(box[:2] + box[2:], size) - low))

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


def _count(use: BoxUse, is_scene: npt.NDArray[np.bool_], ours: npt.NDArray[np.bool_]) -> BoxCounts:
    reasons = (is_scene, use.outside, use.by_share, use.by_side, use.usable, use.usable & ours)
    return BoxCounts(*(int((reason & is_scene).sum()) for reason in reasons))


def _shares_of(index: SourceIndex, images: npt.NDArray[np.bool_]) -> set[str]:
    """The settings that decide of which part some of a source's images are."""
    clips = np.unique(index.image_clip[images & (index.image_clip >= 0)])
    shares = {True: "data.validation_clip_share", False: "data.validation_share"}
    return {shares[bool(is_video)] for is_video in index.clip_is_video[clips]}


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
