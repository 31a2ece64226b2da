"""Clips with exact truth about absence, for calibrating and measuring presence, and how they are followed.

Two kinds: films of the synthetic world whose targets come and go, and real clips out of which the target is
painted for stretches of frames. Nothing is stored: both are computed as they are read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.data.readers.json_lines import read_json_lines
from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings
from aiatrack.tracking import MultiTracker, TargetState, TrackResult

Frame = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float64]

_LEAST_VISIBLE = 0.1
"""Share of a synthetic target that must be seen for it to count as there."""


class Clip(Protocol):
    """One target in one clip, or several in one film.

    Attributes:
        name: of its own.
        boxes_xywh: `(T, K, 4)` px; NaN where a target is absent. All are there in frame 0.
    """

    name: str
    boxes_xywh: Boxes

    def frames(self) -> Iterator[Frame]:
        """T frames, `(H, W, 3)` uint8 RGB."""


class SyntheticClip:
    """A film of the synthetic world; a target counts as absent when less than a tenth of it can be seen."""

    def __init__(self, settings: SyntheticWorldSettings) -> None:
        self.name = f"synthetic/{settings.seed}"
        self.frame_size = settings.width, settings.height
        self._rendered = list(SyntheticWorld(settings))
        boxes = np.stack([frame.boxes_xywh for frame in self._rendered])
        visibility = np.stack([frame.visibility for frame in self._rendered])
        boxes[visibility < _LEAST_VISIBLE] = np.nan
        self.boxes_xywh = boxes

    def frames(self) -> Iterator[Frame]:
        """See `Clip`."""
        return (frame.image for frame in self._rendered)


@dataclass
class PaintedClip:
    """A real clip without its target for some stretches.

    Attributes:
        name: of the clip.
        boxes_xywh: `(T, 1, 4)` px; NaN where the target was painted out, or was absent before.
    """

    name: str
    boxes_xywh: Boxes
    _images: Sequence[Path]
    _given_xywh: Boxes
    _absent: npt.NDArray[np.bool_]

    def frames(self) -> Iterator[Frame]:
        """See `Clip`."""
        for path, box, absent in zip(self._images, self._given_xywh, self._absent, strict=True):
            frame = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            yield paint_out(frame, box) if absent else frame


def paint_clip(
    name: str, images: Sequence[Path], boxes_xywh: Boxes, *, length: int = 30, every: int = 90
) -> PaintedClip:
    """Choose the stretches without target: `length` frames, the first after a third of `every`.

    Args:
        name: of the clip.
        images: T files.
        boxes_xywh: `(T, 4)` px, NaN where the target is absent anyhow.
        length: of a stretch, frames.
        every: frames from one stretch to the next; a stretch that the clip is too short for is left out.
    """
    frames = len(images)
    absent = np.zeros(frames, dtype=bool)
    for start in range(every // 3, frames - length, every):
        absent[start : start + length] = True
    absent &= np.isfinite(boxes_xywh[:, 0])
    truth = np.where(absent[:, None], np.nan, boxes_xywh)
    return PaintedClip(name, truth[:, None], images, boxes_xywh, absent)


def paint_out(frame: Frame, box_xywh: Boxes, margin: float = 0.15) -> Frame:
    """Hide what is inside a box: a patch of the scene from beside it, its rim blended; else inpainting.

    Args:
        frame: `(H, W, 3)` uint8; not changed.
        box_xywh: `(4,)` px.
        margin: hidden beyond the box, as a share of its sides; for shadows and loose annotation.
    """
    height, width = frame.shape[:2]
    grow = margin * box_xywh[2:] + 2
    low = np.floor(box_xywh[:2] - grow).clip(0).astype(int)
    high = np.minimum(np.ceil(box_xywh[:2] + box_xywh[2:] + grow), (width, height)).astype(int)
    size = high - low
    if (size <= 0).any():
        return frame
    mask = np.zeros((height, width), np.uint8)
    mask[low[1] : high[1], low[0] : high[0]] = 255
    source = _place_beside(low, size, (width, height))
    if source is None:
        return np.asarray(cv2.inpaint(frame, mask, 3, cv2.INPAINT_TELEA), np.uint8)
    painted = frame.copy()
    patch = frame[source[1] : source[1] + size[1], source[0] : source[0] + size[0]]
    painted[low[1] : high[1], low[0] : high[0]] = patch
    rim = max(3, int(0.08 * size.min()) | 1)
    seam = cv2.subtract(cv2.dilate(mask, np.ones((rim, rim))), cv2.erode(mask, np.ones((rim, rim))))
    soft = cv2.GaussianBlur(seam, (0, 0), rim / 3)[..., None] / 255.0
    blurred = cv2.GaussianBlur(painted, (0, 0), rim / 2)
    return np.asarray(painted * (1 - soft) + blurred * soft, np.uint8)


def _place_beside(
    low: npt.NDArray[np.int_], size: npt.NDArray[np.int_], frame_size: tuple[int, int]
) -> tuple[int, int] | None:
    """Corner of the nearest window of that size inside the frame that does not touch the box's own."""
    places = [
        (int(low[0] + dx * size[0]), int(low[1] + dy * size[1]))
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1))
    ]
    inside = [
        (x, y)
        for x, y in places
        if x >= 0 and y >= 0 and x + size[0] <= frame_size[0] and y + size[1] <= frame_size[1]
    ]
    return inside[0] if inside else None


