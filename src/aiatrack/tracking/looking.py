"""Looks at regions of a frame, through the network; nothing is kept of targets here."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.config import TrackingSettings
from aiatrack.crop import Color, CropWindow, Image, clip_to_frame, cut_regions
from aiatrack.tracking.following import Finding, Following, Look
from aiatrack.tracking.network import CroppingNetwork, Network
from aiatrack.tracking.target import FloatArray, Target, TargetId


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look found, and where the network keeps the region."""

    id: TargetId
    target: Target
    finding: Finding
    search: Any
    row: int
    box_in_crop: npt.NDArray[np.float32]


class Looking:
    """Passes regions of frames through a network, together.

    Args:
        network: that encodes, locates and remembers.
        settings: how to track.
        color: channel order of the frames.
        following: weighs what is found.
    """

    def __init__(
        self, network: Network, settings: TrackingSettings, color: Color, following: Following
    ) -> None:
        self._network = network
        self._cropping = network if isinstance(network, CroppingNetwork) else None
        self._settings = settings
        self._color = color
        self._following = following

    def encode(self, frame: Image, windows: Sequence[CropWindow]) -> Any:
        """Encode regions of a frame: the network's handle of all."""
        if self._cropping is not None:
            return self._cropping.encode_regions(frame, windows, self._color)
        return self._network.encode(*cut_regions(frame, windows, self._color))

    def look(self, frame: Image, looks: Sequence[tuple[TargetId, Target, Look]]) -> list[Sight]:
        """Find a target in each of some regions of a frame, `batch_size` of them at a time."""
        size = self._settings.batch_size
        batches = (looks[start : start + size] for start in range(0, len(looks), size))
        return [sight for batch in batches for sight in self._look(frame, batch)]

    def _look(self, frame: Image, looks: Sequence[tuple[TargetId, Target, Look]]) -> list[Sight]:
        windows = [look.window for _, _, look in looks]
        search = self.encode(frame, windows)
        located = self._network.locate(search, [look.references for _, _, look in looks])
        weighed = self._following.weigh([target for _, target, _ in looks], windows, located)
        return [
            Sight(
                id,
                target,
                Finding(
                    self._to_frame(window, located.boxes_xywh[row], frame),
                    float(located.scores[row]),
                    located.embeddings[row],
                    float(weighed[row, 0]),
                    float(weighed[row, 1]),
                ),
                search,
                row,
                located.boxes_xywh[row],
            )
            for row, ((id, target, _), window) in enumerate(zip(looks, windows, strict=True))
        ]

    def _to_frame(self, window: CropWindow, box_xywh: npt.NDArray[np.float32], frame: Image) -> FloatArray:
        return clip_to_frame(
            window.to_frame(box_xywh.astype(np.float64)),
            frame_width=frame.shape[1],
            frame_height=frame.shape[0],
            margin_px=self._settings.clip_margin_px,
        )

    def remember(self, sights: Sequence[Sight]) -> None:
        """Turn search regions into references; those that were encoded together are again."""
        for _, group in groupby(sights, key=lambda sight: id(sight.search)):
            together = list(group)
            rows = [sight.row for sight in together]
            boxes = np.stack([sight.box_in_crop for sight in together])
            references = self._network.remember(together[0].search, rows, boxes)
            for sight, reference in zip(together, references, strict=True):
                sight.target.memory.add(reference)
