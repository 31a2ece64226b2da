"""Assemble trackers: names and paths in, ready objects out."""

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from aiatrack.api.networks import benchmark_precision, find_export, open_network
from aiatrack.boxes import BoxLike, FloatArray
from aiatrack.config import TrackingSettings, benchmark_tracking
from aiatrack.crop import Image
from aiatrack.errors import SettingsError
from aiatrack.tracking import AnyId, Color, MultiTracker, Network, TargetId, Tracker, TrackResult
from aiatrack.video import Upcoming, open_frames, read_ahead
from aiatrack.video.sources import SourceLike

_Result = TypeVar("_Result")


def load_tracker(
    model: str | Path = "lite",
    device: str = "auto",
    *,
    color: Color = "rgb",
    runtime: str = "auto",
    precision: str = "auto",
    benchmark: str | None = None,
    **tracking: Any,
) -> Tracker:
    """Build a tracker that is ready to `start`.

    Args:
        model: name of a shipped model (`lite`, `nano`, ...), path of a `.safetensors` file of ours, or folder
            written by `aiatrack export`.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, ...
        color: channel order of the frames it will be given: `rgb`, or `bgr` as OpenCV reads them.
        runtime: what computes the network: `auto`, `eager`, `compiled`, `openvino` or `onnx`.
        precision: what it computes in: `auto`, `float32`, `bf16` or `int8`. On CPUs that have bf16, `auto` is
            that.
        benchmark: take the paper's tracking settings for a benchmark, such as `lasot`, and float32 for
            `auto`; without one, presence is judged (`presence="judge"`).
        **tracking: single tracking settings to change, such as `ensemble_size=4` or `presence="on"`; see
            `TrackingSettings`.

    Raises:
        SettingsError: unknown model, device, runtime, precision, benchmark or setting, or one that an
            exported model cannot track by (`ensemble_size=0`).
        WeightsError: the model has no weights, or its file cannot be used.
        MissingExtraError: the runtime is not installed.

    Example:
        >>> tracker = load_tracker()  # doctest: +SKIP
        >>> tracker.start(frame, box=(120, 80, 64, 48))  # doctest: +SKIP
        >>> tracker.update(next_frame).box_xywh  # doctest: +SKIP
    """
    network, settings = _open(
        model, device, color, runtime=runtime, precision=precision, benchmark=benchmark, tracking=tracking
    )
    return Tracker(network, settings, color=color)


def load_multi_tracker(
    model: str | Path = "lite",
    device: str = "auto",
    *,
    color: Color = "rgb",
    runtime: str = "auto",
    precision: str = "auto",
    benchmark: str | None = None,
    **tracking: Any,
) -> MultiTracker:
    """Build a tracker of many targets, to `add` to; arguments and errors as in `load_tracker`.

    Example:
        >>> tracker = load_multi_tracker()  # doctest: +SKIP
        >>> car = tracker.add(frame, (120, 80, 64, 48))  # doctest: +SKIP
        >>> for id, result in tracker.update(next_frame).items():  # doctest: +SKIP
        ...     print(id, result.box_xywh)
    """
    network, settings = _open(
        model, device, color, runtime=runtime, precision=precision, benchmark=benchmark, tracking=tracking
    )
    return MultiTracker(network, settings, color=color)


def _open(
    model: str | Path,
    device: str,
    color: Color,
    *,
    runtime: str,
    precision: str,
    benchmark: str | None,
    tracking: dict[str, Any],
) -> tuple[Network, TrackingSettings]:
    """What a tracker is made of; arguments and errors as in `load_tracker`."""
    changes = check_tracking(model, color, benchmark, tracking)
    if benchmark is not None:
        precision = benchmark_precision(model, precision)
    settings, network = open_network(model, device, runtime=runtime, precision=precision)
    return network, settings.tracking.replace(**changes)


def check_tracking(
    model: str | Path, color: Color, benchmark: str | None, tracking: dict[str, Any]
) -> dict[str, Any]:
    """Changes to a model's tracking settings; what is wrong should not wait for the network to load."""
    if not isinstance(model, str | Path):
        raise SettingsError(f"a model is a name or the path of a file or folder; got {model!r}")
    if color not in get_args(Color):
        raise SettingsError(f"color is the channel order of the frames, 'rgb' or 'bgr'; got {color!r}")
    changes = default_changes(benchmark) | tracking
    TrackingSettings().replace(**changes)
    if (exported := find_export(model)) is not None:
        exported.check_tracking(exported.settings.tracking.replace(**changes))
    return changes


def refuse_color(tracking: Mapping[str, Any]) -> None:
    """Refuse a channel order where frames are opened here.

    Raises:
        SettingsError: there is one.
    """
    if "color" in tracking:
        raise SettingsError(
            "what opens a source takes no color, as films are decoded as RGB: convert frames of your own "
            '(frame[..., ::-1]), or give them to load_tracker(color="bgr")'
        )