def pack_clips(pack: Path, sources: Sequence[str] = ("vos_sequences", "vos_clips")) -> list[PaintedClip]:
    """Clips of the training pack with at least 30 frames, the target painted out of some."""
    clips = []
    for source in sources:
        for clip in read_json_lines(pack / f"{source}.jsonl").clips:
            boxes = np.full((len(clip.images), 4), np.nan)
            for track in clip.tracks[:1]:
                boxes[track.frames] = track.boxes_xywh
            if clip.is_video and len(boxes) >= 30 and np.isfinite(boxes[0]).all():
                name = f"{source}/{clip.name}"
                clips.append(paint_clip(name, clip.images, boxes, length=min(30, len(boxes) // 3), every=75))
    return clips


def sequence_clips(folder: Path, *, painted: bool) -> list[PaintedClip]:
    """Every `NAME/img/*.jpg` with its `NAME/groundtruth.txt`, with or without stretches painted out."""
    clips = []
    for truth in sorted(folder.glob("*/groundtruth.txt")):
        boxes = np.genfromtxt(truth, delimiter=",")
        images = sorted((truth.parent / "img").glob("*.jpg"))
        every = 90 if painted else 10 * len(images) + 60
        clips.append(paint_clip(truth.parent.name, images, boxes, every=every))
    return clips


def synthetic_clips(
    seeds: Sequence[int], *, frames: int = 160, targets: int = 4, distractors: int = 1
) -> Iterator[SyntheticClip]:
    """Films as `aiatrack demo` shows them, smaller and varied, 10-25 % of their frames without the target."""
    for seed in seeds:
        rng = np.random.default_rng((seed, 2))
        yield SyntheticClip(
            SyntheticWorldSettings(
                width=400,
                height=300,
                frames=frames,
                seed=seed,
                targets=targets,
                target_size=float(rng.uniform(0.12, 0.25)),
                speed=float(rng.uniform(0.2, 0.6)),
                distractors=distractors,
                occluders=int(rng.integers(0, 2)),
                zoom=float(rng.uniform(1.0, 1.5)),
                camera_motion=float(rng.uniform(0, 0.6)),
                absence=float(rng.uniform(0.1, 0.25)),
                absence_frames=int(rng.integers(12, 16)),
            )
        )


class RecoveryClip(SyntheticClip):
    """A film in which every target vanishes once, for 30 frames, and comes back elsewhere."""

    def absence_of(self, target: int) -> tuple[int, int]:
        """First frame without a target, and the first with it again."""
        # Occluders may hide it for a moment at other times: the longest stretch is the absence.
        return longest_absence(self.boxes_xywh[:, target, 0])

    def has_jumped(self, target: int) -> bool:
        """Whether it came back at least half the frame's shorter side away, within the film."""
        gone, back = self.absence_of(target)
        if back >= len(self.boxes_xywh):
            return False
        before, after = self.boxes_xywh[gone - 1, target], self.boxes_xywh[back, target]
        jump = np.hypot(*(before[:2] + before[2:] / 2 - after[:2] - after[2:] / 2))
        return bool(jump >= min(self.frame_size) / 2)


def recovery_clips(seeds: Sequence[int], lookalikes: int) -> Iterator[RecoveryClip]:
    """Films of 130 frames and four targets."""
    for seed in seeds:
        rng = np.random.default_rng((seed, 3))
        yield RecoveryClip(
            SyntheticWorldSettings(
                width=400,
                height=300,
                frames=130,
                seed=50_000 + seed,
                targets=4,
                target_size=float(rng.uniform(0.12, 0.25)),
                speed=float(rng.uniform(0.2, 0.6)),
                distractors=4 * lookalikes,
                occluders=0,
                zoom=float(rng.uniform(1.0, 1.3)),
                camera_motion=float(rng.uniform(0, 0.4)),
                absence=30 / 120,
                absence_frames=30,
                absence_kind="vanish",
            )
        )


def longest_absence(left: npt.NDArray[np.float64]) -> tuple[int, int]:
    """First frame of a target's longest absence, and the first with it again; both `T` where it has none.

    Args:
        left: `(T,)` NaN where it is absent.
    """
    absent = np.flatnonzero(np.isnan(left))
    if not len(absent):
        return len(left), len(left)
    longest = max(np.split(absent, np.flatnonzero(np.diff(absent) > 1) + 1), key=len)
    return int(longest[0]), int(longest[-1]) + 1


@dataclass(frozen=True)
class Followed:
    """One target through one clip, frame 0 left out.

    Attributes:
        overlap: `(T,)` IoU with the true box, NaN where the target is absent.
        presence: `(T,)`, NaN with presence off.
        lost: `(T,)` whether the box was held.
        recovered: `(T,)` whether it was found again in this frame.
    """

    overlap: npt.NDArray[np.float64]
    presence: npt.NDArray[np.float64]
    lost: npt.NDArray[np.bool_]
    recovered: npt.NDArray[np.bool_]

    @property
    def absent(self) -> npt.NDArray[np.bool_]:
        """`(T,)`."""
        return np.isnan(self.overlap)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """`(T,)` there and well boxed."""
        return self.overlap > 0.5


def follow(clip: Clip, tracker: MultiTracker) -> list[Followed]:
    """Follow all targets of a clip with a tracker that follows none yet."""
    frames = clip.frames()
    first = next(frames)
    for box in clip.boxes_xywh[0]:
        tracker.add(first, box)
    results = [list(tracker.update(frame).values()) for frame in frames]
    return [
        _compare([found[k] for found in results], clip.boxes_xywh[1:, k])
        for k in range(clip.boxes_xywh.shape[1])
    ]


def _compare(results: Sequence[TrackResult], truth_xywh: Boxes) -> Followed:
    boxes = np.array([result.box_xywh for result in results])
    overlap = np.asarray(box_iou(xywh_to_xyxy(boxes), xywh_to_xyxy(truth_xywh)))
    return Followed(
        np.where(np.isfinite(truth_xywh).all(axis=1), overlap, np.nan),
        np.array([np.nan if result.presence is None else result.presence for result in results]),
        np.array([result.state is TargetState.LOST for result in results]),
        np.array([result.state is TargetState.RECOVERED for result in results]),
    )
