"""The online state of a target: reference memory and update rule. Knows nothing of PyTorch."""

from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.network import LocatedTargets, Network, Reference
from aiatrack.tracking.tracker import Color, Target, Tracker, TrackResult

__all__ = [
    "Color",
    "LocatedTargets",
    "Network",
    "Reference",
    "ReferenceMemory",
    "Target",
    "TrackResult",
    "Tracker",
]
