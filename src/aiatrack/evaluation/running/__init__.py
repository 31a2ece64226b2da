"""Run trackers over benchmarks: resumable, in worker processes or on a cluster, one sequence at a time."""

from aiatrack.evaluation.running.runner import LocalPool, Observer, Outcome, Pool, Workers, run_tracker
from aiatrack.evaluation.running.tracker import Estimate, Located, SequenceTracker, TrackerFactory
from aiatrack.evaluation.running.tracker_names import parse_tracker
from aiatrack.evaluation.running.validation import (
    VALIDATION_RULES,
    AnnotatedClip,
    Validation,
    validate_tracker,
)

__all__ = [
    "VALIDATION_RULES",
    "AnnotatedClip",
    "Estimate",
    "LocalPool",
    "Located",
    "Observer",
    "Outcome",
    "Pool",
    "SequenceTracker",
    "TrackerFactory",
    "Validation",
    "Workers",
    "parse_tracker",
    "run_tracker",
    "validate_tracker",
]
