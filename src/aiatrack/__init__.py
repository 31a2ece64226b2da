"""Point at a thing in a video, once, with a box; aiatrack follows it.

    import aiatrack

    for result in aiatrack.track("street.mp4", box=(120, 80, 64, 48)):
        print(result.frame_index, result.box_xywh, result.predicted_iou)

Names and rooms (`aiatrack.errors`, `aiatrack.video`, ...) are imported when they are first used, so that
`import aiatrack` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from aiatrack.api import load_multi_tracker, load_tracker, track, track_many
    from aiatrack.config import TrackingSettings
    from aiatrack.errors import AiATrackError
    from aiatrack.integrations.opencv import OpenCVTracker
    from aiatrack.tracking import MultiTracker, Tracker, TrackResult
    from aiatrack.video import open_frames

_HOMES = {
    "AiATrackError": "aiatrack.errors",
    "MultiTracker": "aiatrack.tracking",
    "OpenCVTracker": "aiatrack.integrations.opencv",
    "TrackResult": "aiatrack.tracking",
    "Tracker": "aiatrack.tracking",
    "TrackingSettings": "aiatrack.config",
    "load_multi_tracker": "aiatrack.api",
    "load_tracker": "aiatrack.api",
    "open_frames": "aiatrack.video",
    "track": "aiatrack.api",
    "track_many": "aiatrack.api",
}

_ROOMS = {"api", "boxes", "config", "errors", "evaluation", "integrations", "tracking", "video"}

__all__ = [
    "AiATrackError",
    "MultiTracker",
    "OpenCVTracker",
    "TrackResult",
    "Tracker",
    "TrackingSettings",
    "__version__",
    "load_multi_tracker",
    "load_tracker",
    "open_frames",
    "track",
    "track_many",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"aiatrack.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'aiatrack' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
