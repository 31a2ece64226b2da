"""Calibrations of presence: coefficients that turn a network's outputs into a probability, as YAML files."""

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from aiatrack.config.frozen import FrozenSettings
from aiatrack.config.presets import read_yaml_settings
from aiatrack.errors import SettingsError
from aiatrack.paths import is_file, why_unreachable


class Recognition(FrozenSettings):
    """A logistic regression: whether something seen anywhere in the frame is the target."""

    bias: float
    weights: dict[str, float]
    """By feature; one that is not named counts nothing."""


class PresenceCalibration(FrozenSettings):
    """Two logistic regressions, one upon the other, and a third; made by `benchmarks/calibrate_presence.py`.

    The first weighs what one frame says of a target that is followed (see `aiatrack.tracking.evidence`), the
    second adds what the frames before said. The third weighs what is found where nothing led to.
    """

    origin: str = ""
    """Of which weights, and on what material."""
    projection: str | None = None
    """File beside this one, safetensors: of the learned space in which likeness is measured (see
    `aiatrack.tracking.appearance`). None: that of the embeddings."""
    bias: float
    """Of one frame's evidence, a logit."""
    weights: dict[str, float]
    """Of one frame's evidence by feature; a feature that is not named counts nothing."""
    recognition: Recognition | None = None
    """Of a target that is not followed, but found; None: as evidence of one that is."""
    momentum: float = Field(0.5, ge=0, lt=1)
    """Share of the carried evidence that stays from frame to frame."""
    presence_bias: float = 0.0
    """Of presence, a logit."""
    evidence_weight: float = 1.0
    """What this frame's evidence counts for presence."""
    carried_weight: float = 0.0
    """What the evidence carried over from the frames before counts."""
    held_weight: float = 0.0
    """Added while a lost target's box is held."""


def calibration_names() -> list[str]:
    """Names of the shipped calibrations, such as `lite`."""
    return sorted(
        entry.name.removesuffix(".yaml") for entry in _folder().iterdir() if entry.name.endswith(".yaml")
    )


def own_calibration(model: str | Path) -> str | None:
    """Name of the calibration that a shipped model brings, by the model's name; None for other weights."""
    return str(model) if str(model) in calibration_names() else None


def load_calibration(name: str) -> PresenceCalibration:
    """Read a shipped calibration, or a file.

    Raises:
        SettingsError: neither a shipped calibration nor a file of one.
    """
    if name in calibration_names():
        file = _folder() / f"{name}.yaml"
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        return _beside(file, PresenceCalibration.parse(values, origin=f"calibration {name}"))
    if not is_file(Path(name)):
        raise SettingsError(
            f"there is no calibration {name!r}{why_unreachable(Path(name))}: choose one of "
            f"{', '.join(calibration_names())}, or a YAML file"
        )
    return _beside(Path(name), PresenceCalibration.parse(read_yaml_settings(Path(name)), origin=name))


def _beside(file: Any, calibration: PresenceCalibration) -> PresenceCalibration:
    """A calibration that can be used from anywhere, not from beside its file alone."""
    if calibration.projection is None:
        return calibration
    return calibration.replace(projection=str(file.parent / calibration.projection))


def _folder() -> Any:
    return resources.files("aiatrack.config") / "calibrations"
