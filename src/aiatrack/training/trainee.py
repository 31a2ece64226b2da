"""What is trained: network, average, optimiser and their place on one device of many."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from accelerate.utils import gather_object

from aiatrack.config.training import TrainingSettings
from aiatrack.data import SampleBatch
from aiatrack.errors import TrainingError
from aiatrack.model import AiATrack
from aiatrack.training.acceleration import build_accelerator
from aiatrack.training.changes import TrainingWarning
from aiatrack.training.ema import AveragedNetwork
from aiatrack.training.losses import LossReport
from aiatrack.training.objective import TrackingObjective
from aiatrack.training.optimization import (
    LearningRates,
    build_optimizer,
    freeze_parts,
    learning_rate_share,
    load_optimizer,
)
from aiatrack.training.random_streams import (
    random_state,
    restore_random_state,
    seed_random_streams,
    untouched_random_streams,
)
from aiatrack.training.shared_norm import share_batch_norms

_STEPS_BETWEEN_COMPARISONS = 100
_LARGEST_COMPILED_ERROR = {False: 0.1, True: 0.5}
"""Of the loss, relative, by whether there is dropout: it draws otherwise when compiled, and two draws for one
batch of `lite` are up to 0.15 apart for 16 samples and 0.25 for 4."""

Check = Callable[[str, float, SampleBatch], None]
"""Told the name and value of each loss and gradient norm and its batch; raises to stop."""


class Trainee:
    """A network that learns a batch at a time, and all the state that this takes.

    Args:
        settings: of the run.
        network: changed in place; the same in every process.
    """

    def __init__(self, settings: TrainingSettings, network: AiATrack) -> None:
        self.settings = settings
        self.network = network
        self.accelerator = build_accelerator(settings)
        self.step = 0
        self.rates = LearningRates(settings.optimizer, settings.steps)
        self._warn_of_long_warmup()
        self._prepare()

    def _warn_of_long_warmup(self) -> None:
        steps, warmup = self.settings.steps, self.settings.optimizer.warmup_steps
        if steps <= warmup and self.accelerator.is_main_process:
            share = learning_rate_share(self.settings.optimizer, steps - 1, steps)
            warnings.warn(
                f"the learning rate is still climbing when the run ends, at {100 * share:.3g} % of what is "
                f"asked for: optimizer.warmup_steps is {warmup}, steps {steps}; lower the warm-up for a "
                "short run",
                TrainingWarning,
                stacklevel=4,
            )

    def _prepare(self) -> None:
        if self.settings.shared_batch_norms:
            share_batch_norms(self.network)
        # Crops arrive with their channels last; kernels in the same layout spare a copy in every convolution.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.to(self.accelerator.device)
        freeze_parts(self.network, self.settings.optimizer.frozen)
        decay = self.settings.optimizer.ema_decay
        self.average = AveragedNetwork(self.network, decay) if decay else None
        objective = TrackingObjective(
            self.network.train(), self.settings.loss, clip_to_crop=self.settings.data.clip_to_crop
        )
        self._uncompiled = objective
        optimizer = build_optimizer(self.network, self.settings.optimizer)
        self._objective, self._optimizer = self.accelerator.prepare(objective, optimizer)
        seed_random_streams(self.settings.seed + self.accelerator.process_index)

    @property
    def best_network(self) -> AiATrack:
        """The averaged network where an average is kept, else the one in training."""
        return self.network if self.average is None else self.average.network

    def begin_step(self) -> None:
        """Set the learning rates of the coming optimiser step."""
        self.rates.apply(self._optimizer, self.step)

    def learn(self, batch: SampleBatch, check: Check) -> tuple[LossReport, list[float], float | None]:
        """One forward and backward pass, and an optimiser step if enough passes have gathered.

        Args:
            batch: on the device of the accelerator.
            check: may stop the run before a bad value reaches the weights.

        Returns:
            The report, its scalars as plain numbers, and the gradient norm before clipping if it made a step.

        Raises:
            TrainingError: PyTorch's compiler has changed what the network computes.
        """
        norm: float | None = None
        with self.accelerator.accumulate(self._objective):
            compared = self.settings.compile and self.step % _STEPS_BETWEEN_COMPARISONS == 0
            expected = self._uncompiled_loss(batch) if compared else None
            report: LossReport = self._objective(batch)
            values: list[float] = report.scalars().tolist()
            check("loss", values[0], batch)
            if expected is not None:
                self._check_compiled(values[0], expected)
            self.accelerator.backward(report.total)
            if self.accelerator.sync_gradients:
                norm = self._clip()
                # With fp16 an overflowing gradient is usual, and the loss scaling skips its step.
                if self.accelerator.scaler is None:
                    check("gradient norm", norm, batch)
            self._optimizer.step()
            self._optimizer.zero_grad()
        if norm is not None:
            self._end_step()
        return report, values, norm

    @torch.no_grad()
    def _uncompiled_loss(self, batch: SampleBatch) -> float:
        """The loss as it is without the compiler, leaving no trace in statistics or random streams."""
        statistics = {name: value.clone() for name, value in self.network.named_buffers()}
        with untouched_random_streams():
            loss = float(self._uncompiled(batch).total)
        for name, value in self.network.named_buffers():
            value.copy_(statistics[name])
        return loss

    def _check_compiled(self, loss: float, expected: float) -> None:
        """Stop when the compiler errs: on an H200 with PyTorch 2.11 runs diverged that went well without."""
        largest = _LARGEST_COMPILED_ERROR[self.network.settings.dropout > 0]
        if not abs(loss - expected) <= largest * expected:
            raise TrainingError(
                f"PyTorch's compiler changes what the network computes here: the loss of step {self.step} is "
                f"{loss:.4g} compiled, {expected:.4g} without; set compile=false and start again"
            )

    def _clip(self) -> float:
        limit = self.settings.optimizer.clip_norm or math.inf
        return float(self.accelerator.clip_grad_norm_(self.network.parameters(), limit))

    def _end_step(self) -> None:
        if self.average is not None:
            self.average.update(self.network, self.step)
        self.step += 1

    def find_not_finite(self) -> str | None:
        """Return the name of a weight that is infinite or not a number, if there is one."""
        networks = (self.network,) if self.average is None else (self.network, self.average.network)
        for network in networks:
            for name, value in network.state_dict().items():
                if not bool(torch.isfinite(value).all()):
                    return name
        return None

    def state(self) -> dict[str, Any]:
        """All that is needed to go on from here; every process must call this."""
        scaler = self.accelerator.scaler
        return {
            "step": self.step,
            "settings": self.settings.model_dump(mode="json"),
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "random": gather_object([random_state()]),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state.

        Raises:
            TrainingError: it is of another network, or of other trained parameters.
        """
        settings = TrainingSettings.parse(state["settings"], origin="checkpoint")
        saved = settings.model_settings()
        # Dropout has no weights: it may differ.
        if saved.network.replace(dropout=self.network.settings.dropout) != self.network.settings:
            raise TrainingError(
                f"the checkpoint is of another network ({saved.name}) than these settings describe: "
                "resume with its own settings, or start in another folder"
            )
        load_optimizer(self._optimizer, state["optimizer"], settings.optimizer)
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.network.load_state_dict(state["average"] or state["network"])
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]
        self._restore_random_streams(state["random"])

    def _restore_random_streams(self, states: list[dict[str, Any]]) -> None:
        rank = self.accelerator.process_index
        if len(states) == self.accelerator.num_processes:
            restore_random_state(states[rank])
        else:  # Another number of processes than before: no stream to go on from, so take new ones.
            seed_random_streams(self.settings.seed + 1000 * self.step + rank)
