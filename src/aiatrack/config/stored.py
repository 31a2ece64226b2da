"""Settings inside a weights file, read without PyTorch and without the weights."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from aiatrack.config.presets import ModelSettings
from aiatrack.errors import WeightsError
from aiatrack.paths import is_file, is_folder, why_unreachable

WEIGHTS_FORMAT = "aiatrack-1"


def read_stored_settings(path: Path) -> ModelSettings:
    """Read the settings that rebuild the network of a weights file.

    Raises:
        WeightsError: no such file, damaged, or not written by `aiatrack.model.save_weights`.
    """
    if not is_file(path):
        why = " (it is a folder)" if is_folder(path) else why_unreachable(path)
        raise WeightsError(
            f"there is no weights file {path}{why}: give a model's name or an existing .safetensors file"
        )
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}): convert a published checkpoint with "
            "`aiatrack convert`"
        ) from error
    format = metadata.get("format", "")
    if format != WEIGHTS_FORMAT and format.startswith("aiatrack-"):
        raise WeightsError(
            f"{path} is a weights file of another version ({format}; this package reads {WEIGHTS_FORMAT}): "
            "update the package"
        )
    if format != WEIGHTS_FORMAT or "settings" not in metadata:
        raise WeightsError(f"{path} carries no aiatrack settings: it was not written by this package")
    try:
        return ModelSettings.parse(json.loads(metadata["settings"]), origin="settings")
    except ValueError as error:  # not JSON, or `SettingsError`
        raise WeightsError(
            f"the settings inside {path} cannot be used, it is damaged or of another version: {error}"
        ) from error
