"""The network in eager PyTorch, behind the three verbs of tracking."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import RLock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from aiatrack.config.network import EMBEDDING_BINS
from aiatrack.model import AiATrack, Location, Memory, Positions, ProjectedReferences, Reference
from aiatrack.runtimes.ensembles import level_ensembles
from aiatrack.runtimes.position_cache import PositionCache, stack_positions
from aiatrack.tracking import LocatedTargets, ReferenceSet
from aiatrack.tracking.network import Arrays


class EagerMemory(NamedTuple):
    """Encoded crops, on the device."""

    batch: Memory
    inner_positions: Sequence[Tensor]
    """B of `(1, N, D)`; crops padded alike share one, and so do the references made of them."""


@dataclass(frozen=True, slots=True)
class EagerReference:
    """One target in one past frame, on the device; see `aiatrack.tracking.Reference`.

    Attributes:
        long_term: of the target.
        short_term: of the target.
        on_device: `(P, C)`, its embedding.
    """

    long_term: ProjectedReferences
    short_term: ProjectedReferences
    on_device: Tensor

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """Copied when it is asked for, in frame 0 alone: on a GPU every copy back is a synchronisation."""
        return self.on_device.float().cpu().numpy()


class EagerNetwork:
    """Runs an `AiATrack` module on a device; NumPy goes in and comes out, handles stay on the device.

    The module is taken over: switched to evaluation, folded, moved, and rounded if `bf16` asks for it.
    Trackers of several threads may share one: their calls take turns.

    Args:
        network: with its weights loaded.
        device: where to run it.
        bf16: multiply matrices and convolve in bfloat16; boxes and scores are computed in float32 still.

    Attributes:
        turn: held during each call.
    """

    def __init__(self, network: AiATrack, device: torch.device, *, bf16: bool = False) -> None:
        # What is kept between calls serves one at a time. Not a plain lock: a signal's handler that saves a
        # tracker's state would wait for ever for the call that it interrupts.
        self.turn = RLock()
        network.eval().requires_grad_(False)
        network.fold()
        if bf16:
            _round_weights(network)
        self._network = network.to(device)
        # Images are channels-last already; kernels that are not would be turned at every call on a GPU.
        nn.utils.convert_conv2d_weight_memory_format(self._network, torch.channels_last)
        self._device = device
        self._bf16 = bf16
        self._smallest_ensemble = 1  # fixed shapes are worth more to some than what smaller ones save
        self._positions = PositionCache(self._network, device)

    @property
    def crop_size(self) -> int:
        """Side of the crops, px."""
        return self._network.settings.crop_size

    @torch.inference_mode()
    def encode(self, crops: npt.NDArray[np.uint8] | Tensor, padding: npt.NDArray[np.bool_]) -> EagerMemory:
        """Encode `(B, S, S, 3)` RGB crops, which may lie on the device, with their `(B, S, S)` padding."""
        on_device = crops if isinstance(crops, Tensor) else self._upload(crops)
        with self.turn, self._rounding():
            positions = self._positions.look_up(padding)
            batch = self._encode(on_device, stack_positions(positions))
        return EagerMemory(batch, [part.inner for part in positions])

    @torch.inference_mode()
    def remember(
        self, memory: EagerMemory, rows: Sequence[int], boxes_xywh: npt.NDArray[np.float32]
    ) -> list[EagerReference]:
        """Turn some crops of a memory into references, given their boxes normalised to the crop."""
        picked = memory.batch
        if list(rows) != list(range(len(picked.tokens))):
            chosen = torch.tensor(rows).to(self._device, non_blocking=True)
            picked = Memory(*(part[chosen] for part in picked))
        with self.turn, self._rounding():
            reference = self._remember(picked, self._upload(boxes_xywh))
        positions = [memory.inner_positions[row] for row in rows]
        long_terms = _separate(reference.long_term, positions)
        short_terms = _separate(reference.short_term, positions)
        return [
            EagerReference(*parts) for parts in zip(long_terms, short_terms, reference.embedding, strict=True)
        ]

    @torch.inference_mode()
    def locate(self, search: EagerMemory, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """Find a target in each search region, given a set of references for each."""
        long_term = _join([target.long_term for target in references], dim=0)
        short_term, multiplicity = _stack_ensembles(references, self._smallest_ensemble)
        # Counts that are all one change nothing, and adding their logarithms is a pass over the largest map.
        counts = None if (multiplicity == 1).all() else self._upload(multiplicity)
        with self.turn, self._rounding():
            packed = self._locate(search.batch, long_term, short_term, counts)
        # One transfer: on a GPU every copy back is a synchronisation.
        return unpack_location(packed.cpu().numpy(), self._network.settings.grid_size)

    def to_arrays(self, handle: ProjectedReferences) -> Arrays:
        """Copy a reference to the host; bfloat16 fits into float32 exactly."""
        return tuple(part[0, 0].float().cpu().numpy().copy() for part in handle)

    @torch.inference_mode()
    def from_arrays(self, arrays: Arrays) -> ProjectedReferences:
        """Bring a reference back onto the device."""
        keys, values, positions = (self._upload(array)[None, None] for array in arrays)
        if self._bf16:
            keys, values = keys.bfloat16(), values.bfloat16()
        return ProjectedReferences(keys, values, positions)

    def _encode(self, crops: Tensor, positions: Positions) -> Memory:
        return self._network.encode_placed(crops, positions)

    def _remember(self, memory: Memory, boxes_xywh: Tensor) -> Reference:
        return self._network.remember(memory, boxes_xywh)

    def _locate(
        self,
        search: Memory,
        long_term: ProjectedReferences,
        short_term: list[ProjectedReferences],
        counts: Tensor | None,
    ) -> Tensor:
        return pack_location(self._network.locate(search, long_term, short_term, counts))

    def _rounding(self) -> AbstractContextManager[None]:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16)

    def _upload(self, array: npt.NDArray[np.generic]) -> Tensor:
        # PyTorch warns of arrays that cannot be written to, as those of a state read elsewhere may be.
        return torch.from_numpy(np.require(array, requirements="W")).to(self._device, non_blocking=True)


def pack_location(location: Location) -> Tensor:
    """Put everything side by side: `(B, 5 + 2 G^2 + P C)` float32, what `unpack_location` takes apart."""
    corner_scores = torch.stack((location.top_left_scores, location.bottom_right_scores), dim=1)
    wide = (corner_scores.flatten(1), location.embeddings.flatten(1))
    parts = (location.boxes_xywh, location.scores[:, None], *wide)
    return torch.cat([part.float() for part in parts], dim=1)


def unpack_location(packed: npt.NDArray[np.float32], grid_size: int) -> LocatedTargets:
    """Take apart `(B, 5 + 2 G^2 + P C)` rows of box, score, corner scores and embedding."""
    cells = 2 * grid_size**2
    corner_scores = packed[:, 5 : 5 + cells].reshape(-1, 2, grid_size, grid_size)
    embeddings = packed[:, 5 + cells :].reshape(len(packed), EMBEDDING_BINS**2, -1)
    return LocatedTargets(packed[:, :4], packed[:, 4], corner_scores, embeddings)


def _round_weights(network: AiATrack) -> None:
    """Store in bfloat16 what autocast would round at every call: the weights of its matrix products."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(torch.bfloat16)


