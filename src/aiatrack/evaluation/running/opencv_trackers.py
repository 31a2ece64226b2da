"""OpenCV's own trackers behind the evaluation room's protocol."""

import ctypes
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from aiatrack.crop import Image
from aiatrack.errors import DataError, MissingExtraError, SettingsError
from aiatrack.evaluation.running.tracker import Box, Estimate
from aiatrack.paths import is_file

_BUILDERS = {
    "csrt": "TrackerCSRT_create",
    "kcf": "TrackerKCF_create",
    "mil": "TrackerMIL_create",
    "nano": "TrackerNano_create",
    "vit": "TrackerVit_create",
}
OPENCV_TRACKERS = tuple(_BUILDERS)
"""Names of the OpenCV trackers that can be run; `nano` and `vit` need model files."""

_NEEDING_MODELS = ("nano", "vit")


@dataclass(frozen=True)
class OpenCVFactory:
    """Builds one of OpenCV's trackers.

    Args:
        kind: one of `OPENCV_TRACKERS`.
        model: for `nano` the folder with its backbone and head (`*backbone*.onnx`, `*head*.onnx`), for `vit`
            the model file; None for the others.

    Raises:
        SettingsError: unknown kind, or a model missing or given where none is used.
    """

    kind: str
    model: Path | None = None

    def __post_init__(self) -> None:
        if self.kind not in _BUILDERS:
            raise SettingsError(
                f"there is no OpenCV tracker {self.kind!r}: choose one of {', '.join(OPENCV_TRACKERS)}"
            )
        if (self.model is not None) != (self.kind in _NEEDING_MODELS):
            how = {"nano": "opencv:nano:FOLDER", "vit": "opencv:vit:FILE"}.get(self.kind)
            raise SettingsError(
                f"OpenCV's {self.kind} " + (f"needs its model: {how}" if how else "takes no model file")
            )

    @property
    def name(self) -> str:
        """See `TrackerFactory`."""
        return self.kind

    @property
    def needs_gpu(self) -> bool:
        """See `TrackerFactory`."""
        return False

    def describe(self) -> Mapping[str, Any]:
        """See `TrackerFactory`. OpenCV's version decides results as much as weights do."""
        self._find_builder()
        files = [] if self.model is None else self._model_files(self.model)
        digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        return {"kind": f"opencv:{self.kind}", "opencv": cv2.__version__, "weights_sha256": digests}

    def build(self) -> "OpenCVSequenceTracker":
        """See `TrackerFactory`."""
        create = self._find_builder()
        if self.model is None:
            return OpenCVSequenceTracker(create)
        files = [str(file) for file in self._model_files(self.model)]
        if self.kind == "nano":
            nano = cv2.TrackerNano_Params()  # type: ignore[attr-defined]
            nano.backbone, nano.neckhead = files
            return OpenCVSequenceTracker(lambda: create(nano), scored=True)
        vit = cv2.TrackerVit_Params()  # type: ignore[attr-defined]
        (vit.net,) = files
        return OpenCVSequenceTracker(lambda: create(vit), scored=True)

    def _find_builder(self) -> Callable[..., Any]:
        create: Callable[..., Any] | None = getattr(cv2, _BUILDERS[self.kind], None)
        if create is None:
            raise MissingExtraError(
                f"this OpenCV ({cv2.__version__}) is built without the {self.kind.upper()} tracker. The "
                "contrib build has it; it takes the place of the plain one: "
                "pip uninstall -y opencv-python-headless && pip install opencv-contrib-python-headless"
            )
        return create

    def _model_files(self, model: Path) -> list[Path]:
        if self.kind == "vit":
            if not is_file(model):
                raise DataError(f"there is no model file {model} for OpenCV's vit tracker")
            return [model]
        return [_find_model(model, part) for part in ("backbone", "head")]


def _find_model(folder: Path, part: str) -> Path:
    found = sorted(folder.glob(f"*{part}*.onnx"))
    if len(found) != 1:
        raise DataError(
            f"OpenCV's nano tracker needs one file *{part}*.onnx in the folder {folder}; found {len(found)}"
        )
    return found[0]


class OpenCVSequenceTracker:
    """One OpenCV tracker, made anew for every sequence; keeps the last box where it reports a failure.

    Args:
        create: makes the tracker.
        scored: it says how sure it is; the others have the method too, but always answer -1.
    """

    def __init__(self, create: Callable[[], Any], *, scored: bool = False) -> None:
        self._create = create
        self._scored = scored
        self._tracker: Any = None
        self._last: Box = (0.0, 0.0, 0.0, 0.0)

    def start(self, frame: Image, box: Sequence[float], /) -> None:
        """See `SequenceTracker`. OpenCV takes whole pixels."""
        _seed_random_numbers()
        self._tracker = self._create()
        left, top, width, height = (round(float(number)) for number in box)
        self._last = (left, top, max(width, 1), max(height, 1))
        self._tracker.init(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), self._last)

    def update(self, frame: Image, /) -> Estimate:
        """See `SequenceTracker`."""
        found, box = self._tracker.update(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if found:
            left, top, width, height = (float(number) for number in box)
            self._last = (left, top, max(width, 0.0), max(height, 0.0))
        return Estimate(self._last, float(self._tracker.getTrackingScore()) if self._scored else None)


def _seed_random_numbers() -> None:
    """Make every sequence come out the same: MIL draws its features with C's `rand`, others with OpenCV's."""
    cv2.setRNGSeed(0)
    ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).srand(1)
