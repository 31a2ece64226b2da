"""Tensors in, tensors out: backbones, attention, transformer, heads, RoI pooling, weights on disk."""

from aiatrack.model.attention import AttentionMaps, ProjectedReferences
from aiatrack.model.attention_log import AttentionLog
from aiatrack.model.complexity import Complexity, measure_complexity
from aiatrack.model.heads import CornerPrediction
from aiatrack.model.network import (
    AiATrack,
    Location,
    Memory,
    Positions,
    Reference,
    build_network,
    target_region,
)
from aiatrack.model.positions import cell_padding
from aiatrack.model.published import read_published_checkpoint
from aiatrack.model.roi_pooling import precise_roi_pool
from aiatrack.model.weights import load_network, load_state, load_weights, save_weights

__all__ = [
    "AiATrack",
    "AttentionLog",
    "AttentionMaps",
    "Complexity",
    "CornerPrediction",
    "Location",
    "Memory",
    "Positions",
    "ProjectedReferences",
    "Reference",
    "build_network",
    "cell_padding",
    "load_network",
    "load_state",
    "load_weights",
    "measure_complexity",
    "precise_roi_pool",
    "read_published_checkpoint",
    "save_weights",
    "target_region",
]
