"""The training loop: steps, logs, validation, checkpoints; distributed by Accelerate."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate.utils import gather_object

from aiatrack.config.training import TrainingSettings
from aiatrack.data.batch import SampleBatch
from aiatrack.errors import TrainingError
from aiatrack.model import AiATrack
from aiatrack.training.acceleration import build_accelerator
from aiatrack.training.checkpoints import CheckpointFolder, save_atomically
from aiatrack.training.ema import AveragedNetwork
from aiatrack.training.losses import LossReport
from aiatrack.training.meter import TrainingMeter
from aiatrack.training.objective import TrackingObjective
from aiatrack.training.observers import Observer
from aiatrack.training.optimization import LearningRates, build_optimizer, freeze_parts
from aiatrack.training.random_streams import (
    random_state,
    restore_random_state,
    seed_random_streams,
    untouched_random_streams,
)


class BatchStream(Protocol):
    """Opens an endless stream of batches that is a pure function of its arguments."""

    def __call__(self, *, rank: int, world_size: int, start_step: int) -> Iterator[SampleBatch]:
        """Batches of process `rank` of `world_size`, from the `start_step`th on."""


Validation = Callable[[AiATrack], dict[str, float]]
"""Scores a network, in evaluation mode; larger is better for the score that chooses the best weights."""

PictureWriter = Callable[[Path, SampleBatch, torch.Tensor], None]
"""Writes a batch's search regions with true and predicted boxes, `(B, 4)` xyxy, normalised, to a PNG file."""


@dataclass(frozen=True)
class Surroundings:
    """What a run is given from outside its room."""

    batches: BatchStream
    validate: Validation | None = None
    write_pictures: PictureWriter | None = None
    observers: Sequence[Observer] = field(default_factory=tuple)


@dataclass(frozen=True)
class RunSummary:
    """How a run ended."""

    steps: int
    seconds: float
    """Of this call; what came before a resume is not counted."""
    checkpoint: Path | None
    best_score: float | None


