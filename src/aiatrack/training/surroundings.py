"""What a run is given from outside: data, validation, pictures, observers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from accelerate import PartialState
from torch import Tensor

from aiatrack.config.training import TrainingSettings
from aiatrack.data import SampleBatch, build_batches
from aiatrack.model import AiATrack
from aiatrack.training.observers import Observer


class BatchStream(Protocol):
    """Opens an endless stream of batches that is a pure function of the arguments."""

    def __call__(self, *, rank: int, world_size: int, start_step: int) -> Iterator[SampleBatch]:
        """Batches of process `rank` of `world_size`, from the `start_step`th on."""


class Validation(Protocol):
    """Scores a network by what it is for, such as tracking sequences."""

    def __call__(self, network: AiATrack) -> dict[str, float]:
        """Scores by name, larger is better, of a network in evaluation mode."""


PictureWriter = Callable[[Path, SampleBatch, Tensor], None]
"""Writes a batch's search regions with true and predicted boxes, `(B, 4)` xyxy, normalised, to a PNG file."""


@dataclass(frozen=True)
class Surroundings:
    """What `TrainingRun` asks for its batches and tells of its progress."""

    batches: BatchStream
    validate: Validation | None = None
    write_pictures: PictureWriter | None = None
    observers: Sequence[Observer] = ()


@dataclass(frozen=True)
class CorpusStream:
    """The stream of batches that a run's settings describe."""

    settings: TrainingSettings

    def __call__(self, *, rank: int, world_size: int, start_step: int) -> Iterator[SampleBatch]:
        """Open the sources.

        Raises:
            DataError: a source cannot be read, or there is nothing to draw from.
        """
        model = self.settings.model_settings()
        return build_batches(
            self.settings.data,
            batch_size=self.settings.batch_size,
            crop_size=model.network.crop_size,
            search_factor=model.tracking.search_factor,
            seed=self.settings.seed,
            rank=rank,
            world_size=world_size,
            start_step=start_step,
            device=self._drawing_device(),
        )

    def _drawing_device(self) -> torch.device:
        """Draw where this process trains if the decoded images lie ready for it, else on the CPU."""
        packed = all(source.packed for source in self.settings.data.sources)
        return PartialState().device if packed else torch.device("cpu")
