"""AdamW with the paper's parameter groups, frozen parts and learning rates as functions of the step."""

import math
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer

from aiatrack.config.training import FrozenPart, OptimizerSettings, Schedule
from aiatrack.errors import TrainingError
from aiatrack.model import AiATrack


def freeze_parts(network: AiATrack, part: FrozenPart) -> None:
    """Stop training a part of the backbone, in place."""
    if part is FrozenPart.BACKBONE:
        network.backbone.requires_grad_(False)
        return
    names = {
        FrozenPart.NOTHING: (),
        FrozenPart.STEM: network.backbone.stem_names,
        FrozenPart.EARLY: network.backbone.early_names,
    }[part]
    for name in names:
        network.backbone.get_submodule(name).requires_grad_(False)


def parameter_groups(network: AiATrack, settings: OptimizerSettings) -> list[dict[str, object]]:
    """Trainable parameters by learning rate and weight decay; groups without any are left out.

    Each group carries `rate`, the name of its learning rate in the settings.
    """
    backbone = {id(parameter) for parameter in network.backbone.parameters()}
    groups: dict[tuple[str, float], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            rate = "backbone_learning_rate" if id(parameter) in backbone else "learning_rate"
            decayed = settings.decay_norms_and_biases or parameter.ndim > 1
            groups.setdefault((rate, settings.weight_decay if decayed else 0.0), []).append(parameter)
    return [
        {"params": parameters, "rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]


def build_optimizer(network: AiATrack, settings: OptimizerSettings) -> AdamW:
    """AdamW over what `freeze_parts` left to train.

    Raises:
        TrainingError: everything is frozen.
    """
    groups = parameter_groups(network, settings)
    if not groups:
        raise TrainingError(
            "every parameter is frozen, there is nothing to train: set optimizer.frozen to stem"
        )
    return AdamW(groups, lr=settings.learning_rate, fused=True)


def load_optimizer(optimizer: Optimizer, state: dict[str, Any], saved: OptimizerSettings) -> None:
    """Go on from the moments in a checkpoint, with the weight decay that `optimizer` was built with.

    Args:
        optimizer: of `build_optimizer`; changed only if all is well.
        state: what its `state_dict` returned when the checkpoint was written.
        saved: settings of that time.

    Raises:
        TrainingError: the groups hold other parameters.
    """
    if _group_sizes(state["param_groups"]) != _group_sizes(optimizer.param_groups):
        raise TrainingError(
            "these settings train or decay other parameters than the checkpoint's: resume with its "
            f"optimizer.frozen={saved.frozen.value}, optimizer.decay_norms_and_biases="
            f"{saved.decay_norms_and_biases} and optimizer.weight_decay={saved.weight_decay:g}, or start in "
            "another folder with init set to its weights"
        )
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, decay in zip(optimizer.param_groups, decays, strict=True):
        group["weight_decay"] = decay


def _group_sizes(groups: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(group["rate"], len(group["params"])) for group in groups]


def learning_rate_share(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Share of the full learning rate at optimiser step `step` (from 0) of `steps`, in [0, 1]."""
    if step < settings.warmup_steps:
        return (step + 1) / (settings.warmup_steps + 1)
    if settings.schedule is Schedule.STEP:
        return 0.1 if step >= settings.drop_at * steps else 1.0
    if settings.schedule is Schedule.COSINE:
        progress = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
        return (
            settings.final_share
            + (1 - settings.final_share) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
        )
    return 1.0


class LearningRates:
    """Sets an optimiser's learning rates for a step; a pure function of it, so there is nothing to resume."""

    def __init__(self, settings: OptimizerSettings, steps: int) -> None:
        self._settings = settings
        self._steps = steps

    def at(self, step: int) -> dict[str, float]:
        """Learning rates at a step, by their name in the settings."""
        share = learning_rate_share(self._settings, step, self._steps)
        return {
            "learning_rate": share * self._settings.learning_rate,
            "backbone_learning_rate": share * self._settings.backbone_learning_rate,
        }

    def apply(self, optimizer: Optimizer, step: int) -> None:
        """Set the rates of every group made by `parameter_groups`."""
        rates = self.at(step)
        for group in optimizer.param_groups:
            group["lr"] = rates[group["rate"]]
