"""Looks at regions of a frame, through the network; nothing is kept of targets here."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.config import TrackingSettings
from aiatrack.crop import Color, CropWindow, Image, clip_to_frame, cut_regions
from aiatrack.tracking.following import Finding, Following, Look
from aiatrack.tracking.network import CroppingNetwork, LocatedTargets, Network
from aiatrack.tracking.target import FloatArray, Target, TargetId

Looks = Sequence[tuple[TargetId, Target, Look]]
"""Where to look for whom."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """Regions of one frame that went through the network; nothing is made of them yet."""

    frame: Image
    looks: Looks
    located: LocatedTargets
    search: Any
    first_row: int


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

    def encode(self, frames: Sequence[Image], windows: Sequence[CropWindow]) -> Any:
        """Encode the same regions of each frame, one frame after the other: the network's handle of all."""
        if self._cropping is not None:
            return self._cropping.encode_regions(frames, windows, self._color)
        return self._network.encode(*cut_regions(frames, windows, self._color))

    def glimpse(self, frames: Sequence[Image], looks: Looks) -> list[list[Glimpse]]:
        """Look at the same regions of each frame, `batch_size` of them at a time.

        Args:
            frames: of one size, at least one.
            looks: where, in all of them.

        Returns:
            For the first frame, and for those after it whose regions fit into the same batch, its glimpses.
        """
        size = self._settings.batch_size
        together = frames[: max(1, size // max(1, len(looks)))]
        parts = [looks[start : start + size] for start in range(0, len(looks), size)]
        seen = [self._glimpse(together, part) for part in parts]
        return [[glimpses[place] for glimpses in seen] for place in range(len(together))]

    def _glimpse(self, frames: Sequence[Image], looks: Looks) -> list[Glimpse]:
        """One for each frame."""
        search = self.encode(frames, [look.window for _, _, look in looks])
        located = self._network.locate(search, [look.references for _, _, look in looks] * len(frames))
        return [
            Glimpse(frame, looks, located.part(slice(row, row + len(looks))), search, row)
            for frame, row in zip(frames, count(step=len(looks)), strict=False)
        ]

    def weigh(self, glimpse: Glimpse) -> list[Sight]:
        """What each look found, given what is known of the targets by now."""
        located = glimpse.located
        windows = [look.window for _, _, look in glimpse.looks]
        weighed = self._following.weigh([target for _, target, _ in glimpse.looks], windows, located)
        return [
            Sight(
                id,
                target,
                Finding(
                    self._to_frame(window, located.boxes_xywh[place], glimpse.frame),
                    float(located.scores[place]),
                    located.embeddings[place],
                    float(weighed[place, 0]),
                    float(weighed[place, 1]),
                ),
                glimpse.search,
                glimpse.first_row + place,
                located.boxes_xywh[place],
            )
            for place, ((id, target, _), window) in enumerate(zip(glimpse.looks, windows, strict=True))
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
