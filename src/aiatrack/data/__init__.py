"""Annotated sequences on disk -> training samples. Knows nothing of the model."""

from aiatrack.data.batch import SampleBatch
from aiatrack.data.stream import build_batches

__all__ = ["SampleBatch", "build_batches"]
