"""A network that shows what it attends to, for pictures: slow, one target at a time.

Legend: S crop side in px, G grid side, N = G^2 tokens, H heads.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aiatrack.config import Combination
from aiatrack.errors import TrackingError
from aiatrack.model import AiATrack, AttentionLog, AttentionMaps, ProjectedReferences, target_region
from aiatrack.runtimes.eager import EagerMemory, EagerNetwork
from aiatrack.tracking import LocatedTargets, ReferenceSet

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Attention:
    """How much each token of the search region draws from each token of something.

    Attributes:
        unrefined: `(H, N, N)`, by the correlation map as it is; rows are drawn from, columns draw.
        refined: `(H, N, N)`, by the refined map, as the network does it; the same where nothing refines it.
    """

    unrefined: Array
    refined: Array

    @property
    def is_refined(self) -> bool:
        """Whether anything refines it, in a network of these settings."""
        return self.refined is not self.unrefined

    def of_token(self, token: int, *, refined: bool = True) -> Array:
        """What one token of the search region, counted row by row, draws from: `(G, G)`, mean over heads."""
        drawn = (self.refined if refined else self.unrefined)[:, :, token].mean(axis=0)
        side = math.isqrt(drawn.size)
        return drawn.reshape(side, side)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class WatchedReference:
    """A reference and how it was attended to.

    Attributes:
        crop: `(S, S, 3)` uint8 RGB that it was made of.
        box_xywh: `(4,)`, the target in it, normalised to the crop.
        target: `(G, G)` bool, the cells that were marked as the target's.
        frame_number: of the frame, 0 for that in which the target was marked.
        count: how often it is in the ensemble; 1 for the long-term reference.
        attention: of the search region to it. The columns of the long-term reference and of the ensemble
            sum to one each; where the network merges them, those of all together.
    """

    crop: npt.NDArray[np.uint8]
    box_xywh: Array
    target: npt.NDArray[np.bool_]
    frame_number: int
    count: int
    attention: Attention


@dataclass(frozen=True, slots=True)
class Observation:
    """What the network saw, where it looked and what it found.

    Attributes:
        crop: `(S, S, 3)` uint8 RGB, the search region.
        box_xywh: `(4,)`, found, normalised to the crop.
        corner_probabilities: `(2, G, G)`, of each cell to be the top left, and the bottom right, corner.
        encoder: self-attention of each encoder layer, from the first; columns sum to one.
        references: the long-term one, then the members of the ensemble, oldest first.
    """

    crop: npt.NDArray[np.uint8]
    box_xywh: Array
    corner_probabilities: Array
    encoder: list[Attention]
    references: list[WatchedReference]

    @property
    def grid_size(self) -> int:
        """G, cells per side of the search region."""
        return int(self.corner_probabilities.shape[-1])


@dataclass(frozen=True, slots=True)
class _Crop:
    pixels: npt.NDArray[np.uint8]
    frame_number: int
    memory: EagerMemory
    encoder: list[AttentionMaps]


@dataclass(frozen=True, slots=True)
class _Handle:
    """A reference's projections, and the picture that they were made of; not what else was made of it."""

    projected: ProjectedReferences
    pixels: npt.NDArray[np.uint8]
    frame_number: int
    box_xywh: Array


@dataclass(frozen=True, slots=True)
class _Handles:
    """See `aiatrack.tracking.Reference`."""

    long_term: _Handle
    short_term: _Handle
    embedding: Array


class WatchedNetwork:
    """Runs an `AiATrack` module in eager PyTorch, one crop at a time, and keeps what it attends to.

    Args:
        network: with its weights loaded; taken over.
        device: where to run it.

    Attributes:
        frame_number: what to call the frame of the crops that are encoded next; whoever tracks sets it.
    """

    def __init__(self, network: AiATrack, device: torch.device) -> None:
        self.frame_number = 0
        self._latest: Observation | None = None
        self._log = AttentionLog(network)
        self._settings = network.settings
        self._network = EagerNetwork(network, device)

    @property
    def crop_size(self) -> int:
        """S, side of the crops, px."""
        return self._network.crop_size

    @property
    def observation(self) -> Observation:
        """Of the search region located last.

        Raises:
            TrackingError: there has been none.
        """
        if self._latest is None:
            raise TrackingError("nothing was looked for yet: mark a target, then update")
        return self._latest

    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> _Crop:
        """Encode one crop `(1, S, S, 3)`.

        Raises:
            TrackingError: several.
        """
        if len(crops) != 1:
            raise TrackingError(f"attention is watched in one region at a time; got {len(crops)}")
        memory = self._network.encode(crops, padding)
        return _Crop(crops[0].copy(), self.frame_number, memory, self._log.take_encoder())

    def remember(
        self, memory: _Crop, rows: Sequence[int], boxes_xywh: npt.NDArray[np.float32]
    ) -> list[_Handles]:
        """Turn the crop into a reference that keeps its picture."""
        (made,) = self._network.remember(memory.memory, rows, boxes_xywh)
        long_term, short_term = (
            _Handle(projected, memory.pixels, memory.frame_number, boxes_xywh[0].copy())
            for projected in (made.long_term, made.short_term)
        )
        return [_Handles(long_term, short_term, made.embedding)]

    def locate(self, search: _Crop, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """Find the target, and keep what was attended to."""
        (known,) = references
        ensemble, counts = known.short_term, known.multiplicity
        if self._settings.combination is Combination.LONG_ONLY:
            ensemble, counts = [], []  # which such a network does not attend to
        projected = [handle.projected for handle in ensemble]
        located = self._network.locate(
            search.memory, [ReferenceSet(known.long_term.projected, projected, counts)]
        )
        attended = zip(
            [known.long_term, *ensemble],
            [1, *counts],
            _by_reference(self._log.take_decoder()),
            strict=True,
        )
        self._latest = Observation(
            search.pixels,
            located.boxes_xywh[0],
            _softmax(located.corner_scores[0]),
            list(_by_reference(search.encoder)),
            [self._describe(*reference) for reference in attended],
        )
        return located

    def _describe(self, handle: _Handle, count: int, attention: Attention) -> WatchedReference:
        grid = self._settings.grid_size
        target = target_region(torch.from_numpy(handle.box_xywh)[None], grid).view(grid, grid).numpy()
        return WatchedReference(handle.pixels, handle.box_xywh, target, handle.frame_number, count, attention)


def _by_reference(maps: Sequence[AttentionMaps]) -> Iterator[Attention]:
    for unrefined, refined in maps:
        ours = _split(unrefined)
        pairs = zip(ours, ours if refined is unrefined else _split(refined), strict=True)
        yield from (Attention(*pair) for pair in pairs)


def _split(weights: Tensor) -> list[Array]:
    """`(1, H, R, N, N)`, by reference: R of `(H, N, N)`."""
    return [part.cpu().numpy() for part in weights[0].unbind(1)]


def _softmax(logits: Array) -> Array:
    """Over the cells of each map `(2, G, G)`."""
    return torch.from_numpy(logits).flatten(1).softmax(dim=1).view(logits.shape).numpy()
