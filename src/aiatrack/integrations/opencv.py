"""OpenCV's tracker interface."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from aiatrack.api import load_tracker
from aiatrack.errors import SettingsError, TrackingError
from aiatrack.tracking import TargetState, TrackResult


class OpenCVTracker:
    """Stands in for `cv2.TrackerCSRT_create()`: `init(image, box)`, then `update(image) -> (ok, box)`.

    Frames are BGR, boxes whole pixels, as in OpenCV. `result` keeps what the last call found, unrounded.

    Args:
        model: as in `aiatrack.load_tracker`.
        device: as in `aiatrack.load_tracker`.
        runtime: as in `aiatrack.load_tracker`.
        precision: as in `aiatrack.load_tracker`.
        min_predicted_iou: `ok` is False below this predicted overlap with the target, in [0, 1], and while
            the target is lost.
        **tracking: as in `aiatrack.load_tracker`, but for `color`.

    Raises:
        SettingsError: unknown model, device or setting, or one out of range.
        WeightsError: the model has no weights, or its file cannot be used.

    Example:
        >>> tracker = OpenCVTracker()  # was: cv2.TrackerCSRT_create()  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path = "lite",
        device: str = "auto",
        *,
        runtime: str = "auto",
        precision: str = "auto",
        min_predicted_iou: float = 0.3,
        **tracking: Any,
    ) -> None:
        if not (isinstance(min_predicted_iou, int | float | np.floating) and 0 <= min_predicted_iou <= 1):
            raise SettingsError(f"min_predicted_iou lies in [0, 1]; got {min_predicted_iou!r}")
        if "color" in tracking:
            raise SettingsError(
                "OpenCVTracker takes no color, as OpenCV's frames are BGR: give RGB frames to "
                'load_tracker(color="rgb")'
            )
        self._tracker = load_tracker(
            model, device, color="bgr", runtime=runtime, precision=precision, **tracking
        )
        self._min_predicted_iou = min_predicted_iou
        self.result: TrackResult | None = None

    def init(self, image: npt.NDArray[np.uint8], box: Sequence[float] | npt.NDArray[Any]) -> None:
        """Begin to follow what is inside a box.

        Args:
            image: `(H, W, 3)` uint8 BGR.
            box: left, top, width, height, px.

        Raises:
            FrameError: the image is not `(H, W, 3)` uint8.
            BoxError: the box is malformed or outside the image.
        """
        self.result = self._tracker.start(image, box)

    def update(self, image: npt.NDArray[np.uint8]) -> tuple[bool, tuple[int, int, int, int]]:
        """Find the target in the next image.

        Returns:
            Whether the tracker believes in the box, and the box: left, top, width, height, whole px.

        Raises:
            TrackingError: `init` has not been called.
            FrameError: the image is not like the first one.
        """
        if self.result is None:
            raise TrackingError("update() was called before init(image, box): mark the target first")
        self.result = self._tracker.update(image)
        left, top, width, height = (round(value) for value in self.result.box_xywh)
        is_there = self.result.state is not TargetState.LOST
        sure = is_there and self.result.predicted_iou >= self._min_predicted_iou
        return sure, (left, top, width, height)

    def __reduce__(self) -> NoReturn:
        # A copy would share the tracker, and with it the target.
        raise TrackingError("an OpenCVTracker is neither copied nor pickled: make another, and init() it")
