"""What to call a tracker of which only a folder of results was given."""

import json
from collections.abc import Sequence
from pathlib import Path

from aiatrack.evaluation.results import select_results_folder


def name_trackers(given: Sequence[tuple[str | None, Path]], benchmark: str) -> list[str]:
    """Names of trackers: as given, else as `aiatrack evaluate` noted them, else those of their folders.

    Args:
        given: name, or None, and folder of results of each.
        benchmark: name of the benchmark, after which a subfolder with the results may be called.
    """
    names = [name or _read_name(folder, benchmark) or folder.resolve().name for name, folder in given]
    # Runs of one tracker with different settings are told apart by their folders.
    return [
        name if given_name or names.count(name) == 1 else folder.resolve().name
        for name, (given_name, folder) in zip(names, given, strict=True)
    ]


def _read_name(folder: Path, benchmark: str) -> str | None:
    """The tracker's name in the manifest of a folder; None without one, or if it is not ours."""
    path = select_results_folder(folder, benchmark) / "manifest.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["identity"]["tracker"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) and name else None
