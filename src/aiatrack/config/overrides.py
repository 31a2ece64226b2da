"""Settings changed on a command line: `key=value`, the value in YAML; names checked before values."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from aiatrack.config.presets import parse_yaml
from aiatrack.config.tracking import TrackingSettings
from aiatrack.errors import SettingsError


def parse_overrides(texts: Sequence[str], example: str) -> Iterator[tuple[str, Any]]:
    """Read `key=value`, one after the other.

    Args:
        texts: such as `optimizer.learning_rate=2e-4`.
        example: of one, for messages.

    Raises:
        SettingsError: one has no key or no value, or its value is not YAML.
    """
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise SettingsError(f"expected key=value, got {text!r}: write, for example, {example}")
        try:
            yield key, parse_yaml(value)
        except ValueError as error:
            raise SettingsError(f"the value of {text!r:.100} is not YAML: quote it") from error


def tracking_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Changes to tracking settings, such as `ensemble_size=4`; a later one of a key counts.

    Raises:
        SettingsError: one is not `key=value`, or a key or value does not fit; for an unknown key the message
            suggests the nearest.
    """
    changes = dict(parse_overrides(texts, example="ensemble_size=4"))
    for key in changes:
        check_key(key, TrackingSettings)
    parsed = TrackingSettings.parse(changes, origin="tracking settings")
    return {key: getattr(parsed, key) for key in changes}  # `on` as the word, 4 as 4.0


def check_key(key: Any, model: type[BaseModel], prefix: str = "") -> None:
    """Check the name of a setting.

    Raises:
        SettingsError: the settings have none of that name; names the nearest that exists.
    """
    if key not in model.model_fields:
        near = difflib.get_close_matches(str(key), model.model_fields, n=1, cutoff=0.5)
        hint = (
            f"did you mean {prefix}{near[0]}?" if near else f"expected one of {', '.join(model.model_fields)}"
        )
        raise SettingsError(f"there is no setting {prefix}{key}: {hint}")
