"""Settings of the network: everything that decides its parameters' names and shapes."""

from enum import Enum

from pydantic import Field, model_validator
from typing_extensions import Self

from aiatrack.config.frozen import FrozenSettings

EMBEDDING_BINS = 3
"""Per side of a box: what is inside it is embedded part by part."""


class Backbone(str, Enum):
    """Image network up to stride 16."""

    RESNET50 = "resnet50"
    EFFICIENTNET_LITE0 = "efficientnet_lite0"


class Refinement(str, Enum):
    """What refines the correlation map before the softmax (the paper's table on AiA)."""

    NONE = "none"
    AIA = "aia"
    AIA_WITHOUT_POSITIONS = "aia_without_positions"
    CONVOLUTION = "convolution"
    CASCADE = "cascade"


class RefinedAttention(str, Enum):
    """Where the refinement sits."""

    ENCODER = "encoder"
    DECODER = "decoder"
    BOTH = "both"


class Marking(str, Enum):
    """How the target is marked in a reference."""

    EMBEDDING = "embedding"
    MASK = "mask"
    NONE = "none"


class Combination(str, Enum):
    """How long- and short-term references are combined in the decoder."""

    SEPARATE = "separate"
    MERGED = "merged"
    LONG_ONLY = "long_only"


class NetworkSettings(FrozenSettings):
    """One network of the AiATrack family; the defaults are the paper's."""

    backbone: Backbone = Backbone.RESNET50
    crop_size: int = Field(320, gt=0, le=1024, multiple_of=16)
    """Side of the square search region and references as the network sees them, px; AiA's weights fix it."""
    channels: int = Field(256, ge=8, multiple_of=4)
    """Width C of the transformer."""
    heads: int = Field(4, ge=1)
    """Heads of every attention; `channels` must be a multiple."""
    encoder_layers: int = Field(3, ge=0)
    feed_forward_channels: int = Field(1024, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    inner_channels: int = Field(64, ge=4, multiple_of=4)
    """Width D of the inner attention."""
    refinement: Refinement = Refinement.AIA
    refined_attention: RefinedAttention = RefinedAttention.BOTH
    marking: Marking = Marking.EMBEDDING
    combination: Combination = Combination.SEPARATE
    corner_head_channels: int = Field(256, ge=8, multiple_of=8)
    """Width of the corner head's first convolution; halved from each to the next of four."""
    iou_head_channels: int = Field(256, ge=1)

    @model_validator(mode="after")
    def _heads_divide_channels(self) -> Self:
        if self.channels % self.heads:
            raise ValueError(f"channels ({self.channels}) must be a multiple of heads ({self.heads})")
        return self

    @model_validator(mode="after")
    def _refinement_has_a_place(self) -> Self:
        in_encoder_alone = self.refined_attention is RefinedAttention.ENCODER
        if in_encoder_alone and not self.encoder_layers and self.refinement is not Refinement.NONE:
            raise ValueError(
                f"refined_attention is encoder, but encoder_layers is 0, so that {self.refinement.value} "
                "would be nowhere: set refined_attention to decoder, or refinement to none"
            )
        return self

    @property
    def grid_size(self) -> int:
        """Side of the feature map at stride 16, cells."""
        return self.crop_size // 16

    @property
    def tokens(self) -> int:
        """N, tokens per search region or reference."""
        return self.grid_size**2

    @property
    def embedded_parts(self) -> int:
        """P, parts of a box that are embedded each on its own."""
        return EMBEDDING_BINS**2