def default_changes(benchmark: str | None = None) -> dict[str, Any]:
    """What `load_tracker` changes of a model's tracking settings if it is told no others.

    Raises:
        SettingsError: the paper has no settings for that benchmark.
    """
    # Judging changes no box. Benchmarks are run as the paper ran them, which judges nothing.
    return {"presence": "judge"} if benchmark is None else benchmark_tracking(benchmark)


def track(
    source: SourceLike,
    box: BoxLike,
    *,
    model: str | Path = "lite",
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
    look_ahead: int = 1,
    benchmark: str | None = None,
    **tracking: Any,
) -> Generator[TrackResult, None, None]:
    """Follow what is inside a box through a film, folder, camera, stream or iterable of RGB frames.

    The source is closed with the generator: at its end, by `close()`, or when it is no longer referred to.

    Args:
        source: whatever `aiatrack.open_frames` takes.
        box: left, top, width, height in the first frame, px.
        model: as in `load_tracker`.
        device: as in `load_tracker`.
        runtime: as in `load_tracker`.
        precision: as in `load_tracker`.
        start_s: time of the first frame, where the box is, in seconds.
        end_s: stop before this time, in seconds.
        look_ahead: frames of a film that may go through the network together, which is faster; see
            `MultiTracker.update_ahead`. With 1, results are those of a loop around `update`.
        benchmark: as in `load_tracker`.
        **tracking: as in `load_tracker`.

    Yields:
        One result a frame, the first being the box as given. `frame_index` counts from the first frame
        followed, also after `start_s`.

    Raises:
        AiATrackError: whatever is wrong with source, box or model; nothing is opened or loaded before the
            first result is asked for.

    Example:
        >>> for result in track("street.mp4", box=(120, 80, 64, 48)):  # doctest: +SKIP
        ...     print(result.frame_index, result.box_xywh)
    """
    refuse_color(tracking)
    with read_ahead(open_frames(source, start_s=start_s, end_s=end_s)) as frames:
        upcoming = Upcoming(frames, look_ahead)
        first = next(frames)
        tracker = load_tracker(
            model, device, runtime=runtime, precision=precision, benchmark=benchmark, **tracking
        )
        yield tracker.start(first.image, box)
        yield from _follow(tracker.update_ahead, upcoming)


def track_many(
    source: SourceLike,
    boxes: Mapping[AnyId, BoxLike] | Sequence[BoxLike] | FloatArray,
    *,
    model: str | Path = "lite",
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
    look_ahead: int = 1,
    benchmark: str | None = None,
    **tracking: Any,
) -> Generator[dict[TargetId, TrackResult], None, None]:
    """Follow several targets through a film, folder, camera, stream or iterable in one pass; see `track`.

    For targets that come and go, use `load_multi_tracker` in a loop of your own.

    Args:
        source: as in `track`.
        boxes: left, top, width, height of each target in the first frame, px: by id, a number or a name, or
            one after the other, which numbers targets from 1.
        model: as in `load_tracker`.
        device: as in `load_tracker`.
        runtime: as in `load_tracker`.
        precision: as in `load_tracker`.
        start_s: as in `track`.
        end_s: as in `track`.
        look_ahead: as in `track`.
        benchmark: as in `load_tracker`.
        **tracking: as in `load_tracker`.

    Yields:
        A result for each id, frame after frame, the first being the boxes as given.

    Raises:
        AiATrackError: as in `track`.

    Example:
        >>> boxes = {"car": (120, 80, 64, 48), "dog": (300, 90, 40, 40)}  # doctest: +SKIP
        >>> for results in track_many("street.mp4", boxes):  # doctest: +SKIP
        ...     print(results["car"].box_xywh, results["dog"].state)
    """
    refuse_color(tracking)
    with read_ahead(open_frames(source, start_s=start_s, end_s=end_s)) as frames:
        upcoming = Upcoming(frames, look_ahead)
        first = next(frames)
        tracker = load_multi_tracker(
            model, device, runtime=runtime, precision=precision, benchmark=benchmark, **tracking
        )
        # By their ids whatever has some: a pandas Series is no Mapping.
        marked = boxes.items() if hasattr(boxes, "items") else enumerate(boxes, start=1)
        for target_id, box in marked:
            tracker.add(first.image, box, target_id)
        yield dict(tracker.latest)
        yield from _follow(tracker.update_ahead, upcoming)


def _follow(
    update_ahead: Callable[[Sequence[Image]], list[_Result]], upcoming: Upcoming
) -> Generator[_Result, None, None]:
    while frames := upcoming.peek():
        found = update_ahead([frame.image for frame in frames])
        upcoming.take(len(found))
        yield from found
