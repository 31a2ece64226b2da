"""The training loop: steps, logs, validation, checkpoints; distributed by Accelerate."""

import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object
from filelock import FileLock, Timeout

from aiatrack.config.training import TrainingSettings
from aiatrack.data import SampleBatch
from aiatrack.errors import OutputError, TrainingError
from aiatrack.model import AiATrack, save_weights
from aiatrack.training.acceleration import first_process_says
from aiatrack.training.changes import TrainingWarning, list_changes
from aiatrack.training.checkpoints import CheckpointFolder, save_atomically
from aiatrack.training.losses import LossReport
from aiatrack.training.meter import TrainingMeter
from aiatrack.training.observers import Observer
from aiatrack.training.random_streams import untouched_random_streams
from aiatrack.training.surroundings import Surroundings
from aiatrack.training.trainee import Trainee
from aiatrack.training.writing import writing_to


@dataclass(frozen=True)
class RunSummary:
    """How a run ended."""

    steps: int
    seconds: float
    """Of this call; what came before a resume is not counted."""
    best_score: float | None
    weights: Path
    """The last weights, or their average; `best.safetensors` lies beside them if there is a best score."""


class TrainingRun:
    """One run in one folder. Build it with a fresh network, `resume` if need be, then `run`.

    The folder gets `checkpoints/`, `pictures/`, `best.safetensors`, `last.safetensors` and, if the loss
    fails, `failed_batch_*.pt`. With many processes all must see the same folder.

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
        self.trainee = Trainee(settings, network)
        self.best_score: float | None = None
        self._folder = folder
        self._surroundings = surroundings
        self._checkpoints = CheckpointFolder(folder / "checkpoints", settings.log.checkpoints_kept)
        self._accelerator = self.trainee.accelerator
        self._meter = TrainingMeter(self._accelerator)
        self._last_saved_step = -1
        self._last_validated_step = 0
        self._last_saved_at = time.monotonic()

    def resume(self) -> bool:
        """Go back to the newest checkpoint in the folder; warns of settings that have changed since.

        Returns:
            Whether there was one.

        Raises:
            TrainingError: it cannot be read, is of another network or of other trained parameters, or is
                beyond the last step of the settings.
        """
        state = self._checkpoints.load_newest()
        if state is None:
            return False
        self._check_steps_left(state["step"])
        self.trainee.restore(state)
        self.best_score = state["best_score"]
        self._last_validated_step = state.get("last_validated_step", self.trainee.step)
        if len(state["meter"]) == self._accelerator.num_processes:
            self._meter.restore(state["meter"][self._accelerator.process_index])
        self._last_saved_step = self.trainee.step
        self._warn_of_changes(TrainingSettings.parse(state["settings"], origin="checkpoint"))
        return True

    def _check_steps_left(self, step: int) -> None:
        """Refuse to write the weights of a later step as those of an earlier one."""
        if step > self.settings.steps:
            raise TrainingError(
                f"the run in {self._folder} is at step {step} and cannot be resumed with settings whose last "
                f"step is {self.settings.steps}: ask for more, such as steps={step + 1}, or start another "
                "run in another folder"
            )

    def _warn_of_changes(self, saved: TrainingSettings) -> None:
        changes = list_changes(saved, self.settings)
        if changes and self._accelerator.is_main_process:
            message = f"resuming with other settings than those of step {self.trainee.step}: "
            warnings.warn(message + ", ".join(changes), TrainingWarning, stacklevel=3)

    def run(self) -> RunSummary:
        """Train up to the last step of the settings.

        Raises:
            TrainingError: the loss is not finite or has exploded; the batch is kept in the folder. Or weights
                are not finite after a step; nothing is written of them. Or another process is training in
                this folder.
            OutputError: the folder cannot be written to.
        """
        with self._sole_use_of_folder():
            return self._run()

    def _run(self) -> RunSummary:
        started = time.monotonic()
        self._tell(lambda observer: observer.on_start(self.trainee.step, self.settings.steps))
        if self._validation_is_due():  # the checkpoint was written before it, and the run ended during it
            self._validate()
            self.save()
        batches = self._open_batches() if self.trainee.step < self.settings.steps else iter(())
        while self.trainee.step < self.settings.steps:
            self._after_step(*self._train_step(batches))
        if self._last_saved_step != self.trainee.step:
            self.save()
        weights = self._write_weights("last")
        self._tell(lambda observer: observer.on_end(self.trainee.step))
        self._accelerator.wait_for_everyone()
        return RunSummary(self.trainee.step, time.monotonic() - started, self.best_score, weights)

    @contextmanager
    def _sole_use_of_folder(self) -> Iterator[None]:
        """Of two runs in a folder each overwrites the other's checkpoints; who is killed lets go."""
        if not self._accelerator.is_main_process:
            yield
            return
        lock = FileLock(self._folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise TrainingError(
                f"another process is training in {self._folder}: stop it, or choose another folder"
            ) from error
        except OSError as error:
            raise OutputError(f"cannot write to {self._folder}: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def save(self) -> None:
        """Write a checkpoint; every process must call this, the first one writes.

        Raises:
            TrainingError: weights are not finite.
        """
        self._check_weights()
        state = self._state()
        step = self.trainee.step
        self._last_saved_step, self._last_saved_at = step, time.monotonic()
        if self._accelerator.is_main_process:
            path = self._checkpoints.save(state, step)
            self._tell(lambda observer: observer.on_file(step, path))

    def _check_weights(self) -> None:
        """Stop before a bad checkpoint pushes out a good one: a step's loss is of the weights before it."""
        name = self.trainee.find_not_finite()
        if name is not None:
            raise TrainingError(
                f"the weights of step {self.trainee.step} are not finite ({name}) and are not written: go on "
                "from the checkpoint before, or start again, with a lower optimizer.learning_rate"
            )

    def _state(self) -> dict[str, Any]:
        meters = gather_object([self._meter.state()])
        return {
            **self.trainee.state(),
            "meter": meters,
            "best_score": self.best_score,
            "last_validated_step": self._last_validated_step,
        }

    def _open_batches(self) -> Iterator[SampleBatch]:
        # A data loader draws a seed when it starts, and a resumed run starts it once more than others.
        with untouched_random_streams():
            batches = self._surroundings.batches(
                rank=self._accelerator.process_index,
                world_size=self._accelerator.num_processes,
                start_step=self.trainee.step * self.settings.accumulation,
            )
            first = next(batches)
        return itertools.chain([first], batches)

    def _train_step(self, batches: Iterator[SampleBatch]) -> tuple[SampleBatch, LossReport]:
        """One optimiser step; returns the last of its batches."""
        self.trainee.begin_step()
        for _ in range(self.settings.accumulation):
            with self._meter.waiting():
                batch = next(batches).to(self._accelerator.device, non_blocking=True)
            report, values, norm = self.trainee.learn(batch, self._check)
            self._meter.add(values, samples=batch.search_crops.shape[0], gradient_norm=norm)
        return batch, report

    def _check(self, what: str, value: float, batch: SampleBatch) -> None:
        """Stop before a bad loss reaches the weights, and keep the batch that did it."""
        largest = self.settings.loss.largest if what == "loss" else math.inf
        if math.isfinite(value) and value <= largest:
            return
        step, rank = self.trainee.step, self._accelerator.process_index
        path = self._folder / f"failed_batch_step_{step:09d}_rank_{rank}.pt"
        save_atomically({"step": step, **batch.to("cpu")._asdict()}, path)
        raise TrainingError(
            f"the {what} of step {step} is {value:g}, expected a finite number up to {largest:g}; the batch "
            f"is kept in {path}: look at it, then resume with a lower learning rate or higher precision"
        )

    def _after_step(self, batch: SampleBatch, report: LossReport) -> None:
        log = self.settings.log
        if self._is_due(log.log_every_steps):
            metrics = self._meter.read() | self.trainee.rates.at(self.trainee.step - 1)
            self._tell(lambda observer: observer.on_metrics(self.trainee.step, metrics))
        if self._is_due(log.pictures_every_steps):
            self._write_pictures(batch, report)
        validates = self._validation_is_due()
        if self._is_due(log.checkpoint_every_steps) or self._minutes_are_up() or validates:
            self.save()
        if validates:  # after saving: it takes long, and may fail
            self._validate()
            self.save()

    def _is_due(self, every: int) -> bool:
        return every > 0 and self.trainee.step % every == 0

    def _validation_is_due(self) -> bool:
        if self._surroundings.validate is None or self._last_validated_step == self.trainee.step:
            return False
        return self._is_due(self.settings.log.validate_every_steps)

    def _minutes_are_up(self) -> bool:
        """Whether it is time for a checkpoint; looked at where metrics are logged."""
        minutes = self.settings.log.checkpoint_every_minutes
        if not minutes or not self._is_due(self.settings.log.log_every_steps):
            return False
        return first_process_says(self._accelerator, time.monotonic() - self._last_saved_at > minutes * 60)

    def _write_pictures(self, batch: SampleBatch, report: LossReport) -> None:
        if self._surroundings.write_pictures is None or not self._accelerator.is_main_process:
            return
        path = self._folder / "pictures" / f"step_{self.trainee.step:09d}.png"
        with writing_to(path), untouched_random_streams():
            path.parent.mkdir(parents=True, exist_ok=True)
            predicted_xyxy = report.boxes_xyxy[: len(batch.search_crops)].cpu()
            self._surroundings.write_pictures(path, batch.to("cpu"), predicted_xyxy)
        self._tell(lambda observer: observer.on_file(self.trainee.step, path))

    def _validate(self) -> None:
        better = False
        if self._accelerator.is_main_process and self._surroundings.validate is not None:
            with untouched_random_streams():
                scores = self._surroundings.validate(self.trainee.best_network.eval())
            self.trainee.network.train()
            self._tell(lambda observer: observer.on_scores(self.trainee.step, scores))
            better = self._is_better(scores)
        self._last_validated_step = self.trainee.step
        if first_process_says(self._accelerator, better):
            self._keep_best()

    def _is_better(self, scores: dict[str, float]) -> bool:
        name = self.settings.log.best_metric
        if name not in scores:
            raise TrainingError(
                f"the validation gave no score {name!r} to choose the best weights by, only "
                f"{', '.join(scores)}: set log.best_metric to one of these"
            )
        score = scores[name]
        # Nothing compares with NaN: once it were the best, any later score would take its place.
        if math.isnan(score) or (self.best_score is not None and score <= self.best_score):
            return False
        self.best_score = score
        return True

    def _keep_best(self) -> None:
        state = self._state()
        if self._accelerator.is_main_process:
            path = self._checkpoints.save_best(state)
            self._tell(lambda observer: observer.on_file(self.trainee.step, path))
        self._write_weights("best")

    def _write_weights(self, name: str) -> Path:
        self._check_weights()
        path = self._folder / f"{name}.safetensors"
        if self._accelerator.is_main_process:
            notes = {"recipe": self.settings.name, "step": self.trainee.step, "best_score": self.best_score}
            state = self.trainee.best_network.state_dict()
            save_weights(path, state, self.settings.model_settings(), notes=notes)
            self._tell(lambda observer: observer.on_file(self.trainee.step, path))
        return path

    def _tell(self, event: Callable[[Observer], None]) -> None:
        if self._accelerator.is_main_process:
            for observer in self._surroundings.observers:
                event(observer)
