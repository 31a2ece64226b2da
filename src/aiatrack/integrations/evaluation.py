"""Our own trackers as the evaluation room wants them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiatrack.api import benchmark_precision, describe_model, device_type, load_tracker
from aiatrack.api.tracking import check_tracking
from aiatrack.config import preset_names
from aiatrack.tracking import Tracker


@dataclass(frozen=True)
class ModelFactory:
    """Describes a model of ours and builds its tracker; an `aiatrack.evaluation.running.TrackerFactory`.

    Args:
        model: as in `aiatrack.load_tracker`.
        device: as in `aiatrack.load_tracker`.
        tracking_for: use the paper's tracking settings for this benchmark, such as `lasot`.
        runtime: as in `aiatrack.load_tracker`.
        precision: as in `aiatrack.load_tracker` with a benchmark: `auto` is the same whatever the processor.
        tracking: single tracking settings to change, as in `aiatrack.load_tracker`; presence is off unless
            it is one of them.
    """

    model: str
    device: str = "auto"
    tracking_for: str | None = None
    runtime: str = "auto"
    precision: str = "auto"
    tracking: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name, or its file's or folder's; with what is changed of its tracking settings."""
        name = self.model if self.model in preset_names() else Path(self.model).stem
        changes = [f"{key}={value}" for key, value in sorted(self.tracking.items())]
        # It becomes the name of a folder; the value may be a path.
        parts = [name, *([self.tracking_for] if self.tracking_for else []), *changes]
        return re.sub(r"[/\\]", "_", "-".join(parts))

    @property
    def needs_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return device_type(self.device) == "cuda"

    def describe(self) -> Mapping[str, Any]:
        """Weights by their hash, settings, device, runtime and precision.

        Raises:
            SettingsError: unknown model, device, runtime, precision or benchmark.
            WeightsError: the model has no weights, or its file cannot be read.
        """
        precision = benchmark_precision(self.model, self.precision)
        described = describe_model(self.model, self.device, runtime=self.runtime, precision=precision)
        settings, choice = described.settings, described.choice
        changes = check_tracking(self.model, "rgb", self.tracking_for, self._changes)
        return {
            "kind": "aiatrack",
            "weights_sha256": described.sha256,
            "model": settings.model_dump(mode="json")
            | {"tracking": settings.tracking.replace(**changes).model_dump(mode="json")},
            "device": device_type(self.device),
            "runtime": choice.runtime.value,
            "precision": choice.precision.value,
        }

    def build(self) -> Tracker:
        """Load the weights onto the device.

        Raises:
            AiATrackError: see `aiatrack.load_tracker`.
        """
        return load_tracker(
            self.model,
            self.device,
            runtime=self.runtime,
            precision=benchmark_precision(self.model, self.precision),
            benchmark=self.tracking_for,
            **self._changes,
        )

    @property
    def _changes(self) -> dict[str, Any]:
        """Benchmarks are run as the paper ran them, which judges nothing."""
        return {"presence": "off", **self.tracking}
