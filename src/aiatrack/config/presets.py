"""Named models as YAML files inside the package, and their readers."""

from pathlib import Path
from typing import Any

import yaml

from aiatrack.config.frozen import FrozenSettings
from aiatrack.config.network import NetworkSettings
from aiatrack.config.shipped import ShippedFiles
from aiatrack.config.tracking import TrackingSettings
from aiatrack.errors import SettingsError

_FOLDER = Path(__file__).parent
_PRESETS = ShippedFiles("model", _FOLDER / "presets", alternative="a weights file")


class ModelSettings(FrozenSettings):
    """A network and how it tracks: what a weights file carries in its metadata."""

    name: str = "custom"
    network: NetworkSettings = NetworkSettings()
    tracking: TrackingSettings = TrackingSettings()

    def stored(self) -> dict[str, Any]:
        """What is kept beside weights, JSON-serialisable; `parse` reads it.

        The network in full. Of tracking only what this model asks for: the rest is up to the package that
        reads, so that better defaults reach old files.
        """
        tracking = self.tracking.model_dump(mode="json", exclude_defaults=True)
        return self.model_dump(mode="json") | {"tracking": tracking}


def preset_names() -> list[str]:
    """Names of the shipped models, such as `lite`."""
    return _PRESETS.names()


def load_preset(name: str) -> ModelSettings:
    """Read a shipped model's settings.

    Raises:
        SettingsError: no preset of that name; the message lists those that exist.
    """
    return ModelSettings.parse(yaml.safe_load(_PRESETS.read(name)), origin=f"preset {name}")


def benchmark_tracking(benchmark: str) -> dict[str, Any]:
    """Tracking settings that the paper uses on a benchmark, to lay over a model's own.

    Raises:
        SettingsError: no such benchmark; the message lists those that exist.
    """
    text = (_FOLDER / "benchmark_tracking.yaml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = yaml.safe_load(text)
    if not isinstance(benchmark, str) or benchmark not in table:
        raise SettingsError(f"no tracking settings for {benchmark!r}: choose one of {', '.join(table)}")
    return table[benchmark]


def read_yaml_settings(path: Path) -> Any:
    """Parse a YAML settings file.

    Raises:
        SettingsError: the file cannot be read or is not YAML.
    """
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read settings {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not a YAML settings file: {error}") from error


def parse_yaml(text: str) -> Any:
    """Parse YAML.

    Raises:
        ValueError: it is none, or holds a value that cannot be, such as the 31st of June.
    """
    try:
        return yaml.safe_load(text)
    # Besides errors of its own, PyYAML lets through whatever Python makes of a value.
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError) as error:
        raise ValueError(str(error)) from error
