"""Looks at all that could be taken for a target while it is away, and at the target once it is back."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from presence_material import Clip

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import TrackingSettings
from aiatrack.crop import CropWindow, Image, clip_to_frame, crop_window, cut_regions
from aiatrack.tracking import Network
from aiatrack.tracking.evidence import FEATURES, Known, measure_evidence
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.network import Reference
from aiatrack.tracking.searching import tile_frame

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_EVERY = 5
"""Frames from one search for a target to the next."""
_FRAMES_AFTER = 25
"""How long it is searched for once it is back."""
_MOMENTUM = 0.8
_SAME = 0.3
"""IoU of a second look with the first: what a candidate must keep to be one (see `tracking.following`)."""


class _Sought:
    """A target as it was last seen before its absence."""

    def __init__(
        self, network: Network, settings: TrackingSettings, frame: Image, box_xywh: FloatArray
    ) -> None:
        self._network, self._settings = network, settings
        reference = self._reference(frame, box_xywh)
        self.memory = ReferenceMemory.begin(
            reference, capacity=settings.memory_capacity, ensemble_size=settings.ensemble_size
        )
        self.recent = reference.embedding.astype(np.float64)
        self.box_xywh = box_xywh

    def see(self, frame: Image, box_xywh: FloatArray) -> None:
        """It is there."""
        embedding = self._reference(frame, box_xywh).embedding
        self.recent = _MOMENTUM * self.recent + (1 - _MOMENTUM) * embedding
        self.box_xywh = box_xywh

    def look(self, frame: Image, boxes_xywh: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Boxes `(B, 4)` px and features `(B, F)` of what is found around boxes, by frame 0 alone."""
        windows = [self._window(box) for box in boxes_xywh]
        search = self._network.encode(*cut_regions(frame, windows, "rgb"))
        located = self._network.locate(search, [self.memory.first_reference] * len(windows))
        size = float(np.sqrt(self.box_xywh[2:].prod()))
        known = [Known(self.memory.appearance, self.recent, size / window.side) for window in windows]
        found = [
            clip_to_frame(
                window.to_frame(box.astype(np.float64)),
                frame_width=frame.shape[1],
                frame_height=frame.shape[0],
                margin_px=self._settings.clip_margin_px,
            )
            for window, box in zip(windows, located.boxes_xywh, strict=True)
        ]
        return np.array(found), measure_evidence(located, known)

    def _reference(self, frame: Image, box_xywh: FloatArray) -> Reference:
        window = self._window(box_xywh)
        memory = self._network.encode(*cut_regions(frame, [window], "rgb"))
        return self._network.remember(memory, [0], window.to_crop(box_xywh)[None].astype(np.float32))[0]

    def _window(self, box_xywh: FloatArray) -> CropWindow:
        return crop_window(box_xywh, self._settings.search_factor, self._network.crop_size)


def look_for_candidates(
    clip: Clip, network: Network, settings: TrackingSettings
) -> tuple[FloatArray, BoolArray]:
    """Search for every target from its first absence on, as a tracker does that has lost it.

    Returns:
        `(N, F)` features of second looks, and `(N,)` whether they saw the target; neither half of it.
    """
    rng = np.random.default_rng(0)
    sought: list[_Sought] = []
    rows: list[FloatArray] = []
    hits: list[BoolArray] = []
    away = [_first_absence(clip.boxes_xywh[:, k, 0]) for k in range(clip.boxes_xywh.shape[1])]
    for index, frame in enumerate(clip.frames()):
        for k, box in enumerate(clip.boxes_xywh[index]):
            gone, back = away[k]
            if index == 0:
                sought.append(_Sought(network, settings, frame, box))
            elif index < gone:
                sought[k].see(frame, box)
            elif index < back + _FRAMES_AFTER and index % _EVERY == k % _EVERY:
                features, overlap = _search(sought[k], frame, box, settings, rng)
                decided = (overlap > 0.5) | (overlap < 0.1)
                rows.append(features[decided])
                hits.append(overlap[decided] > 0.5)
    if not rows:
        return np.empty((0, len(FEATURES))), np.empty(0, np.bool_)
    return np.concatenate(rows), np.concatenate(hits)


def _search(
    target: _Sought,
    frame: Image,
    true_xywh: FloatArray,
    settings: TrackingSettings,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Features of second looks that saw what the first did, and their IoU with the target, 0 without it."""
    places, _ = target.look(frame, tile_frame(target.box_xywh, frame.shape, settings))
    is_there = bool(np.isfinite(true_xywh).all())
    if is_there:
        # As a first look would have it, had there been a tile around it.
        size = np.sqrt(true_xywh[2:].prod())
        near = np.concatenate((true_xywh[:2] + rng.normal(0, 0.3 * size, 2), true_xywh[2:]))
        places = np.concatenate((places, near[None]))
    found, features = target.look(frame, places)
    same = _paired_iou(found, places) >= _SAME
    overlap = _paired_iou(found, true_xywh[None]) if is_there else np.zeros(len(found))
    return features[same], overlap[same]


def _paired_iou(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(box_iou(xywh_to_xyxy(a), xywh_to_xyxy(b)), np.float64)


def _first_absence(left: FloatArray) -> tuple[int, int]:
    """First frame without the target and first with it again; the end of the clip where there is none."""
    absent: Sequence[int] = np.flatnonzero(np.isnan(left)).tolist()
    if not absent:
        return len(left), len(left)
    gone = absent[0]
    present = np.flatnonzero(np.isfinite(left[gone:]))
    return gone, gone + int(present[0]) if len(present) else len(left)
