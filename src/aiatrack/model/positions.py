"""Sine position encodings under a padding mask (DETR's, as the paper uses them)."""

import math

import torch
from torch import Tensor

_TEMPERATURE = 10000.0


def cell_padding(padding: Tensor, grid_size: int) -> Tensor:
    """Bring a crop's padding mask to the feature grid by nearest neighbour.

    Args:
        padding: `(B, S, S)` bool, True where the crop lies outside the frame.
        grid_size: cells per side; S is a multiple of it.

    Returns:
        `(B, grid_size, grid_size)` bool.
    """
    stride = padding.shape[-1] // grid_size
    return padding[:, ::stride, ::stride]


def sine_positions(padding: Tensor, channels: int) -> Tensor:
    """Encode each cell's place among the unpadded cells.

    Coordinates are cumulative counts of unpadded cells, scaled to (0, 2 pi].

    Args:
        padding: `(B, H, W)` bool at the feature grid.
        channels: of the encoding; the first half encodes y, the second x, sine and cosine interleaved.

    Returns:
        `(B, H W, channels)` float32, rows of the grid one after the other.
    """
    present = (~padding).float()
    y = _normalized_count(present, dim=1)
    x = _normalized_count(present, dim=2)
    half = channels // 2
    exponent = torch.arange(half, device=padding.device).div(2, rounding_mode="floor") * (2.0 / half)
    frequency = _TEMPERATURE**-exponent
    return torch.cat((_interleave_waves(y, frequency), _interleave_waves(x, frequency)), dim=-1).flatten(1, 2)


def _normalized_count(present: Tensor, *, dim: int) -> Tensor:
    count = present.cumsum(dim)
    total = count.narrow(dim, count.shape[dim] - 1, 1)
    return count / (total + 1e-6) * (2 * math.pi)


def _interleave_waves(coordinate: Tensor, frequency: Tensor) -> Tensor:
    angle = coordinate[..., None] * frequency  # (B, H, W, half)
    return torch.stack((angle[..., 0::2].sin(), angle[..., 1::2].cos()), dim=-1).flatten(-2)