def _separate(references: ProjectedReferences, positions: Sequence[Tensor]) -> list[ProjectedReferences]:
    """Cut a batch into its members, each in memory of its own: they are let go one by one.

    A tracker keeps a hundred of them, so that positions `(1, N, D)`, mostly equal, are shared instead.
    """
    copies = len(positions) > 1
    separate = []
    for row, shared in enumerate(positions):
        keys, values = references.keys[row : row + 1], references.values[row : row + 1]
        own = (keys.clone(), values.clone()) if copies else (keys, values)
        separate.append(ProjectedReferences(*own, shared[:, None]))
    return separate


def _stack_ensembles(
    references: Sequence[ReferenceSet], smallest: int
) -> tuple[list[ProjectedReferences], npt.NDArray[np.float32]]:
    """Batch ensembles, at least `smallest` large; none where they are empty."""
    ensembles, counts = level_ensembles(references, smallest)
    if not counts.size:
        return [], counts
    joined = _join([member for members in ensembles for member in members], dim=1)  # (1, B R, N, C)
    return [ProjectedReferences(*(part.view(*counts.shape, *part.shape[2:]) for part in joined))], counts


def _join(references: Sequence[ProjectedReferences], dim: int) -> ProjectedReferences:
    if len(references) == 1:
        return references[0]
    keys, values, positions = zip(*references, strict=True)
    shape = list(positions[0].shape)
    if shape[dim] == 1 and all(part.data_ptr() == positions[0].data_ptr() for part in positions):
        shape[dim] = len(positions)
        joined = positions[0].expand(shape)  # read alike for all, and copied for none
    else:
        joined = torch.cat(positions, dim)
    return ProjectedReferences(torch.cat(keys, dim), torch.cat(values, dim), joined)
