"""Exponential moving average of the weights: steadier than the weights of any one step."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class AveragedNetwork(Generic[Network]):
    """A copy of a network whose weights and running statistics trail behind the original's.

    Args:
        network: the network in training; copied, never changed.
        decay: share of the old average that one update keeps, in [0, 1). It is approached from below over the
            first updates, so that the random start is soon forgotten.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    def decay_at(self, step: int) -> float:
        """Share of the old average kept by the update after optimiser step `step` (from 0)."""
        return min(self._decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, network: Network, step: int) -> None:
        """Move the average towards the network's weights after a step."""
        averages, values = _floats(self.network), _floats(network)
        torch._foreach_lerp_(averages, values, 1 - self.decay_at(step))


def _floats(network: nn.Module) -> list[Tensor]:
    """Weights and running statistics, without counters."""
    return [tensor for tensor in network.state_dict(keep_vars=True).values() if tensor.is_floating_point()]
