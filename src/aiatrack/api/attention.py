"""Where a network looks while it tracks: arrays for those who compute, pictures for those who look."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aiatrack.api.networks import find_export, find_weights, select_device, with_calibration
from aiatrack.api.tracking import check_tracking, refuse_color
from aiatrack.boxes import BoxLike
from aiatrack.config import TrackingSettings
from aiatrack.crop import Image
from aiatrack.errors import SettingsError
from aiatrack.tracking import Color, Tracker, TrackResult
from aiatrack.video import open_frames, read_ahead
from aiatrack.video.sources import SourceLike

if TYPE_CHECKING:
    from aiatrack.runtimes.watched import Observation, WatchedNetwork


@dataclass(frozen=True, slots=True)
class AttentionView:
    """What was found in a frame, and where the network looked for it.

    Attributes:
        result: as of any tracker.
        observation: the maps themselves; see `aiatrack.runtimes.watched.Observation`.
    """

    result: TrackResult
    observation: "Observation"

    def draw(self, point: Sequence[float] = (0.5, 0.5), *, first_frame: int = 0) -> npt.NDArray[np.uint8]:
        """A sheet: what was found, and where one token of it looks, before and after refinement.

        First row: the search region with the box; the probability of each cell to be a corner; how much of
        the attention of each token goes to the marked target, in the first frame and later. Second row: what
        the token under the cross draws from, in the search region itself (a layer of the encoder each) and
        in the references. Third row: what it would draw from if the correlation map were not refined. Both
        maps of a column have one scale; all are means over heads.

        Args:
            point: the token, as shares of the box that was found: `(0.5, 0.5)` is its middle, `(0.5, 1)` the
                middle of its lower edge. What lies outside the search region becomes its border.
            first_frame: number of the frame in which the target was marked; captions count from there.

        Returns:
            `(H, W, 3)` uint8 RGB, of one size for all frames of a film.

        Raises:
            SettingsError: the point is not two finite numbers.
        """
        from aiatrack.api.attention_sheet import draw_sheet

        return draw_sheet(self.result, self.observation, point, first_frame)


class WatchedTracker:
    """Follows one target as `Tracker` does, and says where the network looked; slow.

    Args:
        network: that is watched.
        settings: how to track.
        color: channel order of the frames.
    """

    def __init__(self, network: "WatchedNetwork", settings: TrackingSettings, color: Color) -> None:
        self._network = network
        self._tracker = Tracker(network, settings, color=color)
        self._frame_index = 0

    def start(self, frame: Image, box: BoxLike) -> TrackResult:
        """Begin to follow what is inside a box; as `Tracker.start`."""
        self._network.frame_number = 0
        result = self._tracker.start(frame, box)
        self._frame_index = result.frame_index
        return result

    def update(self, frame: Image) -> AttentionView:
        """Find the target in the next frame; arguments and errors as in `Tracker.update`."""
        self._network.frame_number = self._frame_index + 1
        result = self._tracker.update(frame)
        self._frame_index = result.frame_index
        return AttentionView(result, self._network.observation)


def load_watched_tracker(
    model: str | Path = "lite",
    device: str = "auto",
    *,
    color: Color = "rgb",
    benchmark: str | None = None,
    **tracking: Any,
) -> WatchedTracker:
    """Build a tracker that says where its network looks.

    The network is computed by PyTorch, in float32, and attention twice: this is for looking, not for speed.

    Args:
        model: name of a shipped model or path of a weights file; an exported folder has no attention left.
        device: as in `load_tracker`.
        color: as in `load_tracker`.
        benchmark: as in `load_tracker`.
        **tracking: as in `load_tracker`, but for `presence="on"`, which looks in several places at once.

    Raises:
        SettingsError: as in `load_tracker`; an exported folder, or `presence="on"`.
        WeightsError: the model has no weights, or its file cannot be used.
    """
    changes = check_tracking(model, color, benchmark, tracking)
    if find_export(model) is not None:
        raise SettingsError(
            f"{model} is an exported folder, whose graphs give boxes and no attention: give the weights file"
        )
    weights = find_weights(model)
    from aiatrack.model import load_network
    from aiatrack.runtimes.watched import WatchedNetwork

    stored, module = load_network(weights)
    settings = with_calibration(model, stored).tracking.replace(**changes)
    if settings.presence == "on":
        raise SettingsError(
            'attention is watched in one region a frame, and presence="on" looks in several: leave it out, '
            'or choose "judge" or "off"'
        )
    return WatchedTracker(WatchedNetwork(module, select_device(device)), settings, color)


def watch_attention(
    source: SourceLike,
    box: BoxLike,
    *,
    model: str | Path = "lite",
    device: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
    benchmark: str | None = None,
    **tracking: Any,
) -> Generator[AttentionView, None, None]:
    """Follow what is inside a box as `track` does, and keep where the network looks.

    Args:
        source: whatever `aiatrack.open_frames` takes.
        box: left, top, width, height in the first frame, px.
        model: as in `load_watched_tracker`.
        device: as in `load_tracker`.
        start_s: time of the first frame, where the box is, in seconds.
        end_s: stop before this time, in seconds.
        benchmark: as in `load_tracker`.
        **tracking: as in `load_watched_tracker`.

    Yields:
        A view of each frame after the first one, in which nothing is looked for.

    Raises:
        AiATrackError: whatever is wrong with source, box or model.

    Example:
        >>> for view in watch_attention("street.mp4", box=(120, 80, 64, 48)):  # doctest: +SKIP
        ...     first_frame = view.observation.references[0]
        ...     print(view.result.frame_index, first_frame.attention.refined.mean(axis=0).shape)
    """
    refuse_color(tracking)
    with read_ahead(open_frames(source, start_s=start_s, end_s=end_s)) as frames:
        first = next(frames)
        tracker = load_watched_tracker(model, device, benchmark=benchmark, **tracking)
        tracker.start(first.image, box)
        for frame in frames:
            yield tracker.update(frame.image)