class TrainingRun:
    """One run in one folder. Build it with a fresh network, `resume` if need be, then `run`.

    The folder gets `checkpoints/`, `pictures/` and, if the loss fails, `failed_batch_*.pt`.

    Args:
        settings: all that the recipe says.
        network: to train, in place; the same in every process.
        folder: of this run.
        surroundings: data, validation and observers.
    """

    def __init__(
        self, settings: TrainingSettings, network: AiATrack, folder: Path, surroundings: Surroundings
    ) -> None:
        self.settings = settings
        self.network = network
        self.step = 0
        self.best_score: float | None = None
        self._folder = folder
        self._surroundings = surroundings
        self._checkpoints = CheckpointFolder(folder / "checkpoints", settings.log.checkpoints_kept)
        self._rates = LearningRates(settings.optimizer, settings.steps)
        self._accelerator = build_accelerator(settings)
        self._prepare()
        self._meter = TrainingMeter(self._accelerator, settings)
        self._last_saved_step = -1
        self._last_saved_at = time.monotonic()

    def _prepare(self) -> None:
        # Crops arrive with their channels last; kernels in the same layout spare a copy in every convolution.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.to(self._accelerator.device)
        freeze_parts(self.network, self.settings.optimizer.frozen)
        decay = self.settings.optimizer.ema_decay
        self.average = AveragedNetwork(self.network, decay) if decay else None
        objective = TrackingObjective(self.network.train(), self.settings.loss)
        optimizer = build_optimizer(self.network, self.settings.optimizer)
        self._objective, self._optimizer = self._accelerator.prepare(objective, optimizer)
        seed_random_streams(self.settings.seed + self._accelerator.process_index)

    @property
    def best_network(self) -> AiATrack:
        """The averaged network where an average is kept, else the one in training."""
        return self.network if self.average is None else self.average.network

    @property
    def _is_first_process(self) -> bool:
        return bool(self._accelerator.is_main_process)

    def resume(self) -> bool:
        """Go back to the newest checkpoint in the folder.

        Returns:
            Whether there was one.

        Raises:
            TrainingError: it cannot be read, or is of another network.
        """
        state = self._checkpoints.load_newest()
        if state is not None:
            self._restore(state)
        return state is not None

    def run(self) -> RunSummary:
        """Train up to the last step of the settings.

        Raises:
            TrainingError: the loss is not finite or has exploded; the batch is kept in the folder.
        """
        started = time.monotonic()
        self._tell(lambda observer: observer.on_start(self.step, self.settings.steps))
        batches = self._open_batches()
        while self.step < self.settings.steps:
            batch, report = self._train_step(batches)
            self._after_step(batch, report)
        path = self.save() if self._last_saved_step != self.step else None
        self._tell(lambda observer: observer.on_end(self.step))
        self._accelerator.wait_for_everyone()
        return RunSummary(self.step, time.monotonic() - started, path, self.best_score)

    def save(self) -> Path | None:
        """Write a checkpoint; every process must call this, and the first one writes and gets the path."""
        state = self._state()
        self._last_saved_step, self._last_saved_at = self.step, time.monotonic()
        if not self._is_first_process:
            return None
        path = self._checkpoints.save(state, self.step)
        self._tell(lambda observer: observer.on_file(self.step, path))
        return path

    def _open_batches(self) -> Iterator[SampleBatch]:
        return self._surroundings.batches(
            rank=self._accelerator.process_index,
            world_size=self._accelerator.num_processes,
            start_step=self.step * self.settings.accumulation,
        )

    def _train_step(self, batches: Iterator[SampleBatch]) -> tuple[SampleBatch, LossReport]:
        """One optimiser step over `accumulation` batches; returns the last of them."""
        self._rates.apply(self._optimizer, self.step)
        for _ in range(self.settings.accumulation):
            with self._meter.waiting():
                batch = next(batches).to(self._accelerator.device, non_blocking=True)
            report = self._backward(batch)
        self.step += 1
        if self.average is not None:
            self.average.update(self.network, self.step - 1)
        return batch, report

    def _backward(self, batch: SampleBatch) -> LossReport:
        with self._accelerator.accumulate(self._objective):
            report: LossReport = self._objective(batch)
            values: list[float] = report.scalars().tolist()
            self._check(values[0], "loss", batch)
            self._accelerator.backward(report.total)
            if self._accelerator.sync_gradients:
                norm = self._clip()
                # With fp16, an overflowing gradient is usual and its step is skipped by the loss scaling.
                if self._accelerator.scaler is None:
                    self._check(norm, "gradient norm", batch)
                self._meter.add_gradient_norm(norm)
            self._optimizer.step()
            self._optimizer.zero_grad()
        self._meter.add_losses(values, batch.search_crops.shape[0])
        return report

    def _clip(self) -> float:
        limit = self.settings.optimizer.clip_norm or math.inf
        return float(self._accelerator.clip_grad_norm_(self.network.parameters(), limit))

    def _check(self, value: float, what: str, batch: SampleBatch) -> None:
        if math.isfinite(value) and (what != "loss" or value <= self.settings.loss.largest):
            return
        rank = self._accelerator.process_index
        path = self._folder / f"failed_batch_step_{self.step:09d}_rank_{rank}.pt"
        save_atomically({"step": self.step, **batch.to("cpu")._asdict()}, path)
        raise TrainingError(
            f"the {what} of step {self.step} is {value:g}, expected a finite number up to "
            f"{self.settings.loss.largest:g}; the batch is kept in {path}: "
            "look at it, then resume with a lower learning rate or higher precision"
        )

    def _after_step(self, batch: SampleBatch, report: LossReport) -> None:
        log = self.settings.log
        if self._is_due(log.log_every_steps):
            metrics = self._meter.read(self._rates.at(self.step - 1))
            self._tell(lambda observer: observer.on_metrics(self.step, metrics))
        if self._is_due(log.pictures_every_steps):
            self._write_pictures(batch, report)
        if self._is_due(log.validate_every_steps):
            self._validate()
        if self._is_due(log.checkpoint_every_steps) or self._minutes_are_up():
            self.save()

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.step % every == 0

    def _minutes_are_up(self) -> bool:
        """Whether the first process's clock asks for a checkpoint; looked at where metrics are logged."""
        minutes = self.settings.log.checkpoint_every_minutes
        if not minutes or not self._is_due(self.settings.log.log_every_steps):
            return False
        up = time.monotonic() - self._last_saved_at > minutes * 60
        # All processes save together, so one clock decides.
        return bool(self._meter.first_process_says(up))

    def _write_pictures(self, batch: SampleBatch, report: LossReport) -> None:
        if self._surroundings.write_pictures is None or not self._is_first_process:
            return
        path = self._folder / "pictures" / f"step_{self.step:09d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._surroundings.write_pictures(path, batch.to("cpu"), report.boxes_xyxy.cpu())
        self._tell(lambda observer: observer.on_file(self.step, path))

    def _validate(self) -> None:
        if self._surroundings.validate is not None and self._is_first_process:
            with untouched_random_streams():
                scores = self._surroundings.validate(self.best_network.eval())
            self.network.train()
            self._tell(lambda observer: observer.on_scores(self.step, scores))
            self._keep_best(scores)
        self._accelerator.wait_for_everyone()

    def _keep_best(self, scores: dict[str, float]) -> None:
        name = self.settings.log.best_metric
        if name not in scores:
            raise TrainingError(
                f"the validation has no score {name!r} to choose the best weights by, only {sorted(scores)}"
            )
        if self.best_score is None or scores[name] > self.best_score:
            self.best_score = scores[name]
            path = self._checkpoints.save_best(self._weights())
            self._tell(lambda observer: observer.on_file(self.step, path))

    def _weights(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "settings": self.settings.model_dump(mode="json"),
            "network": self.best_network.state_dict(),
            "best_score": self.best_score,
        }

    def _state(self) -> dict[str, Any]:
        scaler = self._accelerator.scaler
        return self._weights() | {
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "meter": gather_object([self._meter.state()]),
            "random": gather_object([random_state()]),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        network_settings = self.settings.model_settings().network.model_dump(mode="json")
        saved = TrainingSettings.parse(state["settings"], origin="checkpoint").model_settings()
        if saved.network.model_dump(mode="json") != network_settings:
            raise TrainingError(
                f"the checkpoint in {self._folder} is of another network ({saved.name}) than these settings "
                "describe: resume with its own settings, or start in another folder"
            )
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.network.load_state_dict(state["average"] or state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._accelerator.scaler is not None and state["scaler"] is not None:
            self._accelerator.scaler.load_state_dict(state["scaler"])
        self.step, self.best_score = state["step"], state["best_score"]
        self._last_saved_step = self.step
        self._restore_streams(state)

    def _restore_streams(self, state: dict[str, Any]) -> None:
        """Restore this process's random streams and means; start anew if the number of processes changed."""
        if len(state["random"]) == self._accelerator.num_processes:
            restore_random_state(state["random"][self._accelerator.process_index])
            self._meter.restore(state["meter"][self._accelerator.process_index])
        else:
            seed_random_streams(self.settings.seed + self.step * 1000 + self._accelerator.process_index)

    def _tell(self, event: Callable[[Observer], None]) -> None:
        if self._is_first_process:
            for observer in self._surroundings.observers:
                event(observer)
