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
from aiatrack.config.differences import list_differences
from aiatrack.config.frozen import FrozenSettings
from aiatrack.config.network import (
    Backbone,
    Combination,
    Marking,
    NetworkSettings,
    RefinedAttention,
    Refinement,
)
from aiatrack.config.overrides import tracking_overrides
from aiatrack.config.presence import (
    PresenceCalibration,
    Recognition,
    calibration_names,
    load_calibration,
    own_calibration,
)
from aiatrack.config.presets import (
    ModelSettings,
    benchmark_tracking,
    load_preset,
    preset_names,
    read_yaml_settings,
)
from aiatrack.config.recipes import load_recipe, recipe_names
from aiatrack.config.stored import WEIGHTS_FORMAT, read_stored_settings
from aiatrack.config.tracking import TrackingSettings
from aiatrack.config.training import TrainingSettings

__all__ = [
    "WEIGHTS_FORMAT",
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
    "PresenceCalibration",
    "Recognition",
    "RefinedAttention",
    "Refinement",
    "SourceSettings",
    "TrackingSettings",
    "TrainingSettings",
    "benchmark_tracking",
    "calibration_names",
    "list_differences",
    "load_calibration",
    "load_preset",
    "load_recipe",
    "own_calibration",
    "preset_names",
    "read_stored_settings",
    "read_yaml_settings",
    "recipe_names",
    "tracking_overrides",
]
