"""From what is typed on a command line to a tracker's factory."""

from pathlib import Path

from aiatrack.errors import SettingsError
from aiatrack.evaluation.running.imported_trackers import ImportedFactory
from aiatrack.evaluation.running.opencv_trackers import OPENCV_TRACKERS, OpenCVFactory
from aiatrack.evaluation.running.tracker import TrackerFactory


def parse_tracker(text: str) -> TrackerFactory:
    """Read `opencv:KIND`, `opencv:nano:FOLDER`, `opencv:vit:FILE` or `python:package.module:Class`.

    Raises:
        SettingsError: something else.
    """
    family, _, rest = text.partition(":")
    if family == "opencv" and rest:
        kind, _, model = rest.partition(":")
        return OpenCVFactory(kind, Path(model) if model else None)
    if family == "python" and rest:
        return ImportedFactory(rest)
    raise SettingsError(
        f"there is no tracker {text!r}: give opencv:KIND with one of {', '.join(OPENCV_TRACKERS)}, or "
        "python:package.module:Class; models of ours are given by name or file as a model"
    )
