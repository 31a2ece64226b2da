"""The AiATrack network and its three verbs: encode, remember, locate.

Legend: B batch, S crop side in px, G = S / 16 grid side, N = G^2 tokens, C channels, D inner channels,
P parts of a box.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aiatrack.boxes import xywh_to_xyxy, xyxy_to_xywh
from aiatrack.config import Backbone, Marking, NetworkSettings
from aiatrack.config.network import EMBEDDING_BINS
from aiatrack.model.attention import CorrelationAttention, ProjectedReferences
from aiatrack.model.efficientnet_lite import EfficientNetLite0
from aiatrack.model.heads import CornerHead, IoUHead
from aiatrack.model.positions import cell_padding, sine_positions
from aiatrack.model.resnet import ResNet50
from aiatrack.model.roi_pooling import pool_tokens
from aiatrack.model.transformer import Decoder, EncoderLayer

_LEAST_EMBEDDED_SIDE = 0.3
"""Cells; what is smaller, no map at this stride shows."""


class Memory(NamedTuple):
    """A crop after the encoder: a search region, or what becomes a reference."""

    tokens: Tensor
    """`(B, N, C)`"""
    inner_positions: Tensor
    """`(B, N, D)`, where each token lies among the unpadded ones."""


class Positions(NamedTuple):
    """Sine encodings of where each cell of a crop lies among the unpadded ones."""

    outer: Tensor
    """`(B, N, C)`, for the encoder's queries and keys."""
    inner: Tensor
    """`(B, N, D)`, for the inner attention."""


class Reference(NamedTuple):
    """All that can be computed of a reference before a search region is known."""

    long_term: ProjectedReferences
    short_term: ProjectedReferences
    embedding: Tensor
    """`(B, P, C)`, mean of the encoded tokens inside each part of the target's box: what it looks like."""


class Location(NamedTuple):
    """Where the target is in the search region, and how sure the network is."""

    boxes_xywh: Tensor
    """`(B, 4)`, normalised to the crop."""
    scores: Tensor
    """`(B,)`, raw IoU-head output in about [-1, 1]; the predicted IoU is (score + 1) / 2."""
    top_left_scores: Tensor
    """`(B, G, G)` logits."""
    bottom_right_scores: Tensor
    """`(B, G, G)` logits."""
    embeddings: Tensor
    """`(B, P, C)`, as of the target in `Reference.embedding`, of what is inside the box."""


