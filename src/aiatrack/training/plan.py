"""What a run would do and cost, from a few steps of it."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from aiatrack.config.training import TrainingSettings
from aiatrack.data import SampleBatch
from aiatrack.errors import TrainingError
from aiatrack.model import AiATrack
from aiatrack.training.surroundings import BatchStream
from aiatrack.training.trainee import Trainee

PlanProgress = Callable[[int, int], None]
"""Called with the number of steps taken and of all that will be."""


@dataclass(frozen=True)
class TrainingPlan:
    """A run's size, speed and memory on this machine."""

    device: str
    processes: int
    parameters: dict[str, int]
    """By part of the network."""
    trained_parameters: int
    global_batch_size: int
    """Samples per optimiser step over all processes."""
    samples: int
    """Of the whole run, over all processes."""
    seconds_per_step: float
    samples_per_second: float
    """Over all processes."""
    data_wait_share: float
    """Share of the time spent waiting for batches, in [0, 1]."""
    hours: float
    """Of the whole run."""
    peak_memory_bytes: int
    """Of the accelerator, or of this process where there is none; 0 where the system does not tell."""


def plan_training(
    settings: TrainingSettings,
    network: AiATrack,
    batches: BatchStream,
    *,
    measured_steps: int = 3,
    progress: PlanProgress | None = None,
) -> TrainingPlan:
    """Train for a few steps, the first of them unmeasured, and extrapolate. Nothing is written.

    Args:
        settings: of the run.
        network: changed by the steps.
        batches: as for the run itself.
        measured_steps: optimiser steps behind the estimate.
        progress: told before every step, and after the last.
    """
    told = progress or (lambda done, of: None)
    trainee = Trainee(settings, network)
    accelerator = trainee.accelerator
    stream = batches(rank=accelerator.process_index, world_size=accelerator.num_processes, start_step=0)
    told(0, 1 + measured_steps)
    _take_step(trainee, stream)
    started, waited = time.monotonic(), 0.0
    for step in range(measured_steps):
        told(1 + step, 1 + measured_steps)
        waited += _take_step(trainee, stream)
    told(1 + measured_steps, 1 + measured_steps)
    seconds_per_step = (time.monotonic() - started) / measured_steps
    global_batch_size = settings.batch_size * settings.accumulation * accelerator.num_processes
    return TrainingPlan(
        device=_device_name(accelerator.device),
        processes=accelerator.num_processes,
        parameters=count_parameters(network),
        trained_parameters=sum(p.numel() for p in network.parameters() if p.requires_grad),
        global_batch_size=global_batch_size,
        samples=global_batch_size * settings.steps,
        seconds_per_step=seconds_per_step,
        samples_per_second=global_batch_size / seconds_per_step,
        data_wait_share=waited / (seconds_per_step * measured_steps),
        hours=seconds_per_step * settings.steps / 3600,
        peak_memory_bytes=_peak_memory_bytes(accelerator.device),
    )


def count_parameters(network: nn.Module) -> dict[str, int]:
    """Number of parameters of each direct part of a network; those of its own are under `embeddings`."""
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    counts["embeddings"] = sum(p.numel() for p in network.parameters(recurse=False))
    return counts


def _take_step(trainee: Trainee, stream: Any) -> float:
    """One optimiser step; returns the seconds spent waiting for batches."""
    waited = 0.0
    trainee.begin_step()
    for _ in range(trainee.settings.accumulation):
        started = time.monotonic()
        batch: SampleBatch = next(stream).to(trainee.accelerator.device)
        waited += time.monotonic() - started
        trainee.learn(batch, _refuse_bad_values)
    return waited


def _refuse_bad_values(what: str, value: float, batch: SampleBatch) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            f"the {what} of a planned step is {value:g}: lower the learning rate or check the data"
        )


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"


def _peak_memory_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    # Kilobytes everywhere but on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
