"""The network's three verbs as modules of plain tensors, which other runtimes can take over.

Inputs and outputs are those of `aiatrack.runtimes.signatures`, in that order; shapes are given there.
"""

import torch
from torch import Tensor, nn

from aiatrack.model import AiATrack, Location, Memory, ProjectedReferences
from aiatrack.runtimes.signatures import Signature


class EncodeGraph(nn.Module):
    """Crops and their padding to encoded tokens and the inner positions of these."""

    def __init__(self, network: AiATrack) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """Encode crops."""
        memory = self.network.encode(crops, padding)
        return memory.tokens, memory.inner_positions


class RememberGraph(nn.Module):
    """Encoded tokens and boxes to what is kept of a reference; its positions are the memory's own."""

    def __init__(self, network: AiATrack) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, boxes_xywh: Tensor) -> tuple[Tensor, ...]:
        """Turn crops into references."""
        # Positions only pass through: any tensor will do.
        reference = self.network.remember(Memory(tokens, tokens), boxes_xywh)
        long_term, short_term = reference.long_term, reference.short_term
        parts = (long_term.keys, long_term.values, short_term.keys, short_term.values)
        return (*(part[:, 0] for part in parts), reference.embedding)


class LocateGraph(nn.Module):
    """Search tokens and references to boxes and what speaks for them."""

    def __init__(self, network: AiATrack) -> None:
        super().__init__()
        self.network = network

    def forward(  # noqa: PLR0917 - exporters take positions
        self,
        tokens: Tensor,
        long_keys: Tensor,
        long_values: Tensor,
        long_positions: Tensor,
        short_keys: Tensor,
        short_values: Tensor,
        short_positions: Tensor,
        multiplicity: Tensor,
    ) -> tuple[Tensor, ...]:
        """Find targets with an ensemble of at least one; counts of 0 leave a reference out."""
        long_term = ProjectedReferences(long_keys[:, None], long_values[:, None], long_positions[:, None])
        short_term = [ProjectedReferences(short_keys, short_values, short_positions)]
        return _flatten(self.network.locate(Memory(tokens, tokens), long_term, short_term, multiplicity))


class LocateLongTermGraph(nn.Module):
    """`LocateGraph` without an ensemble."""

    def __init__(self, network: AiATrack) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, tokens: Tensor, long_keys: Tensor, long_values: Tensor, long_positions: Tensor
    ) -> tuple[Tensor, ...]:
        """Find targets with frame 0 alone."""
        long_term = ProjectedReferences(long_keys[:, None], long_values[:, None], long_positions[:, None])
        return _flatten(self.network.locate(Memory(tokens, tokens), long_term, []))


def build_graph(network: AiATrack, name: str) -> nn.Module:
    """Build one of the graphs of a network, which is folded and switched to evaluation for good.

    Args:
        network: with its weights; on the CPU.
        name: one of those in `graph_signatures`.
    """
    kinds = {
        "encode": EncodeGraph,
        "remember": RememberGraph,
        "locate": LocateGraph,
        "locate_long_term": LocateLongTermGraph,
    }
    network.eval().requires_grad_(False)
    network.fold()
    return kinds[name](network).eval()


def example_inputs(signature: Signature, *, batch: int, ensemble: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Random inputs of a graph, of the sizes and ranges of real ones."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        _random(port.name, port.sized(batch=batch, ensemble=ensemble), generator) for port in signature.inputs
    )


def _flatten(location: Location) -> tuple[Tensor, ...]:
    corner_scores = torch.stack((location.top_left_scores, location.bottom_right_scores), dim=1)
    return location.boxes_xywh, location.scores, corner_scores, location.embeddings


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name == "crops":
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    if name == "padding":
        # As at the left edge of a frame: the first quarter of the columns lies outside.
        return (torch.arange(shape[-1]) < shape[-1] // 4).expand(shape).contiguous()
    if name == "boxes_xywh":
        return 0.2 + 0.3 * torch.rand(shape, generator=generator)
    if name == "multiplicity":
        return torch.randint(1, 4, shape, generator=generator).float()
    return torch.randn(shape, generator=generator)