class AiATrack(nn.Module):
    """Backbone, encoder with AiA, long/short-term decoder with AiA, corner head and IoU head."""

    mean: Tensor
    std: Tensor | None
    """None once folded into the first convolution."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = build_backbone(settings.backbone)
        self.bottleneck = nn.Conv2d(self.backbone.out_channels, settings.channels, 1)
        self.encoder = nn.ModuleList(EncoderLayer(settings) for _ in range(settings.encoder_layers))
        self.decoder = Decoder(settings)
        self.corner_head = CornerHead(settings.channels, settings.corner_head_channels, settings.grid_size)
        self.iou_head = IoUHead(settings.channels, settings.iou_head_channels, settings.grid_size)
        if settings.marking is Marking.EMBEDDING:
            self.target_embedding = nn.Parameter(torch.empty(settings.channels))
            self.background_embedding = nn.Parameter(torch.empty(settings.channels))
        self.register_buffer("mean", torch.tensor(self.backbone.mean) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(self.backbone.std) * 255, persistent=False)
        self._initialize()

    def encode(self, crops: Tensor, padding: Tensor) -> Memory:
        """Encode crops, search regions and references alike, each on its own.

        Args:
            crops: `(B, S, S, 3)` RGB in [0, 255], uint8 or float.
            padding: `(B, S, S)` bool, True where the crop lies outside the frame.
        """
        return self.encode_placed(crops, self.place(cell_padding(padding, self.settings.grid_size)))

    def place(self, padding: Tensor) -> Positions:
        """Position encodings for a padding mask `(B, G, G)` at the feature grid."""
        outer = sine_positions(padding, self.settings.channels)
        return Positions(outer, sine_positions(padding, self.settings.inner_channels))

    def encode_placed(self, crops: Tensor, positions: Positions) -> Memory:
        """Encode crops as `encode` does, with position encodings that are known already."""
        images = crops - self.mean
        if self.std is not None:
            images = images / self.std
        # Permuting channels-last data gives PyTorch's channels-last layout, the faster one for convolutions.
        features = self.bottleneck(self.backbone(images.permute(0, 3, 1, 2)))
        tokens = features.flatten(2).transpose(1, 2)  # (B, N, C)
        for layer in self.encoder:
            tokens = layer(tokens, *positions)
        return Memory(tokens, positions.inner)

    def remember(self, memory: Memory, boxes_xywh: Tensor) -> Reference:
        """Mark the target in an encoded crop and compute what the decoder needs of it as a reference.

        Args:
            memory: of B crops.
            boxes_xywh: `(B, 4)`, the target in each, normalised to the crop.
        """
        inside = target_region(boxes_xywh, self.settings.grid_size)[..., None]  # (B, N, 1)
        marked = self._mark(memory.tokens, inside)
        long_term, short_term = self.decoder.project(memory.tokens, marked, memory.inner_positions)
        return Reference(long_term, short_term, self._embed(memory, boxes_xywh))

    def decode(
        self,
        search: Memory,
        long_term: ProjectedReferences,
        short_term: Sequence[ProjectedReferences],
        multiplicity: Tensor | None = None,
    ) -> Tensor:
        """Search tokens `(B, N, C)` after looking at the references; arguments as in `Decoder.forward`."""
        return self.decoder(search.tokens, long_term, short_term, multiplicity)  # type: ignore[no-any-return]

    def locate(
        self,
        search: Memory,
        long_term: ProjectedReferences,
        short_term: Sequence[ProjectedReferences],
        multiplicity: Tensor | None = None,
    ) -> Location:
        """Find the target in search regions.

        Args:
            search: memory of B search regions.
            long_term: `Reference.long_term` of frame 0.
            short_term: `Reference.short_term` of each distinct reference of the ensemble.
            multiplicity: `(B, len(short_term))`, how often each is in the ensemble, 0 leaving it out of a
                sample that keeps another; None: once.
        """
        tokens = self.decode(search, long_term, short_term, multiplicity)
        corners = self.corner_head(tokens)
        boxes_xywh = xyxy_to_xywh(corners.boxes_xyxy)
        scores = self.iou_head(tokens, boxes_xywh[:, None])[:, 0]
        embeddings = self._embed(search, boxes_xywh)
        return Location(boxes_xywh, scores, corners.top_left_scores, corners.bottom_right_scores, embeddings)

    def fold(self) -> None:
        """Write norms, scales and residuals into the weights beside them, in place.

        For inference only, exact to rounding; a second time changes nothing.
        """
        self.backbone.fold()
        self.corner_head.fold()
        self.iou_head.fold()
        for module in self.modules():
            if isinstance(module, CorrelationAttention):
                module.fold()
        if self.std is not None:
            with torch.no_grad():
                self.backbone.first_convolution.weight.div_(self.std[:, None, None])
            self.std = None

    def _embed(self, memory: Memory, boxes_xywh: Tensor) -> Tensor:
        """Mean of the tokens inside each part of a `(B, 4)` box of each, row by row: `(B, P, C)`."""
        grid = self.settings.grid_size
        boxes_xyxy = xywh_to_xyxy(_widen(boxes_xywh * grid))
        return pool_tokens(memory.tokens, boxes_xyxy, EMBEDDING_BINS, grid)

    def _mark(self, tokens: Tensor, inside: Tensor) -> Tensor:
        if self.settings.marking is Marking.EMBEDDING:
            return tokens + torch.where(inside, self.target_embedding, self.background_embedding)
        return tokens * inside if self.settings.marking is Marking.MASK else tokens

    def _initialize(self) -> None:
        for part in (self.encoder, self.decoder):
            for parameter in part.parameters():
                if parameter.dim() > 1:
                    nn.init.xavier_uniform_(parameter)
        if self.settings.marking is Marking.EMBEDDING:
            nn.init.normal_(self.target_embedding)
            nn.init.normal_(self.background_embedding)


def _widen(boxes_xywh: Tensor) -> Tensor:
    """Make boxes `(B, 4)` in cells wide enough for parts of them to have areas that rounding leaves alone."""
    corners, sides = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    wide = torch.where(sides > 0, sides.clamp(min=_LEAST_EMBEDDED_SIDE), sides)
    return torch.cat((corners - (wide - sides) / 2, wide), dim=-1)


def target_region(boxes_xywh: Tensor, grid_size: int) -> Tensor:
    """Cells that a box covers once rounded to the grid, half to even.

    Args:
        boxes_xywh: `(B, 4)`, normalised to the crop.
        grid_size: cells per side.

    Returns:
        `(B, grid_size^2)` bool, row-major.
    """
    x, y, width, height = (boxes_xywh * grid_size).round().unbind(-1)
    cells = torch.arange(grid_size, device=boxes_xywh.device)
    columns = (cells >= x[:, None]) & (cells < (x + width)[:, None])
    rows = (cells >= y[:, None]) & (cells < (y + height)[:, None])
    return (rows[:, :, None] & columns[:, None, :]).flatten(1)


def build_backbone(name: Backbone) -> ResNet50 | EfficientNetLite0:
    """Build an image network to stride 16, its weights still random."""
    return ResNet50() if name is Backbone.RESNET50 else EfficientNetLite0()


def build_network(settings: NetworkSettings) -> AiATrack:
    """Build a network, its weights still random."""
    return AiATrack(settings)
