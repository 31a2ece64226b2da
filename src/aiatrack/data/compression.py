"""The blocks of JPEG without its entropy coding: cosine transform, rounding by its tables, and back."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@functools.cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The cosine basis, both tables, and the colour transform with its inverse, on a device."""
    rows = torch.arange(8.0)
    basis = torch.cos((2 * rows[None] + 1) * rows[:, None] * math.pi / 16) * 0.5
    basis[0] = math.sqrt(1 / 8)
    tables = torch.tensor((_LUMA_TABLE, _CHROMA_TABLE, _CHROMA_TABLE), dtype=torch.float32)
    to_ycc = torch.tensor(_TO_YCC)
    return basis.to(device), tables.to(device), to_ycc.to(device), torch.linalg.inv(to_ycc).to(device)


def compress(crops: Tensor, quality: Tensor) -> Tensor:
    """Return what is left of crops after JPEG compression without chroma subsampling (ITU-T T.81, annex K).

    Args:
        crops: `(V, S, S, 3)` RGB, float, in [0, 255].
        quality: `(V,)` in 1 to 100, as libjpeg scales the tables with it.

    Returns:
        `(V, S, S, 3)` float in [0, 255].
    """
    basis, tables, to_ycc, to_rgb = _constants(crops.device)
    count, size = crops.shape[0], crops.shape[1]
    blocks_per_side = -(-size // 8)
    planes = (crops @ to_ycc.T).permute(0, 3, 1, 2)
    planes = planes - planes.new_tensor((128.0, 0.0, 0.0))[:, None, None]
    margin = blocks_per_side * 8 - size
    planes = F.pad(planes, (0, margin, 0, margin), mode="replicate")
    blocks = planes.reshape(count, 3, blocks_per_side, 8, blocks_per_side, 8).transpose(3, 4)
    quality = quality.to(crops).clamp(1, 100)
    factor = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = ((tables * factor[:, None, None, None] + 50) / 100).floor().clamp(1, 255)[:, :, None, None]
    coefficients = basis @ blocks @ basis.T
    blocks = basis.T @ (torch.round(coefficients / steps) * steps) @ basis
    planes = blocks.transpose(3, 4).reshape(count, 3, blocks_per_side * 8, blocks_per_side * 8)
    planes = planes[..., :size, :size] + planes.new_tensor((128.0, 0.0, 0.0))[:, None, None]
    return (planes.permute(0, 2, 3, 1) @ to_rgb.T).clamp(0, 255)
