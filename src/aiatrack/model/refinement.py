"""What may refine a correlation map before its softmax: attention in attention, or a convolution.

Legend: B batch, H heads, R references, N_q query tokens, N_k key tokens per reference, D inner channels.
A refinement maps correlation vectors `(B, H, R, N_k, N_q)`, one vector of length N_q per key, to a correction
of the same shape, every head and every reference on its own.
"""

import math

import torch
from torch import Tensor, nn

from aiatrack.config import NetworkSettings, Refinement


class InnerAttention(nn.Module):
    """Attention among correlation vectors (paper, Eq. 3): those that agree reinforce each other.

    `softmax(Q' K'^T / sqrt(D)) V' (I + W'_o)`, with Q' and K' from the vectors brought down to D channels
    plus the sine position of their key, and V' the normalised vectors themselves. Heads share its parameters.
    """

    def __init__(
        self, query_tokens: int, inner_channels: int, *, dropout: float, positions: bool = True
    ) -> None:
        super().__init__()
        self.positions = positions
        self.projection = nn.Linear(query_tokens, inner_channels)
        self.projection_norm = nn.LayerNorm(inner_channels)
        self.query = nn.Linear(inner_channels, inner_channels)
        self.key = nn.Linear(inner_channels, inner_channels)
        self.value_norm = nn.LayerNorm(query_tokens)
        self.output = nn.Linear(query_tokens, query_tokens)
        self.dropout = nn.Dropout(dropout)
        self.logit_scale = 1 / math.sqrt(inner_channels)
        self.residual = True

    def forward(self, vectors: Tensor, key_positions: Tensor) -> Tensor:
        """Return the correction to add to the correlation vectors.

        Args:
            vectors: `(B, H, R, N_k, N_q)`.
            key_positions: `(B, R, N_k, D)` sine encoding of where each key lies.
        """
        reduced = self.projection_norm(self.projection(vectors))
        if self.positions:
            reduced = reduced + key_positions[:, None]
        query, key = self.query(reduced), self.key(reduced)
        agreement = scaled(query, self.logit_scale) @ key.transpose(-2, -1)
        values = self.dropout(agreement.softmax(dim=-1)) @ self.value_norm(vectors)
        correction = self.output(values)
        return values + correction if self.residual else correction  # type: ignore[no-any-return]

    @torch.no_grad()
    def fold(self) -> None:
        """Write I + W'_o into one matrix and the logits' scale into the query; for inference only."""
        self.logit_scale = fold_scale(self.query, self.logit_scale)
        if self.residual:
            self.output.weight.diagonal().add_(1)
            self.residual = False


class MapConvolution(nn.Module):
    """A 3x3 convolution in a bottleneck over the keys' grid, whose channels are the correlation vectors.

    The paper's counterpart to AiA: neighbours correct each other by fixed weights instead of by agreement.
    """

    def __init__(self, query_tokens: int, inner_channels: int) -> None:
        super().__init__()
        self.grid_size = math.isqrt(query_tokens)
        self.value_norm = nn.LayerNorm(query_tokens)
        self.layers = nn.Sequential(
            nn.Conv2d(query_tokens, inner_channels, 1),
            nn.ReLU(),
            nn.Conv2d(inner_channels, inner_channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(inner_channels, query_tokens, 1),
        )

    def forward(self, vectors: Tensor, key_positions: Tensor) -> Tensor:
        """Return the correction to add to `(B, H, R, N_k, N_q)`; positions are the grid's own."""
        maps = self.value_norm(vectors).transpose(-2, -1)  # (B, H, R, N_q, N_k)
        correction = self.layers(maps.flatten(0, 2).unflatten(-1, (self.grid_size, self.grid_size)))
        return correction.flatten(-2).transpose(-2, -1).unflatten(0, vectors.shape[:3])  # type: ignore[no-any-return]


def build_refinement(settings: NetworkSettings) -> nn.Module | None:
    """Build what refines one attention layer's correlation map; None where the map is left as it is."""
    if settings.refinement in (Refinement.AIA, Refinement.AIA_WITHOUT_POSITIONS):
        return InnerAttention(
            settings.tokens,
            settings.inner_channels,
            dropout=settings.dropout,
            positions=settings.refinement is Refinement.AIA,
        )
    if settings.refinement is Refinement.CONVOLUTION:
        return MapConvolution(settings.tokens, settings.inner_channels)
    return None


def scaled(tokens: Tensor, scale: float) -> Tensor:
    """Multiply; by one for free."""
    return tokens if scale == 1 else tokens * scale


@torch.no_grad()
def fold_scale(projection: nn.Linear, scale: float) -> float:
    """Write a scale of a projection's output into it, in place; returns the scale that remains, one."""
    projection.weight.mul_(scale)
    projection.bias.mul_(scale)
    return 1.0


def log_multiplicity(multiplicity: Tensor) -> Tensor:
    """Turn counts of identical references into what is added to their logits; a count of 0 leaves one out."""
    return torch.log(multiplicity.float())
