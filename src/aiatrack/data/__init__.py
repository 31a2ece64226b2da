"""Annotated sequences on disk -> training samples. Knows nothing of the model.

Names are imported when they are first used: painted films, masks and checks need no PyTorch, batches do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiatrack.data.batch import SampleBatch
    from aiatrack.data.check import SourceReport, check_source
    from aiatrack.data.sources import DataWarning, check_sources
    from aiatrack.data.stream import build_batches
    from aiatrack.data.synthetic_source import write_synthetic_source
    from aiatrack.data.validation import ValidationClip, validation_clips

_HOMES = {
    "DataWarning": "sources",
    "SampleBatch": "batch",
    "SourceReport": "check",
    "ValidationClip": "validation",
    "build_batches": "stream",
    "check_source": "check",
    "check_sources": "sources",
    "validation_clips": "validation",
    "write_synthetic_source": "synthetic_source",
}

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'aiatrack.data' has no attribute {name!r}")
    return getattr(import_module(f"aiatrack.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
