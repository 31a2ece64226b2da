"""The network as tracking sees it: three verbs, NumPy in, opaque handles between, NumPy out.

Legend: B batch of targets, S crop side in px, R distinct short-term references.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Reference(Protocol):
    """What a network keeps of a reference; tracking passes it on and never looks inside."""

    @property
    def long_term(self) -> Any:
        """What `locate` needs of frame 0."""

    @property
    def short_term(self) -> Any:
        """What `locate` needs of a member of the ensemble."""


@dataclass(frozen=True, slots=True)
class LocatedTargets:
    """Where the targets are in their search regions.

    Attributes:
        boxes_xywh: `(B, 4)` float32, normalised to the crop.
        scores: `(B,)` float32, raw IoU-head output in about [-1, 1].
    """

    boxes_xywh: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


class Network(Protocol):
    """A network that can follow targets, whatever it runs on."""

    @property
    def crop_size(self) -> int:
        """S, side of the crops that `encode` takes, px."""

    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> Any:
        """Encode `(B, S, S, 3)` RGB crops with their `(B, S, S)` padding into a memory."""

    def remember(self, memory: Any, boxes_xywh: npt.NDArray[np.float32]) -> Reference:
        """Turn a memory into a reference, given the `(B, 4)` boxes normalised to the crop."""

    def locate(
        self, search: Any, long_term: Any, short_term: Sequence[Any], multiplicity: npt.NDArray[np.float32]
    ) -> LocatedTargets:
        """Find the targets of a memory, given references and the `(B, R)` counts of the short-term ones."""
