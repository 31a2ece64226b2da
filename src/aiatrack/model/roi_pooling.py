"""Precise RoI pooling (Jiang et al., ECCV 2018) as two small matrix products.

The bilinearly interpolated map is `sum_ij F[i, j] hat(y - i) hat(x - j)` with `hat(t) = max(0, 1 - |t|)`. Its
integral over a bin separates into one factor for y and one for x, each with a closed form; no kernel to
compile, differentiable in the map and in the box.
"""

import torch
from torch import Tensor


def precise_roi_pool(features: Tensor, boxes_xyxy: Tensor, bins: int) -> Tensor:
    """Average the bilinearly interpolated map over each bin of each box, exactly.

    Args:
        features: `(B, C, H, W)`; cell (i, j) sits at y = i, x = j, and beyond the map lies zero.
        boxes_xyxy: `(B, P, 4)` in cells, anywhere.
        bins: per side of a box.

    Returns:
        `(B, P, C, bins, bins)`; zero for a box without area.
    """
    height, width = features.shape[-2:]
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    weights_x = _bin_weights(x1, x2, bins, width)  # (B, P, bins, W)
    weights_y = _bin_weights(y1, y2, bins, height)  # (B, P, bins, H)
    rows = torch.einsum("bpyi,bcij->bpcyj", weights_y, features)
    return torch.einsum("bpcyj,bpxj->bpcyx", rows, weights_x)


def pool_tokens(tokens: Tensor, boxes_xyxy: Tensor, bins: int, grid_size: int) -> Tensor:
    """Pool one box of each map as `precise_roi_pool` does, the map as tokens: one product, nothing is turned.

    Args:
        tokens: `(B, N, C)` of a square map, row by row.
        boxes_xyxy: `(B, 4)` in cells, anywhere.
        bins: per side of a box.
        grid_size: side of the map, cells.

    Returns:
        `(B, bins^2, C)`, row by row; zero for a box without area.
    """
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    weights_x = _bin_weights(x1, x2, bins, grid_size)[:, None, :, None, :]
    weights_y = _bin_weights(y1, y2, bins, grid_size)[:, :, None, :, None]
    return (weights_y * weights_x).flatten(3).flatten(1, 2) @ tokens


def _bin_weights(start: Tensor, end: Tensor, bins: int, cells: int) -> Tensor:
    """Mean of each cell's hat over each of the `bins` equal parts of [start, end]: `(..., bins, cells)`."""
    bin_width = (end - start) / bins
    edges = start[..., None] + bin_width[..., None] * torch.arange(bins + 1, device=start.device)
    offset = edges[..., None] - torch.arange(cells, device=start.device, dtype=start.dtype)
    primitive = _hat_integral(offset)
    integral = primitive[..., 1:, :] - primitive[..., :-1, :]
    empty = bin_width <= 0
    safe_width = torch.where(empty, torch.ones_like(bin_width), bin_width)
    return torch.where(
        empty[..., None, None], torch.zeros_like(integral), integral / safe_width[..., None, None]
    )


def _hat_integral(t: Tensor) -> Tensor:
    """Integral of `max(0, 1 - |s|)` over s from minus infinity to t."""
    t = t.clamp(-1, 1)
    return 0.5 + t - 0.5 * t * t.abs()
