"""Position encodings by padding pattern: most crops have none, and neighbouring frames the same."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from aiatrack.model import AiATrack, Positions, cell_padding

_CAPACITY = 32
"""Patterns kept, half a megabyte each for `base`."""


class PositionCache:
    """Looks up what `AiATrack.place` computes, the patterns least recently used being let go.

    Args:
        network: whose positions; on its device.
        device: where they are kept.
    """

    def __init__(self, network: AiATrack, device: torch.device) -> None:
        self._network = network
        self._device = device
        self._known: OrderedDict[bytes, Positions] = OrderedDict()

    def look_up(self, padding: npt.NDArray[np.bool_]) -> list[Positions]:
        """Positions of `(B, S, S)` padding masks, B of them with a batch of one; the same object if equal."""
        cells = cell_padding(torch.from_numpy(padding), self._network.settings.grid_size)
        return [self._place(pattern) for pattern in cells]

    def _place(self, pattern: torch.Tensor) -> Positions:
        key = pattern.numpy().tobytes()
        if key not in self._known:
            self._known[key] = self._network.place(pattern[None].to(self._device))
            if len(self._known) > _CAPACITY:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


def stack_positions(positions: Sequence[Positions]) -> Positions:
    """Batch positions; equal ones are not copied."""
    first = positions[0]
    if all(others is first for others in positions):
        return Positions(*(part.expand(len(positions), -1, -1) for part in first))
    return Positions(*(torch.cat(parts) for parts in zip(*positions, strict=True)))
