"""What workers tell the runner."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Advanced:
    """A worker has done so many frames of its sequence."""

    worker: int
    sequence: str
    frames: int


@dataclass(frozen=True)
class Finished:
    """A sequence is done and its files are written."""

    worker: int
    sequence: str


@dataclass(frozen=True)
class Crashed:
    """A sequence came to nothing: its tracker raised, or its process was lost."""

    worker: int
    sequence: str
    reason: str


Event = Advanced | Finished | Crashed
