"""Calibrations of presence: coefficients that turn a network's outputs into a probability, as YAML files."""

from pathlib import Path

from pydantic import Field

from aiatrack.config.frozen import FrozenSettings
from aiatrack.config.presets import read_yaml_settings
from aiatrack.config.shipped import ShippedFiles

_CALIBRATIONS = ShippedFiles("calibration", Path(__file__).parent / "calibrations", alternative="a YAML file")


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
    return _CALIBRATIONS.names()


def own_calibration(model: str | Path) -> str | None:
    """Name of the calibration that a shipped model brings, by the model's name; None for other weights."""
    return model if isinstance(model, str) and model in calibration_names() else None


def load_calibration(name: str) -> PresenceCalibration:
    """Read a shipped calibration, or a file.

    Raises:
        SettingsError: neither a shipped calibration nor a file of one.
    """
    file = _CALIBRATIONS.locate(name)
    origin = f"calibration {name}" if name in calibration_names() else name
    calibration = PresenceCalibration.parse(read_yaml_settings(file), origin=origin)
    if calibration.projection is None:
        return calibration
    # To be used from anywhere, not from beside its file alone.
    return calibration.replace(projection=str(file.parent / calibration.projection))
