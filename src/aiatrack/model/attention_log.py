"""What a network attends to, kept call by call, for people to look at."""

from typing import Any, cast

from torch import Tensor, nn

from aiatrack.model.attention import AttentionMaps, CorrelationAttention
from aiatrack.model.network import AiATrack


class AttentionLog:
    """Keeps the maps of each attention's latest call; the network answers as before, if more slowly.

    Args:
        network: to be watched, from now on.
    """

    def __init__(self, network: AiATrack) -> None:
        self._encoder = [layer.attention for layer in network.encoder]
        self._decoder = [network.decoder.long_term_attention, network.decoder.short_term_attention]
        self._latest: dict[nn.Module | None, AttentionMaps] = {}
        for module in network.modules():
            if isinstance(module, CorrelationAttention):
                module.register_forward_hook(self._keep)

    def take_encoder(self) -> list[AttentionMaps]:
        """Each layer's self-attention in the crops encoded last, to be taken once; R is 1."""
        return [self._latest.pop(attention) for attention in self._encoder]  # type: ignore[arg-type]

    def take_decoder(self) -> list[AttentionMaps]:
        """What the search regions decoded last attended to, to be taken once.

        One map to the long-term reference and one to the R short-term ones, if there were any; of a network
        that merges them a single one to all, the long-term reference first.
        """
        return [self._latest.pop(attention) for attention in self._decoder if attention in self._latest]

    def _keep(self, module: nn.Module, arguments: tuple[Any, ...], _output: Tensor) -> None:
        self._latest[module] = cast(CorrelationAttention, module).maps(*arguments)
