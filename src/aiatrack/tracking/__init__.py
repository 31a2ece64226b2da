"""The online state of targets: reference memory, update rule, presence. Knows nothing of PyTorch."""

from aiatrack.crop import Color
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.multi_tracker import MultiTracker
from aiatrack.tracking.network import (
    CroppingNetwork,
    LocatedTargets,
    Network,
    Reference,
    ReferenceSet,
    SavingNetwork,
)
from aiatrack.tracking.saved_state import TrackerState
from aiatrack.tracking.target import AnyId, Target, TargetId, TargetState, TrackResult
from aiatrack.tracking.tracker import Tracker

__all__ = [
    "AnyId",
    "Color",
    "CroppingNetwork",
    "LocatedTargets",
    "MultiTracker",
    "Network",
    "Reference",
    "ReferenceMemory",
    "ReferenceSet",
    "SavingNetwork",
    "Target",
    "TargetId",
    "TargetState",
    "TrackResult",
    "Tracker",
    "TrackerState",
]
