"""Settings that a resumed run no longer shares with its checkpoint."""

from aiatrack.config import list_differences
from aiatrack.config.training import TrainingSettings


class TrainingWarning(UserWarning):
    """A run goes on, though not quite as one might expect."""


def list_changes(before: TrainingSettings, after: TrainingSettings) -> list[str]:
    """Return a text `name: old -> new` for each setting that differs, in the order of the settings."""
    differences = list_differences(before.model_dump(mode="json"), after.model_dump(mode="json"))
    return [f"{name}: {old} -> {new}" for name, old, new in differences]
