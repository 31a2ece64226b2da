"""Annotated sequences on disk -> training samples. Knows nothing of the model."""

from aiatrack.data.batch import SampleBatch
from aiatrack.data.check import SourceReport, check_source
from aiatrack.data.sources import DataWarning, check_sources
from aiatrack.data.stream import build_batches
from aiatrack.data.synthetic_source import write_synthetic_source
from aiatrack.data.validation import ValidationClip, validation_clips

__all__ = [
    "DataWarning",
    "SampleBatch",
    "SourceReport",
    "ValidationClip",
    "build_batches",
    "check_source",
    "check_sources",
    "validation_clips",
    "write_synthetic_source",
]
