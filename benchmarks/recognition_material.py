"""Looks at all that could be taken for a target while it is away, and at the target once it is back."""

import numpy as np
import numpy.typing as npt
from presence_material import Clip, longest_absence

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import TrackingSettings
from aiatrack.crop import CropWindow, Image, clip_to_frame, crop_window, cut_regions
from aiatrack.tracking import Network
from aiatrack.tracking.appearance import Appearance
from aiatrack.tracking.evidence import FEATURES, measure_evidence
from aiatrack.tracking.following import are_same, known_of, start_watch
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.network import Reference
from aiatrack.tracking.searching import tile_frame
from aiatrack.tracking.target import Target

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_EVERY = 5
"""Frames from one search for a target to the next."""
_FRAMES_AFTER = 25
"""How long it is searched for once it is back."""


class _Sought:
    """A target as it was last seen before its absence."""

    def __init__(
        self,
        network: Network,
        settings: TrackingSettings,
        appearance: Appearance,
        frame: Image,
        box_xywh: FloatArray,
    ) -> None:
        self._network, self._settings, self._appearance = network, settings, appearance
        reference = self._reference(frame, box_xywh)
        memory = ReferenceMemory.begin(
            reference, capacity=settings.memory_capacity, ensemble_size=settings.ensemble_size
        )
        self.target = Target(box_xywh, memory, start_watch(box_xywh, memory.appearance))

    def see(self, frame: Image, box_xywh: FloatArray) -> None:
        """It is there."""
        watch = self.target.watch
        watch.learn(self._reference(frame, box_xywh).embedding, watch.usual)
        watch.believed_xywh = box_xywh

    def look(self, frame: Image, boxes_xywh: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Boxes `(B, 4)` px and features `(B, F)` of what is found around boxes, by frame 0 alone."""
        windows = [self._window(box) for box in boxes_xywh]
        search = self._network.encode(*cut_regions([frame], windows, "rgb"))
        located = self._network.locate(search, [self.target.memory.first_reference] * len(windows))
        found = [
            clip_to_frame(
                window.to_frame(box.astype(np.float64)),
                frame_width=frame.shape[1],
                frame_height=frame.shape[0],
                margin_px=self._settings.clip_margin_px,
            )
            for window, box in zip(windows, located.boxes_xywh, strict=True)
        ]
        known = [known_of(self.target, window) for window in windows]
        return np.array(found), measure_evidence(located, known, self._appearance)

    def _reference(self, frame: Image, box_xywh: FloatArray) -> Reference:
        window = self._window(box_xywh)
        memory = self._network.encode(*cut_regions([frame], [window], "rgb"))
        return self._network.remember(memory, [0], window.to_crop(box_xywh)[None].astype(np.float32))[0]

    def _window(self, box_xywh: FloatArray) -> CropWindow:
        return crop_window(box_xywh, self._settings.search_factor, self._network.crop_size)


def look_for_candidates(
    clip: Clip, network: Network, settings: TrackingSettings, appearance: Appearance
) -> tuple[FloatArray, BoolArray]:
    """Search for every target from its longest absence on, as a tracker does that has lost it.

    Returns:
        `(N, F)` features of second looks, and `(N,)` whether they saw the target; neither half of it.
    """
    rng = np.random.default_rng(0)
    sought: list[_Sought] = []
    rows: list[FloatArray] = []
    hits: list[BoolArray] = []
    away = [longest_absence(clip.boxes_xywh[:, k, 0]) for k in range(clip.boxes_xywh.shape[1])]
    for index, frame in enumerate(clip.frames()):
        for k, box in enumerate(clip.boxes_xywh[index]):
            gone, back = away[k]
            if index == 0:
                sought.append(_Sought(network, settings, appearance, frame, box))
            elif index < gone and np.isfinite(box).all():
                sought[k].see(frame, box)
            elif gone <= index < back + _FRAMES_AFTER and index % _EVERY == k % _EVERY:
                features, overlap = _search(sought[k], frame, box, settings, rng)
                decided = (overlap > 0.5) | (overlap < 0.1)
                rows.append(features[decided])
                hits.append(overlap[decided] > 0.5)
    if not rows:
        return np.empty((0, len(FEATURES))), np.empty(0, np.bool_)
    return np.concatenate(rows), np.concatenate(hits)


def _search(
    sought: _Sought,
    frame: Image,
    true_xywh: FloatArray,
    settings: TrackingSettings,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Features of second looks that saw what the first did, and their IoU with the target, 0 without it."""
    tiles = tile_frame(sought.target.watch.believed_xywh, frame.shape, settings, settings.tile_growth)
    places, _ = sought.look(frame, tiles)
    is_there = bool(np.isfinite(true_xywh).all())
    if is_there:
        # As a first look would have it, had there been a tile around it.
        size = np.sqrt(true_xywh[2:].prod())
        near = np.concatenate((true_xywh[:2] + rng.normal(0, 0.3 * size, 2), true_xywh[2:]))
        places = np.concatenate((places, near[None]))
    found, features = sought.look(frame, places)
    same = are_same(found, places)
    truth = xywh_to_xyxy(true_xywh[None])
    overlap = np.asarray(box_iou(xywh_to_xyxy(found), truth)) if is_there else np.zeros(len(found))
    return features[same], overlap[same]
