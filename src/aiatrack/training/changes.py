"""Settings that a resumed run no longer shares with its checkpoint."""

from typing import Any

from aiatrack.config.training import TrainingSettings


class TrainingWarning(UserWarning):
    """A run goes on, though not quite as one might expect."""


def list_changes(before: TrainingSettings, after: TrainingSettings) -> list[str]:
    """Return a text `name: old -> new` for each setting that differs, in the order of the settings."""
    return _changes("", before.model_dump(mode="json"), after.model_dump(mode="json"))


def _changes(name: str, before: Any, after: Any) -> list[str]:
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        before, after = dict(enumerate(before)), dict(enumerate(after))
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [] if before == after else [f"{name}: {before} -> {after}"]
    found = []
    for key in dict.fromkeys((*before, *after)):
        found += _changes(f"{name}.{key}" if name else key, before.get(key), after.get(key))
    return found
