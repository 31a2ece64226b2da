"""Accelerate, set up from a run's settings."""

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import broadcast

from aiatrack.config.training import Precision, TrainingSettings
from aiatrack.errors import SettingsError

MIXED_PRECISION = {Precision.FLOAT32: "no", Precision.BF16: "bf16", Precision.FP16: "fp16"}


def build_accelerator(settings: TrainingSettings) -> Accelerator:
    """Join the processes that a launcher has started, or be the only one.

    Raises:
        SettingsError: a device or precision that does not exist here.
    """
    if settings.device not in ("auto", "cpu"):
        raise SettingsError(f"device: expected auto or cpu, got {settings.device!r}")
    # Accelerate keeps the first accelerator's precision and device for the life of the process; those of a
    # second run may differ.
    AcceleratorState._reset_state(reset_partial_state=_is_alone_on_another_device(settings.device))
    accelerator = Accelerator(
        mixed_precision=MIXED_PRECISION[settings.precision],
        gradient_accumulation_steps=settings.accumulation,
        cpu=settings.device == "cpu",
        dynamo_backend="inductor" if settings.compile else "no",
    )
    if settings.precision is Precision.FP16 and accelerator.device.type == "cpu":
        raise SettingsError("precision: fp16 needs a GPU; use bf16 or float32 on a CPU")
    return accelerator


def _is_alone_on_another_device(device: str) -> bool:
    """Whether a run before, in this process alone, had another device: many stay joined as they were."""
    if not PartialState._shared_state:  # a first run; asking for the state would make it
        return False
    before = PartialState()
    return bool(before.num_processes == 1 and (before.device.type == "cpu") != (device == "cpu"))


def first_process_says(accelerator: Accelerator, answer: bool) -> bool:
    """The first process's answer, in every process; all must call this."""
    flag = torch.tensor([int(answer)], device=accelerator.device)
    return bool(broadcast(flag).item())
