"""Recipes: whole training runs as YAML files, inside the package or anywhere, with changes laid over them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from aiatrack.config.network import NetworkSettings
from aiatrack.config.overrides import check_key, parse_overrides
from aiatrack.config.presets import read_yaml_settings
from aiatrack.config.shipped import ShippedFiles
from aiatrack.config.tracking import TrackingSettings
from aiatrack.config.training import TrainingSettings
from aiatrack.errors import SettingsError

_RECIPES = ShippedFiles("recipe", Path(__file__).parent / "recipes", alternative="a YAML file")
_CHANGES: dict[str, type[BaseModel]] = {"network": NetworkSettings, "tracking": TrackingSettings}
"""Fields of `TrainingSettings` that hold changes to other settings."""


def recipe_names() -> list[str]:
    """Names of the shipped recipes, such as `lite`."""
    return _RECIPES.names()


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> TrainingSettings:
    """Read a training run's settings.

    Args:
        name_or_path: a shipped recipe's name, or a YAML file.
        overrides: changes as `key=value`, such as `optimizer.learning_rate=2e-4` or
            `data.sources.0.path=clips`; values are YAML.

    Raises:
        SettingsError: no such recipe or file, a change that is not `key=value`, or a key or value that does
            not fit; for an unknown key the message suggests the nearest.
    """
    values = _read(name_or_path)
    for key, value in parse_overrides(overrides, example="steps=1000"):
        _set(values, key.split("."), value)
    refuse_unknown_keys(values, TrainingSettings)
    return TrainingSettings.parse(values, origin=name_or_path)


def _read(name_or_path: str) -> dict[str, Any]:
    values = read_yaml_settings(_RECIPES.locate(name_or_path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(
            f"{name_or_path}: expected settings as `key: value` lines, got {type(values).__name__}"
        )
    return values


def _set(values: Any, keys: list[str], value: Any) -> None:
    """Set a value inside nested mappings and lists, in place; missing mappings are made."""
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(values, list):
            if key not in map(str, range(len(values))):
                raise SettingsError(f"{'.'.join(keys)}: expected a number below {len(values)}, got {key!r}")
            index: Any = int(key)
        elif isinstance(values, dict):
            index = key
            if not last:
                values.setdefault(key, {})
        else:
            raise SettingsError(f"{'.'.join(keys)}: {'.'.join(keys[:depth])} is a value and has no {key!r}")
        if last:
            values[index] = value
        else:
            values = values[index]


def refuse_unknown_keys(values: Any, model: type[BaseModel], prefix: str = "") -> None:
    """Check the names in nested settings before their values.

    Raises:
        SettingsError: naming the first unknown key and the nearest that exists.
    """
    if not isinstance(values, dict):
        return  # Values of the wrong kind are for the settings themselves to refuse.
    for key, value in values.items():
        check_key(key, model, prefix)
        inner = _CHANGES.get(key) if model is TrainingSettings else None
        inner = inner or _settings_inside(model.model_fields[key].annotation)
        if inner is not None:
            for place, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
                path = f"{prefix}{key}." if place is None else f"{prefix}{key}.{place}."
                refuse_unknown_keys(item, inner, path)


def _settings_inside(annotation: Any) -> type[BaseModel] | None:
    """The settings class that a field holds, by itself or in a tuple."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
