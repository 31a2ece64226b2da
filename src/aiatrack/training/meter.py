"""Running means of what a run reports between two log lines."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from aiatrack.config.training import TrainingSettings
from aiatrack.training.losses import SCALAR_NAMES


class TrainingMeter:
    """Sums losses, gradient norms and times of this process; `read` averages them over all processes."""

    def __init__(self, accelerator: Accelerator, settings: TrainingSettings) -> None:
        self._accelerator = accelerator
        self._accumulation = settings.accumulation
        self._reset()

    def _reset(self) -> None:
        self._losses = [0.0] * len(SCALAR_NAMES)
        self._passes = 0
        self._gradient_norms = 0.0
        self._updates = 0
        self._samples = 0
        self._waited = 0.0
        self._since = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as spent waiting for data."""
        started = time.monotonic()
        yield
        self._waited += time.monotonic() - started

    def add_losses(self, values: Sequence[float], samples: int) -> None:
        """Add the scalars of one forward pass over a number of samples."""
        self._losses = [total + value for total, value in zip(self._losses, values, strict=True)]
        self._passes += 1
        self._samples += samples

    def add_gradient_norm(self, norm: float) -> None:
        """Add the gradient norm of one optimiser step, before clipping."""
        self._gradient_norms += norm
        self._updates += 1

    def read(self, rates: dict[str, float]) -> dict[str, float]:
        """Means since the last call, over all processes; every process must call this.

        Args:
            rates: learning rate by part of the network, reported as they are.
        """
        elapsed = max(time.monotonic() - self._since, 1e-9)
        passes, updates = max(self._passes, 1), max(self._updates, 1)
        means = [total / passes for total in self._losses] + [self._gradient_norms / updates]
        local = torch.tensor(means, dtype=torch.float32, device=self._accelerator.device)
        losses = self._accelerator.reduce(local, reduction="mean").tolist()
        metrics = dict(zip((*SCALAR_NAMES, "gradient_norm"), losses, strict=True))
        metrics |= {f"learning_rate_{part}": rate for part, rate in rates.items()}
        metrics["samples_per_second"] = self._samples * self._accelerator.num_processes / elapsed
        metrics["data_wait_share"] = self._waited / elapsed
        self._reset()
        return metrics

    def first_process_says(self, answer: bool) -> bool:
        """The first process's answer, in every process."""
        flag = torch.tensor([int(answer)], device=self._accelerator.device)
        return bool(broadcast(flag).item())

    def state(self) -> dict[str, Any]:
        """Sums so far, as plain data; times are not kept."""
        return {
            "losses": self._losses,
            "passes": self._passes,
            "gradient_norms": self._gradient_norms,
            "updates": self._updates,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the sums of a checkpoint."""
        self._losses, self._passes = list(state["losses"]), state["passes"]
        self._gradient_norms, self._updates = state["gradient_norms"], state["updates"]
