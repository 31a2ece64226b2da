"""The network in eager PyTorch, behind the three verbs of tracking."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aiatrack.model import AiATrack, Memory, ProjectedReferences
from aiatrack.tracking import LocatedTargets, ReferenceSet


class EagerReference(NamedTuple):
    """One target in one past frame, on the device; see `aiatrack.tracking.Reference`."""

    long_term: ProjectedReferences
    short_term: ProjectedReferences
    embedding: npt.NDArray[np.float32]


class EagerNetwork:
    """Runs an `AiATrack` module on a device; NumPy goes in and comes out, handles stay on the device.

    The module is taken over: switched to evaluation, folded, moved.

    Args:
        network: with its weights loaded.
        device: where to run it.
    """

    def __init__(self, network: AiATrack, device: torch.device) -> None:
        network.eval().requires_grad_(False)
        network.fold()
        self._network = network.to(device)
        self._device = device

    @property
    def crop_size(self) -> int:
        """Side of the crops, px."""
        return self._network.settings.crop_size

    @torch.inference_mode()
    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> Memory:
        """Encode `(B, S, S, 3)` RGB crops with their `(B, S, S)` padding."""
        return self._network.encode(self._upload(crops), self._upload(padding))

    @torch.inference_mode()
    def remember(
        self, memory: Memory, rows: Sequence[int], boxes_xywh: npt.NDArray[np.float32]
    ) -> list[EagerReference]:
        """Turn some crops of a memory into references, given their boxes normalised to the crop."""
        chosen = torch.as_tensor(rows, device=self._device)
        picked = Memory(*(part[chosen] for part in memory))
        reference = self._network.remember(picked, self._upload(boxes_xywh))
        embeddings = reference.embedding.float().cpu().numpy()
        long_terms, short_terms = _separate(reference.long_term), _separate(reference.short_term)
        return [EagerReference(*parts) for parts in zip(long_terms, short_terms, embeddings, strict=True)]

    @torch.inference_mode()
    def locate(self, search: Memory, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """Find a target in each search region, given a set of references for each."""
        long_term = _join([target.long_term for target in references], dim=0)
        short_term, multiplicity = _stack_ensembles(references)
        counts = None if multiplicity is None else self._upload(multiplicity)
        location = self._network.locate(search, long_term, short_term, counts)
        # One transfer: on a GPU every copy back is a synchronisation.
        corner_scores = torch.stack((location.top_left_scores, location.bottom_right_scores), dim=1)
        parts = (location.boxes_xywh, location.scores[:, None], corner_scores.flatten(1), location.embeddings)
        packed = torch.cat([part.float() for part in parts], dim=1).cpu().numpy()
        return unpack_location(packed, self._network.settings.grid_size)

    def _upload(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(self._device, non_blocking=True)


def unpack_location(packed: npt.NDArray[np.float32], grid_size: int) -> LocatedTargets:
    """Take apart `(B, 5 + 2 G^2 + C)` rows of box, score, corner scores and embedding."""
    cells = 2 * grid_size**2
    corner_scores = packed[:, 5 : 5 + cells].reshape(-1, 2, grid_size, grid_size)
    return LocatedTargets(packed[:, :4], packed[:, 4], corner_scores, packed[:, 5 + cells :])


def _separate(references: ProjectedReferences) -> list[ProjectedReferences]:
    """Cut a batch into its members, each in memory of its own: they are let go one by one."""
    if len(references.keys) == 1:
        return [references]
    rows = range(len(references.keys))
    return [ProjectedReferences(*(part[row : row + 1].clone() for part in references)) for row in rows]


def _stack_ensembles(
    references: Sequence[ReferenceSet],
) -> tuple[list[ProjectedReferences], npt.NDArray[np.float32] | None]:
    """Batch ensembles of different sizes: a smaller one is filled up with references that count zero."""
    largest = max(len(target.short_term) for target in references)
    if not largest:
        return [], None
    counts = np.zeros((len(references), largest), np.float32)
    ensembles = []
    for row, target in enumerate(references):
        counts[row, : len(target.multiplicity)] = target.multiplicity
        members = list(target.short_term)
        ensembles.append(_join(members + members[:1] * (largest - len(members)), dim=1))
    return [_join(ensembles, dim=0)], counts


def _join(references: Sequence[ProjectedReferences], dim: int) -> ProjectedReferences:
    if len(references) == 1:
        return references[0]
    return ProjectedReferences(*(torch.cat(parts, dim) for parts in zip(*references, strict=True)))
