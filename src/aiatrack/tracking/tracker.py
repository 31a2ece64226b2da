"""Follow one target: the tracker that most programs want."""

from collections.abc import Sequence
from typing import NoReturn

from typing_extensions import Self

from aiatrack.boxes import BoxLike
from aiatrack.config import TrackingSettings
from aiatrack.crop import Color, Image
from aiatrack.errors import TrackingError
from aiatrack.tracking.choice import build_following
from aiatrack.tracking.multi_tracker import MultiTracker
from aiatrack.tracking.network import Network
from aiatrack.tracking.saved_state import TrackerState, only_target
from aiatrack.tracking.target import TargetId, TrackResult
from aiatrack.tracking.turns import Calls, one_at_a_time


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
        self._following = build_following(settings or TrackingSettings(), network.crop_size)
        self._targets = MultiTracker(network, settings, color=color, following=self._following)
        self._id: TargetId | None = None
        self._calls: Calls = []

    @property
    def settings(self) -> TrackingSettings:
        """How it tracks."""
        return self._targets.settings

    @one_at_a_time
    def start(self, frame: Image, box: BoxLike) -> TrackResult:
        """Begin to follow what is inside a box.

        Args:
            frame: `(H, W, 3)` uint8.
            box: left, top, width, height in pixels of the frame.

        Returns:
            The box as given, as frame 0 with score 1.

        Raises:
            FrameError: the frame is not `(H, W, 3)` uint8.
            BoxError: the box is not four finite numbers, has no area, or lies outside the frame.
            SettingsError: the calibration is of another network.
            TrackingError: another thread is in the midst of a call.
        """
        # A new one, and only kept if it accepts the box: a bad start leaves the old target.
        targets = MultiTracker(self._network, self.settings, color=self._color, following=self._following)
        id = targets.add(frame, box)
        self._targets, self._id = targets, id
        return targets.latest[id]

    @one_at_a_time
    def update(self, frame: Image) -> TrackResult:
        """Find the target in the next frame.

        A call that fails or is interrupted changes nothing: the same frame can be given again.

        Args:
            frame: `(H, W, 3)` uint8, of the size that `start` was given.

        Raises:
            TrackingError: `start` has not been called, or another thread is in the midst of a call.
            FrameError: the frame's type, shape or size is not that of the first one.
        """
        id = self._id
        if id is None:
            raise TrackingError("update() was called before start(frame, box): mark the target first")
        return self._targets.update(frame)[id]

    @one_at_a_time
    def update_ahead(self, frames: Sequence[Image]) -> list[TrackResult]:
        """Find the target in the next frame, and in as many of those after it as can be looked at with it.

        See `MultiTracker.update_ahead`: faster than `update` in films, whose next frames are at hand.

        Args:
            frames: at least one of `(H, W, 3)` uint8.

        Returns:
            A result for the first frame, and perhaps for some after it; give the others again.

        Raises:
            TrackingError: `start` has not been called, or another thread is in the midst of a call.
            FrameError: there is no frame, or the first one's type, shape or size is not that of those before.
        """
        id = self._id
        if id is None:
            raise TrackingError("update_ahead() was called before start(frame, box): mark the target first")
        return [results[id] for results in self._targets.update_ahead(frames)]

    def state(self) -> TrackerState:
        """All that is known between two frames, without the network: plain arrays, to be pickled.

        Raises:
            TrackingError: `start` has not been called, or the network's runtime cannot save its references.

        Example:
            >>> state = tracker.state()  # doctest: +SKIP
            >>> tracker = load_tracker().resume(pickle.loads(saved))  # doctest: +SKIP
        """
        if self._id is None:
            raise TrackingError("state() was called before start(frame, box): there is nothing to save yet")
        return self._targets.state()

    @one_at_a_time
    def resume(self, state: TrackerState) -> Self:
        """Go on from a saved state, as if there had been no break; returns the tracker itself.

        Raises:
            TrackingError: the state has not exactly one target, comes from other weights or settings, or the
                network's runtime cannot save references.
        """
        id = only_target(state)
        self._targets.resume(state)
        self._id = id
        return self

    @one_at_a_time
    def close(self) -> None:
        """Let the target go, as `MultiTracker.remove` does; also at the end of a `with`.

        Raises:
            TrackingError: another thread is in the midst of a call.
        """
        self._targets.close()
        self._id = None

    def __reduce__(self) -> NoReturn:
        self._targets.__reduce__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
