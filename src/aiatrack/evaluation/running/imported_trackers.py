"""Trackers of other people, named by import path."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from aiatrack.crop import Image
from aiatrack.errors import SettingsError, TrackingError
from aiatrack.evaluation.running.tracker import Estimate


@dataclass(frozen=True)
class ImportedFactory:
    """Builds a tracker from a class, or a function that returns one, without arguments.

    Args:
        path: `package.module:Class`. Its objects have `start(frame, box)` and `update(frame)` as in
            `SequenceTracker`; `update` may return `(box, score)`, a bare box of four numbers, or an object
            with `box_xywh` and `score`.

    Raises:
        SettingsError: not such a path.
    """

    path: str

    def __post_init__(self) -> None:
        module, _, attribute = self.path.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
            raise SettingsError(f"a Python tracker is named package.module:Class; got {self.path!r}")

    @property
    def name(self) -> str:
        """See `TrackerFactory`."""
        return self.path.partition(":")[2].rpartition(".")[2]

    @property
    def needs_gpu(self) -> bool:
        """See `TrackerFactory`; what the class does is its own affair."""
        return False

    def describe(self) -> Mapping[str, Any]:
        """See `TrackerFactory`; the module's source stands for what the class does."""
        self._find_class()
        file = getattr(sys.modules[self.path.partition(":")[0]], "__file__", None)
        digest = sha256(Path(file).read_bytes()).hexdigest() if file else None
        return {"kind": f"python:{self.path}", "source_sha256": digest}

    def build(self) -> "ImportedTracker":
        """See `TrackerFactory`."""
        return ImportedTracker(self._find_class()(), self.path)

    def _find_class(self) -> Any:
        module, _, attribute = self.path.partition(":")
        try:
            found: Any = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise SettingsError(
                f"cannot import the tracker {self.path}: {error}. Install its package, or put its folder on "
                "PYTHONPATH"
            ) from error
        if not callable(found):
            raise SettingsError(f"{self.path} is {found!r}: a class or function was expected")
        if inspect.isclass(found) and not (hasattr(found, "start") and hasattr(found, "update")):
            raise SettingsError(f"{self.path} has no start(frame, box) and update(frame)")
        return found


class ImportedTracker:
    """Reads whatever a foreign tracker returns.

    Args:
        tracker: with `start(frame, box)` and `update(frame)`.
        path: what to call it in messages.
    """

    def __init__(self, tracker: Any, path: str) -> None:
        self._tracker = tracker
        self._path = path

    def start(self, frame: Image, box: Sequence[float], /) -> None:
        """See `SequenceTracker`."""
        self._tracker.start(frame, tuple(box))

    def update(self, frame: Image, /) -> Estimate:
        """See `SequenceTracker`.

        Raises:
            TrackingError: the tracker returned something else than a box, with or without a score.
        """
        output = self._tracker.update(frame)
        box = getattr(output, "box_xywh", output)
        score = getattr(output, "score", None)
        if isinstance(output, (tuple, list)) and len(output) == 2:
            box, score = output
        try:
            left, top, width, height = np.asarray(box, dtype=np.float64).tolist()
            return Estimate((left, top, width, height), None if score is None else float(score))
        except (TypeError, ValueError) as error:
            raise TrackingError(
                f"{self._path}.update must return (box, score) or a box of four numbers x, y, width, "
                f"height in pixels; got {output!r:.200}"
            ) from error
