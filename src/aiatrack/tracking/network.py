"""The network as tracking sees it: three verbs, NumPy in, opaque handles between, NumPy out.

Every call takes a batch: many targets in one frame cost one call. Handles of references belong to one target
each, so that a target's references can come and go on their own.

Legend: B batch of crops, S crop side in px, G grid side, C channels, P parts of a box, R distinct short-term
references.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from aiatrack.crop import Color, CropWindow, Image

Arrays = tuple[npt.NDArray[np.float32], ...]
"""Content of a handle, for saving."""


class Reference(Protocol):
    """What a network keeps of one target in one past frame; tracking never looks inside the first two."""

    @property
    def long_term(self) -> Any:
        """What `locate` needs of frame 0."""

    @property
    def short_term(self) -> Any:
        """What `locate` needs of a member of the ensemble."""

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """`(P, C)`, what the target looks like; comparable with `LocatedTargets.embeddings`."""


@dataclass(frozen=True, slots=True)
class ReferenceSet:
    """The references that one target is compared with in one frame.

    Attributes:
        long_term: handle of frame 0.
        short_term: R handles, the distinct members of the ensemble; may be empty, where those of all targets
            of one call are.
        multiplicity: R counts, how often each is in the ensemble: identical ones are counted, not copied.
    """

    long_term: Any
    short_term: Sequence[Any]
    multiplicity: Sequence[int]


@dataclass(frozen=True, slots=True)
class LocatedTargets:
    """Where the targets are in their search regions, and what speaks for it.

    Attributes:
        boxes_xywh: `(B, 4)` float32, normalised to the crop.
        scores: `(B,)` float32, raw IoU-head output in about [-1, 1].
        corner_scores: `(B, 2, G, G)` float32 logits of the top left and the bottom right corner.
        embeddings: `(B, P, C)` float32, what is inside each box looks like, part by part.
    """

    boxes_xywh: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    corner_scores: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32]

    def part(self, rows: slice) -> Self:
        """Some of them."""
        return replace(
            self,
            boxes_xywh=self.boxes_xywh[rows],
            scores=self.scores[rows],
            corner_scores=self.corner_scores[rows],
            embeddings=self.embeddings[rows],
        )


class Network(Protocol):
    """A network that can follow targets, whatever it runs on."""

    @property
    def crop_size(self) -> int:
        """S, side of the crops that `encode` takes, px."""

    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> Any:
        """Encode `(B, S, S, 3)` RGB crops with their `(B, S, S)` padding into a memory."""

    def remember(
        self, memory: Any, rows: Sequence[int], boxes_xywh: npt.NDArray[np.float32]
    ) -> Sequence[Reference]:
        """Turn some crops of a memory into references, one each, given their boxes normalised to the crop.

        Args:
            memory: what `encode` returned.
            rows: which of its B crops.
            boxes_xywh: `(len(rows), 4)`.
        """

    def locate(self, search: Any, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """Find a target in each of the B search regions of a memory, given B sets of references.

        Raises:
            TrackingError: some of the B ensembles are empty and others are not: all may be, or none.
        """


@runtime_checkable
class CroppingNetwork(Network, Protocol):
    """A network that would rather cut the regions itself, on its device, out of frames uploaded once."""

    def encode_regions(self, frames: Sequence[Image], windows: Sequence[CropWindow], color: Color) -> Any:
        """Encode the same regions of each frame into a memory, as `encode` does their crops.

        Args:
            frames: F of `(H, W, 3)` uint8, B being F times the number of windows: all of the first frame,
                then all of the next one.
            windows: of side S once resized; may leave the frames.
            color: channel order of the frames.
        """


@runtime_checkable
class SavingNetwork(Network, Protocol):
    """A network whose references can be saved and brought back, on another device if need be."""

    def to_arrays(self, handle: Any) -> Arrays:
        """The content of a long- or short-term handle, exact: keys and values `(N, C)`, places `(N, D)`."""

    def from_arrays(self, arrays: Arrays) -> Any:
        """The handle whose content this is."""
