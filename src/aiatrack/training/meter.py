"""Running means of what a run reports between two log lines."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator

from aiatrack.training.losses import SCALAR_NAMES


class TrainingMeter:
    """Sums losses, gradient norms and times of this process; `read` averages them over all processes."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._reset()

    def _reset(self) -> None:
        self._losses = [0.0] * len(SCALAR_NAMES)
        self._passes = 0
        self._gradient_norms = 0.0
        self._updates = 0
        self._samples = 0
        self._waited_s = 0.0
        self._since = time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time inside as spent waiting for data."""
        started = time.monotonic()
        yield
        self._waited_s += time.monotonic() - started

    def add(self, values: Sequence[float], *, samples: int, gradient_norm: float | None = None) -> None:
        """Add one forward pass.

        Args:
            values: the scalars of its `LossReport`.
            samples: that it went over.
            gradient_norm: before clipping, where an optimiser step was made.
        """
        self._losses = [total + value for total, value in zip(self._losses, values, strict=True)]
        self._passes += 1
        self._samples += samples
        if gradient_norm is not None:
            self._gradient_norms += gradient_norm
            self._updates += 1

    def read(self) -> dict[str, float]:
        """Means since the last call, over all processes; every process must call this."""
        elapsed_s = max(time.monotonic() - self._since, 1e-9)
        means = [total / max(self._passes, 1) for total in self._losses]
        means.append(self._gradient_norms / max(self._updates, 1))
        local = torch.tensor(means, dtype=torch.float32, device=self._accelerator.device)
        shared = self._accelerator.reduce(local, reduction="mean").tolist()
        metrics = dict(zip((*SCALAR_NAMES, "gradient_norm"), shared, strict=True))
        metrics["samples_per_second"] = self._samples * self._accelerator.num_processes / elapsed_s
        metrics["data_wait_share"] = self._waited_s / elapsed_s
        self._reset()
        return metrics

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
