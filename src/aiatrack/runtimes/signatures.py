"""What goes into and comes out of the graphs that a network is exported as: names, shapes, types.

Knows no PyTorch: those who run exported graphs need not wait for it.

Legend: B batch, S crop side in px, G = S / 16 grid side, N = G^2 tokens, C channels, D inner channels,
R distinct short-term references.
"""

from typing import NamedTuple

from aiatrack.config import NetworkSettings

EXPORTED = ("encode", "remember", "locate")
"""The graphs that an export writes."""

BATCH = "batch"
ENSEMBLE = "ensemble"


class Port(NamedTuple):
    """An input or output of a graph."""

    name: str
    shape: tuple[int | str, ...]
    """Sizes; a name where the size is free."""
    dtype: str
    """As NumPy calls it."""

    def sized(self, **free: int) -> tuple[int, ...]:
        """Shape with the free sizes put in."""
        return tuple(free[size] if isinstance(size, str) else size for size in self.shape)


class Signature(NamedTuple):
    """Inputs and outputs of a graph, in order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def graph_signatures(settings: NetworkSettings) -> dict[str, Signature]:
    """Signatures of `encode`, `remember`, `locate`, and `locate_long_term`, which takes no ensemble."""
    locate = _locate(settings)
    alone = tuple(port for port in locate.inputs if ENSEMBLE not in port.shape)
    return {
        "encode": _encode(settings),
        "remember": _remember(settings),
        "locate": locate,
        "locate_long_term": Signature(alone, locate.outputs),
    }


def _encode(settings: NetworkSettings) -> Signature:
    side = settings.crop_size
    inputs = (
        Port("crops", (BATCH, side, side, 3), "uint8"),
        Port("padding", (BATCH, side, side), "bool"),
    )
    return Signature(inputs, _memory(settings))


def _remember(settings: NetworkSettings) -> Signature:
    tokens, channels = settings.tokens, settings.channels
    names = ("long_keys", "long_values", "short_keys", "short_values")
    outputs = (
        *(Port(name, (BATCH, tokens, channels), "float32") for name in names),
        Port("embeddings", (BATCH, settings.embedded_parts, channels), "float32"),
    )
    return Signature((_memory(settings)[0], Port("boxes_xywh", (BATCH, 4), "float32")), outputs)


def _locate(settings: NetworkSettings) -> Signature:
    tokens, channels, inner = settings.tokens, settings.channels, settings.inner_channels
    widths = {"keys": channels, "values": channels, "positions": inner}
    inputs = (
        _memory(settings)[0],
        *(Port(f"long_{part}", (BATCH, tokens, width), "float32") for part, width in widths.items()),
        *(
            Port(f"short_{part}", (BATCH, ENSEMBLE, tokens, width), "float32")
            for part, width in widths.items()
        ),
        Port("multiplicity", (BATCH, ENSEMBLE), "float32"),
    )
    grid = settings.grid_size
    outputs = (
        Port("located_xywh", (BATCH, 4), "float32"),
        Port("scores", (BATCH,), "float32"),
        Port("corner_scores", (BATCH, 2, grid, grid), "float32"),
        Port("embeddings", (BATCH, settings.embedded_parts, channels), "float32"),
    )
    return Signature(inputs, outputs)


def _memory(settings: NetworkSettings) -> tuple[Port, Port]:
    return (
        Port("tokens", (BATCH, settings.tokens, settings.channels), "float32"),
        Port("inner_positions", (BATCH, settings.tokens, settings.inner_channels), "float32"),
    )
