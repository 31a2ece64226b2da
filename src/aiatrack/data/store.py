"""Decode every image of a source once, into one flat file of bytes that is then mapped into memory."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.atomic_files import replace_file
from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.data.images import read_image
from aiatrack.data.index import SourceIndex, load_index
from aiatrack.data.outlines import fit_outline, outline_box_xywh, outline_of_mask
from aiatrack.mask_files import read_mask_of
from aiatrack.paths import exists

Image = npt.NDArray[np.uint8]
Progress = Callable[[str, int, int], None]
"""Called with the source's name, images done and images in all."""

_FORMAT = b"aiatrack flat images 6"
_CUTOUT_MARGIN_PX = 3
_CUTOUT_MIN_SIDE_PX = 20
_CUTOUTS_PER_TRACK = 8
_MASK_AGREEMENT = 0.6
"""Least IoU of a mask's box with the annotated one for the mask to be believed."""
_STALE_SECONDS = 24 * 3600
"""A draft that has not been written to for so long is of a build that was killed."""


def image_detail(image: Image) -> Image:
    """Return `(16, 16)` mean gradients of the parts of an image, in grey levels."""
    grey = cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2GRAY)
    gradient = cv2.absdiff(grey, cv2.GaussianBlur(grey, (0, 0), 2.0))
    return np.asarray(cv2.resize(gradient, (16, 16), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def store_key(annotations: Annotations) -> str:
    """Name of a source's files in the cache: it changes whenever the annotations or the image files do."""
    digest = hashlib.sha256(_FORMAT)
    for clip in annotations.clips:
        digest.update(f"{clip.name!r} {clip.is_video} {clip.frame_numbers.tolist()}".encode())
        for path in (*clip.images, *(clip.masks or ())):
            digest.update(f"{str(path)!r} {_file_state(path)}".encode())
        for track in clip.tracks:
            _add_to_digest(digest, track)
    return f"{annotations.name}-{digest.hexdigest()[:16]}"


def _add_to_digest(digest: "hashlib._Hash", track: Track) -> None:
    values = None if track.mask_values is None else track.mask_values.tolist()
    digest.update(f"{track.label!r} {track.frames.tolist()} {values}".encode())
    digest.update(track.boxes_xywh.tobytes() + track.visible.tobytes())


def _file_state(path: Path | None) -> tuple[int, int] | None:
    """Size and time of the last change: a file that was copied only now, or replaced, is decoded anew."""
    try:
        status = path.stat() if path is not None else None
    except (OSError, ValueError):  # missing, or a path that cannot be
        return None
    return None if status is None else (status.st_size, status.st_mtime_ns)


def build_store(
    annotations: Annotations, folder: Path, progress: Progress | None = None
) -> tuple[Path, SourceIndex]:
    """Return a source's flat file and index, made now if the cache does not hold them.

    A build that is killed leaves nothing that a later one would take for whole; what it leaves, one on
    another day removes.

    Args:
        annotations: of the source.
        folder: the cache.
        progress: told after every clip.

    Returns:
        The file, and the index, whose problems are those of the annotations and then those of the images.

    Raises:
        DataError: the index in the cache is damaged.
        OutputError: the cache cannot be written.
    """
    flat, index = _build_store(annotations, folder, progress)
    # The annotations' problems are not stored: they may be repaired while everything else stays as it is.
    return flat, replace(index, problems=np.array([*annotations.problems, *index.problems], dtype=np.str_))


def _build_store(
    annotations: Annotations, folder: Path, progress: Progress | None
) -> tuple[Path, SourceIndex]:
    key = store_key(annotations)
    flat, index_path = folder / f"{key}.u8", folder / f"{key}.npz"
    if exists(flat) and exists(index_path):
        index = load_index(index_path)
        if flat.stat().st_size == index.flat_bytes:
            return flat, index
    _remove_stale_drafts(folder)
    # Of two runs that build it at once, the one that is done last replaces the other's.
    with replace_file(flat) as partial, partial.open("wb") as file:
        builder = _StoreBuilder(file)
        for done, clip in enumerate(annotations.clips, start=1):
            builder.add_clip(clip)
            if progress is not None:
                progress(annotations.name, done, len(annotations.clips))
    index = builder.build_index()
    index.save(index_path)
    return flat, index


def _remove_stale_drafts(folder: Path) -> None:
    """Remove what killed builds have left behind: gigabytes, in a folder that nobody looks at."""
    for draft in (*folder.glob(".*.u8.*"), *folder.glob(".*.npz.*")):
        with contextlib.suppress(OSError):  # it is somebody else's, or removed by another build
            if time.time() - draft.stat().st_mtime > _STALE_SECONDS:
                draft.unlink()


@dataclass
class _StoreBuilder:
    """Collects one source's rows while its images go to the flat file."""

    file: BinaryIO
    problems: list[str] = field(default_factory=list)
    offset: int = 0
    tracks: int = 0
    images: list[tuple[Any, ...]] = field(default_factory=list)
    details: list[Image] = field(default_factory=list)
    clips: list[tuple[str, bool]] = field(default_factory=list)
    objects: list[tuple[Any, ...]] = field(default_factory=list)
    outlines: list[npt.NDArray[Any]] = field(default_factory=list)

    def add_clip(self, clip: Clip) -> None:
        clip_id, first_track = len(self.clips), self.tracks
        self.clips.append((clip.name, clip.is_video))
        self.tracks += len(clip.tracks)
        seen = np.zeros(len(clip.tracks), dtype=np.int64)
        sights = _sights_by_frame(clip)
        for t, path in enumerate(clip.images):
            image = read_image(path)
            if image is None:
                self.problems.append(f"{path}: missing or not an image")
                continue
            image_id = self._add_image(image, clip_id, int(clip.frame_numbers[t]))
            mask = self._read_mask(clip, t, image)
            for sight in sights[t]:
                cut = seen[sight.track] % sight.cut_every == 0
                masked = (mask, sight.mask_value, cut)
                self._add_object(image_id, image, sight.box_xywh, first_track + sight.track, masked)
                seen[sight.track] += 1

    def _read_mask(self, clip: Clip, t: int, image: Image) -> Image | None:
        path = clip.masks[t] if clip.masks is not None else None
        if path is None:
            return None
        mask, problem = read_mask_of(path, image.shape[1], image.shape[0])
        if problem:
            self.problems.append(problem)
        return mask

    def _add_image(self, image: Image, clip: int, frame: int) -> int:
        if image.shape[2] == 4 and clip >= 0:
            image = fill_transparent(image)
        height, width, channels = image.shape
        self.images.append((self.offset, width, height, channels, clip, frame))
        self.details.append(image_detail(image))
        self.file.write(np.ascontiguousarray(image).data)
        self.offset += image.size
        return len(self.images) - 1

    def _add_object(
        self,
        image_id: int,
        image: Image,
        box: npt.NDArray[Any],
        track: int,
        masked: tuple[Image | None, int, bool],
    ) -> None:
        mask, value, cut = masked
        outline, cutout, origin = None, -1, (0.0, 0.0)
        if image.shape[2] == 4:
            outline, cutout = outline_of_mask(image[..., 3] > 127), image_id
            box = outline_box_xywh(outline) if outline is not None else box
        elif mask is not None and value > 0:
            own = mask == value
            outline = _believable_outline(own, box)
            if outline is not None and cut and _can_be_cut_out(outline, image.shape):
                pixels, origin = _cut_out(image, own, outline)
                cutout = self._add_image(pixels, -1, 0)
            if outline is not None:
                outline = fit_outline(outline, box)
        self.objects.append((image_id, *box, track, cutout, *origin))
        self.outlines.append(np.zeros((0, 2)) if outline is None else outline)

    def build_index(self) -> SourceIndex:
        images = np.array(self.images, dtype=np.int64).reshape(-1, 6)
        objects = np.array(self.objects, dtype=np.float64).reshape(-1, 9)
        names, is_video = [c[0] for c in self.clips], [c[1] for c in self.clips]
        points = np.concatenate(self.outlines) if self.outlines else np.zeros((0, 2))
        return SourceIndex(
            image_offset=images[:, 0],
            image_size=images[:, 1:3].astype(np.int32),
            image_channels=images[:, 3].astype(np.uint8),
            image_clip=images[:, 4].astype(np.int32),
            image_frame=images[:, 5],
            image_detail=np.array(self.details, dtype=np.uint8).reshape(-1, 16, 16),
            clip_name=np.array(names, dtype=np.str_),
            clip_is_video=np.array(is_video, dtype=np.bool_),
            object_image=objects[:, 0].astype(np.int32),
            object_box_xywh=objects[:, 1:5].astype(np.float32),
            object_track=objects[:, 5].astype(np.int32),
            object_cutout=objects[:, 6].astype(np.int32),
            object_cutout_origin=objects[:, 7:9].astype(np.float32),
            outline_start=np.cumsum([0, *(len(outline) for outline in self.outlines)], dtype=np.int64),
            outline_points=points.astype(np.float32),
            problems=np.array(self.problems, dtype=np.str_),
        )


class _Sight(NamedTuple):
    """One track in one frame."""

    track: int
    box_xywh: npt.NDArray[Any]
    mask_value: int
    cut_every: int
    """Of so many of the track's sights one is cut out."""


def _sights_by_frame(clip: Clip) -> list[list[_Sight]]:
    """What each frame shows, track by track: of thousands of tracks a frame may show a few."""
    sights: list[list[_Sight]] = [[] for _ in clip.images]
    for k, track in enumerate(clip.tracks):
        cut_every = max(1, int(track.visible.sum()) // _CUTOUTS_PER_TRACK)
        for row in np.flatnonzero(track.visible):
            value = int(track.mask_values[row]) if track.mask_values is not None else 0
            sights[track.frames[row]].append(_Sight(k, track.boxes_xywh[row], value, cut_every))
    return sights


def _believable_outline(mask: npt.NDArray[np.bool_], box: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    outline = outline_of_mask(mask)
    if outline is None:
        return None
    found = outline_box_xywh(outline)
    low = np.maximum(found[:2], box[:2])
    high = np.minimum(found[:2] + found[2:], box[:2] + box[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    union = float(np.prod(found[2:]) + np.prod(box[2:])) - shared
    return outline if shared >= _MASK_AGREEMENT * union else None


def _can_be_cut_out(outline: npt.NDArray[Any], shape: tuple[int, ...]) -> bool:
    low, high = outline.min(axis=0), outline.max(axis=0)
    inside = bool((low > 1).all() and high[0] < shape[1] - 1 and high[1] < shape[0] - 1)
    return inside and float((high - low).min()) >= _CUTOUT_MIN_SIDE_PX


def _cut_out(
    image: Image, mask: npt.NDArray[np.bool_], outline: npt.NDArray[Any]
) -> tuple[Image, tuple[float, float]]:
    """Cut an object out with a soft edge; the colours around it are kept, so that no dark fringe appears."""
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - _CUTOUT_MARGIN_PX, 0)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int) + _CUTOUT_MARGIN_PX
    alpha = (mask[top:bottom, left:right] * 255).astype(np.uint8)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (3, 3), 0.7), dtype=np.uint8)
    alpha[[0, -1], :] = 0
    alpha[:, [0, -1]] = 0
    return np.dstack((image[top:bottom, left:right, :3], alpha)).astype(np.uint8), (float(left), float(top))


def fill_transparent(image: Image) -> Image:
    """Give the transparent pixels of an RGBA image the colours of the opaque ones beside them."""
    alpha = image[..., 3:].astype(np.float32) / 255
    weight = cv2.GaussianBlur(alpha, (0, 0), 2.0)[..., None]
    colour = cv2.GaussianBlur(image[..., :3].astype(np.float32) * alpha, (0, 0), 2.0)
    spread = np.divide(colour, weight, out=np.zeros_like(colour), where=weight > 1e-3)
    filled = np.where(alpha > 0.5, image[..., :3], np.clip(spread, 0, 255))
    return np.dstack((filled, image[..., 3])).astype(np.uint8)
