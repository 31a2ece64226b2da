"""Where the target is, and how well a box fits it: the corner head (STARK) and the IoU head (ATOM)."""

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from aiatrack.boxes import xywh_to_xyxy
from aiatrack.model.frozen_norm import fold_norm
from aiatrack.model.roi_pooling import precise_roi_pool


class CornerPrediction(NamedTuple):
    """A box and the score maps that it comes from."""

    boxes_xyxy: Tensor
    """`(B, 4)`, normalised to the crop."""
    top_left_scores: Tensor
    """`(B, G, G)` logits over the grid."""
    bottom_right_scores: Tensor
    """`(B, G, G)` logits over the grid."""


class CornerHead(nn.Module):
    """One convolutional stack per corner; the corner is the expectation of its cell's coordinates."""

    def __init__(self, in_channels: int, channels: int, grid_size: int) -> None:
        super().__init__()
        self.grid_size = grid_size
        self.top_left = _corner_stack(in_channels, channels)
        self.bottom_right = _corner_stack(in_channels, channels)
        rows, columns = torch.meshgrid(*[torch.arange(grid_size) / grid_size] * 2, indexing="ij")
        coordinates = torch.stack((columns.flatten(), rows.flatten()))  # (2, N), x and y
        self.register_buffer("coordinates", coordinates, persistent=False)
        self.coordinates: Tensor

    def forward(self, tokens: Tensor) -> CornerPrediction:
        """`(B, N, C)` decoded search tokens -> boxes and score maps."""
        features = tokens_to_map(tokens, self.grid_size)
        top_left_scores = self.top_left(features)[:, 0]
        bottom_right_scores = self.bottom_right(features)[:, 0]
        corners = (self._expectation(top_left_scores), self._expectation(bottom_right_scores))
        return CornerPrediction(torch.cat(corners, dim=-1), top_left_scores, bottom_right_scores)

    def fold(self) -> None:
        """Write the batch norms into the convolutions before them, in place; for inference only."""
        _fold_blocks(self.top_left)
        _fold_blocks(self.bottom_right)

    def _expectation(self, scores: Tensor) -> Tensor:
        """`(B, G, G)` logits -> `(B, 2)` mean x and y, in float32 whatever the scores are in."""
        probability = scores.float().flatten(1).softmax(dim=-1)  # (B, N)
        return (probability[:, None] * self.coordinates).sum(dim=-1)


class IoUHead(nn.Module):
    """Predicts how much a box overlaps the target, as 2 IoU - 1, from features pooled inside the box."""

    bins = 4

    def __init__(self, in_channels: int, channels: int, grid_size: int) -> None:
        super().__init__()
        self.grid_size = grid_size
        widths = (in_channels, channels, channels)
        self.convolutions = nn.Sequential(*(convolution_block(width, channels) for width in widths))
        self.hidden = nn.Linear(channels * self.bins**2, channels)
        self.hidden_norm: nn.Module = nn.BatchNorm1d(channels)
        self.output = nn.Linear(channels, 1)

    def forward(self, tokens: Tensor, boxes_xywh: Tensor) -> Tensor:
        """Score boxes against decoded search tokens.

        Args:
            tokens: `(B, N, C)`.
            boxes_xywh: `(B, P, 4)`, normalised to the crop, anywhere.

        Returns:
            `(B, P)`, raw score; 1 is a perfect fit, -1 none.
        """
        features = self.convolutions(tokens_to_map(tokens, self.grid_size))
        pooled = precise_roi_pool(features, xywh_to_xyxy(boxes_xywh) * self.grid_size, self.bins)
        hidden = self.hidden(pooled.flatten(2)).flatten(0, 1)  # (B P, channels)
        score = self.output(torch.relu(self.hidden_norm(hidden)))
        return score.view(boxes_xywh.shape[:2])  # type: ignore[no-any-return]

    def fold(self) -> None:
        """Write the batch norms into the layers before them, in place; for inference only."""
        _fold_blocks(self.convolutions)
        self.hidden_norm = fold_norm(self.hidden, self.hidden_norm)


def tokens_to_map(tokens: Tensor, grid_size: int) -> Tensor:
    """`(B, N, C)` row-major tokens -> `(B, C, G, G)`."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, grid_size, grid_size)


def convolution_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 convolution with bias, batch norm, ReLU."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _fold_blocks(stack: nn.Sequential) -> None:
    for block in stack:
        if isinstance(block, nn.Sequential):
            convolution, norm, _ = block
            block[1] = fold_norm(cast(nn.Conv2d, convolution), norm)


def _corner_stack(in_channels: int, channels: int) -> nn.Sequential:
    widths = (in_channels, channels, channels // 2, channels // 4, channels // 8)
    blocks = [convolution_block(a, b) for a, b in pairwise(widths)]
    return nn.Sequential(*blocks, nn.Conv2d(widths[-1], 1, 1))
