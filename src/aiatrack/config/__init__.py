"""Frozen settings for each room, YAML presets, unknown keys refused. Knows nothing of PyTorch."""

from aiatrack.config.data import (
    AppearanceSettings,
    DataSettings,
    JitterSettings,
    Layout,
    MotionSettings,
    PasteSettings,
    SourceSettings,
)
from aiatrack.config.frozen import FrozenSettings
from aiatrack.config.network import (
    Backbone,
    Combination,
    Marking,
    NetworkSettings,
    RefinedAttention,
    Refinement,
)
from aiatrack.config.presets import (
    ModelSettings,
    benchmark_tracking,
    load_preset,
    preset_names,
    read_yaml_settings,
)
from aiatrack.config.tracking import TrackingSettings

__all__ = [
    "AppearanceSettings",
    "Backbone",
    "Combination",
    "DataSettings",
    "FrozenSettings",
    "JitterSettings",
    "Layout",
    "Marking",
    "ModelSettings",
    "MotionSettings",
    "NetworkSettings",
    "PasteSettings",
    "RefinedAttention",
    "Refinement",
    "SourceSettings",
    "TrackingSettings",
    "benchmark_tracking",
    "load_preset",
    "preset_names",
    "read_yaml_settings",
]
