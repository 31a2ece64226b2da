"""Settings of a training run: network, data, loss, optimiser, schedule, logs and checkpoints."""

from enum import Enum
from typing import Any

from pydantic import Field, model_validator
from typing_extensions import Self

from aiatrack.config.data import DataSettings
from aiatrack.config.frozen import FrozenSettings
from aiatrack.config.presets import ModelSettings, load_preset
from aiatrack.errors import SettingsError


class Precision(str, Enum):
    """Number format of the network's arithmetic; weights and losses stay float32."""

    FLOAT32 = "float32"
    BF16 = "bf16"
    FP16 = "fp16"


class Schedule(str, Enum):
    """How the learning rate falls after the warm-up."""

    CONSTANT = "constant"
    STEP = "step"
    COSINE = "cosine"


class FrozenPart(str, Enum):
    """Part of the backbone that is not trained; its batch norms never are."""

    NOTHING = "nothing"
    STEM = "stem"
    EARLY = "early"
    """All but the stage at stride 16, the cheapest to train: short runs adapt that one alone."""
    BACKBONE = "backbone"


class LossSettings(FrozenSettings):
    """Weights of the three losses (docs/method.md, training)."""

    giou: float = Field(2.0, ge=0)
    l1: float = Field(5.0, ge=0)
    iou: float = Field(2.0, ge=0)
    """Weight of the IoU head's squared error."""
    both_ways: bool = False
    """Whether the short-term reference is also searched for, with the search region in its place: two lessons
    from the same encoded crops. Not in the paper; pays where encoding is what costs."""
    largest: float = Field(1e4, gt=0)
    """Total loss above which a run counts as exploded and stops."""


class OptimizerSettings(FrozenSettings):
    """AdamW, its learning rates and their schedule; the defaults are the paper's."""

    learning_rate: float = Field(1e-4, gt=0)
    backbone_learning_rate: float = Field(1e-5, ge=0)
    weight_decay: float = Field(1e-4, ge=0)
    decay_norms_and_biases: bool = True
    """Whether one-dimensional parameters (norms, biases) are decayed too, as in the paper."""
    clip_norm: float = Field(0.1, ge=0)
    """Largest norm of the whole gradient; 0 never clips."""
    schedule: Schedule = Schedule.STEP
    warmup_steps: int = Field(0, ge=0)
    """Optimiser steps over which the learning rate climbs from 0."""
    drop_at: float = Field(0.8, gt=0, le=1)
    """Share of all steps after which the `step` schedule divides the learning rate by ten."""
    final_share: float = Field(0.01, ge=0, le=1)
    """Share of the learning rate at which the `cosine` schedule ends."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Decay of the moving average of the weights, which is then what is validated and kept; 0 keeps none."""
    frozen: FrozenPart = FrozenPart.STEM


class LogSettings(FrozenSettings):
    """When a run writes, in optimiser steps; 0 means never."""

    log_every_steps: int = Field(50, ge=1)
    checkpoint_every_steps: int = Field(1000, ge=0)
    checkpoint_every_minutes: float = Field(15.0, ge=0)
    """Also after this much time; looked at whenever metrics are logged."""
    checkpoints_kept: int = Field(3, ge=1)
    """Newest checkpoints kept beside the best one."""
    validate_every_steps: int = Field(0, ge=0)
    best_metric: str = "auc"
    """Score of the validation, larger is better, by which the best weights are chosen."""
    pictures_every_steps: int = Field(1000, ge=0)
    """Between pictures of search regions with the true and the predicted boxes."""


class TrainingSettings(FrozenSettings):
    """One training run, from data to weights: all that a recipe says."""

    name: str = "training"
    model: str = "base"
    """Model to train: a preset's name."""
    network: dict[str, Any] = Field(default_factory=dict)
    """Changes to the preset's network settings."""
    tracking: dict[str, Any] = Field(default_factory=dict)
    """Changes to the preset's tracking settings."""
    init: str = "imagenet"
    """What the network starts from: `imagenet` (backbone only), `random`, the name of a shipped model, or the
    path of a weights file."""
    data: DataSettings = DataSettings()
    steps: int = Field(1000, ge=1, le=10**12)
    """Optimiser steps."""
    batch_size: int = Field(16, ge=1)
    """Samples in one forward pass of one process."""
    accumulation: int = Field(1, ge=1)
    """Forward and backward passes per optimiser step."""
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    log: LogSettings = LogSettings()
    precision: Precision = Precision.BF16
    shared_batch_norms: bool = True
    """Whether the heads' batch norms see the batches of all processes, and not just of their own."""
    compile: bool = False
    """Whether the objective goes through `torch.compile`."""
    seed: int = Field(0, ge=0, lt=2**63)
    device: str = "auto"
    """`auto` (the accelerator where there is one) or `cpu`."""

    @model_validator(mode="after")
    def _model_can_be_built(self) -> Self:
        try:
            self.model_settings()
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _batch_norms_have_something_to_average(self) -> Self:
        if self.batch_size > 1:
            return self
        if self.data.proposals == 1:
            raise ValueError(
                "the IoU head's batch norms need batch_size or data.proposals above 1; both are 1"
            )
        if self.model_settings().network.tokens == 1:
            raise ValueError(
                "the corner head's batch norms need batch_size above 1, or network.crop_size above 16, "
                "which makes a map of one cell"
            )
        return self

    def model_settings(self) -> ModelSettings:
        """Settings of the network to train and of how it will track.

        Raises:
            SettingsError: no such preset, or a change that does not fit it.
        """
        preset = load_preset(self.model)
        return ModelSettings(
            name=self.model,
            network=preset.network.replace(**self.network),
            tracking=preset.tracking.replace(**self.tracking),
        )
