"""Follow one target: the tracker that most programs want."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.config import TrackingSettings
from aiatrack.crop import Color, Image
from aiatrack.errors import TrackingError
from aiatrack.tracking.multi_tracker import MultiTracker
from aiatrack.tracking.network import Network
from aiatrack.tracking.target import TargetId, TrackResult


class Tracker:
    """Follows one target with a network that is handed in.

    Call `start` with a frame and a box, then `update` with every later frame. `start` may be called again,
    for another target or film. For several targets in one film see `MultiTracker`.

    Args:
        network: anything with the three verbs; see `aiatrack.tracking.Network`.
        settings: how to track; the defaults are the paper's.
        color: channel order of the frames: "rgb", or "bgr" as OpenCV reads them.

    Raises:
        SettingsError: another channel order.
    """

    def __init__(
        self, network: Network, settings: TrackingSettings | None = None, *, color: Color = "rgb"
    ) -> None:
        self._network = network
        self._color: Color = color
        self._targets = MultiTracker(network, settings, color=color)
        self._id: TargetId | None = None

    @property
    def settings(self) -> TrackingSettings:
        """How it tracks."""
        return self._targets.settings

    def start(self, frame: Image, box: Sequence[float] | npt.NDArray[np.floating[Any]]) -> TrackResult:
        """Begin to follow what is inside a box.

        Args:
            frame: `(H, W, 3)` uint8.
            box: left, top, width, height in pixels of the frame.

        Returns:
            The box as given, as frame 0 with score 1.

        Raises:
            FrameError: the frame is not `(H, W, 3)` uint8.
            BoxError: the box is not four finite numbers, has no area, or lies outside the frame.
        """
        # A new one, and only kept if it accepts the box: a bad start leaves the old target.
        targets = MultiTracker(self._network, self.settings, color=self._color)
        self._id = targets.add(frame, box)
        self._targets = targets
        return targets.latest[self._id]

    def update(self, frame: Image) -> TrackResult:
        """Find the target in the next frame.

        Args:
            frame: `(H, W, 3)` uint8, of the size that `start` was given.

        Raises:
            TrackingError: `start` has not been called.
            FrameError: the frame's type, shape or size is not that of the first one.
        """
        if self._id is None:
            raise TrackingError("update() was called before start(frame, box): mark the target first")
        return self._targets.update(frame)[self._id]
