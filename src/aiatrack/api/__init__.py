"""The one assembly point: names and paths in, ready objects out.

Trackers here; training runs in `aiatrack.api.training`, which needs more to be installed.
"""

from aiatrack.api.tracking import (
    find_weights,
    load_multi_tracker,
    load_tracker,
    open_network,
    read_model_settings,
    select_device,
    track,
    track_many,
)

__all__ = [
    "find_weights",
    "load_multi_tracker",
    "load_tracker",
    "open_network",
    "read_model_settings",
    "select_device",
    "track",
    "track_many",
]
