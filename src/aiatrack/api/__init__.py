"""The one assembly point: names and paths in, ready objects out.

Trackers here; training runs in `aiatrack.api.training`, which needs more to be installed.
"""

from aiatrack.api.networks import (
    benchmark_precision,
    decide_runtime,
    describe_model,
    device_type,
    find_weights,
    open_network,
    read_model_settings,
    select_device,
)
from aiatrack.api.tracking import default_changes, load_multi_tracker, load_tracker, track, track_many

__all__ = [
    "benchmark_precision",
    "decide_runtime",
    "default_changes",
    "describe_model",
    "device_type",
    "find_weights",
    "load_multi_tracker",
    "load_tracker",
    "open_network",
    "read_model_settings",
    "select_device",
    "track",
    "track_many",
]
