"""The online state of targets: reference memory and update rule. Knows nothing of PyTorch."""

from aiatrack.crop import Color
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.multi_tracker import MultiTracker
from aiatrack.tracking.network import LocatedTargets, Network, Reference, ReferenceSet
from aiatrack.tracking.target import Target, TargetId, TargetState, TrackResult
from aiatrack.tracking.tracker import Tracker

__all__ = [
    "Color",
    "LocatedTargets",
    "MultiTracker",
    "Network",
    "Reference",
    "ReferenceMemory",
    "ReferenceSet",
    "Target",
    "TargetId",
    "TargetState",
    "TrackResult",
    "Tracker",
]
