"""Assemble trackers: names and paths in, ready objects out."""

from collections.abc import Generator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from aiatrack.config import ModelSettings, TrackingSettings, benchmark_tracking, load_preset, preset_names
from aiatrack.errors import SettingsError, WeightsError
from aiatrack.tracking import Color, MultiTracker, Network, TargetId, Tracker, TrackResult
from aiatrack.video import open_frames, read_ahead
from aiatrack.video.sources import SourceLike


def load_tracker(
    model: str | Path = "lite",
    device: str = "auto",
    *,
    color: Color = "rgb",
    benchmark: str | None = None,
    **tracking: Any,
) -> Tracker:
    """Build a tracker that is ready to `start`.

    Args:
        model: name of a shipped model (`lite`, `nano`, ...) or path of a `.safetensors` file of ours.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, ...
        color: channel order of the frames it will be given: `rgb`, or `bgr` as OpenCV reads them.
        benchmark: take the paper's tracking settings for a benchmark, such as `lasot`.
        **tracking: single tracking settings to change, such as `ensemble_size=4`; see `TrackingSettings`.

    Raises:
        SettingsError: unknown model, device, benchmark or setting.
        WeightsError: the model has no weights, or its file cannot be used.

    Example:
        >>> tracker = load_tracker()  # doctest: +SKIP
        >>> tracker.start(frame, box=(120, 80, 64, 48))  # doctest: +SKIP
        >>> tracker.update(next_frame).box_xywh  # doctest: +SKIP
    """
    network, settings = _prepare(model, device, color, benchmark, tracking)
    return Tracker(network, settings, color=color)


def load_multi_tracker(
    model: str | Path = "lite",
    device: str = "auto",
    *,
    color: Color = "rgb",
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
    network, settings = _prepare(model, device, color, benchmark, tracking)
    return MultiTracker(network, settings, color=color)


def _prepare(
    model: str | Path, device: str, color: Color, benchmark: str | None, tracking: dict[str, Any]
) -> tuple[Network, TrackingSettings]:
    """Load a network; settings are checked before it."""
    if color not in get_args(Color):
        raise SettingsError(f"color is the channel order of the frames, 'rgb' or 'bgr'; got {color!r}")
    changes = ({} if benchmark is None else benchmark_tracking(benchmark)) | tracking
    TrackingSettings().replace(**changes)  # a wrong name should not wait for the network to load
    settings, network = open_network(model, device)
    return network, settings.tracking.replace(**changes)


def track(
    source: SourceLike,
    box: Sequence[float],
    *,
    model: str | Path = "lite",
    device: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
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
        start_s: time of the first frame, where the box is, in seconds.
        end_s: stop before this time, in seconds.
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
    with read_ahead(open_frames(source, start_s=start_s, end_s=end_s)) as frames:
        first = next(frames)
        tracker = load_tracker(model, device, benchmark=benchmark, **tracking)
        yield tracker.start(first.image, box)
        for frame in frames:
            yield tracker.update(frame.image)


def track_many(
    source: SourceLike,
    boxes: Mapping[TargetId, Sequence[float]] | Sequence[Sequence[float]],
    *,
    model: str | Path = "lite",
    device: str = "auto",
    start_s: float | None = None,
    end_s: float | None = None,
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
        start_s: as in `track`.
        end_s: as in `track`.
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
    with read_ahead(open_frames(source, start_s=start_s, end_s=end_s)) as frames:
        first = next(frames)
        tracker = load_multi_tracker(model, device, benchmark=benchmark, **tracking)
        marked = boxes.items() if isinstance(boxes, Mapping) else enumerate(boxes, start=1)
        for target_id, box in marked:
            tracker.add(first.image, box, target_id)
        yield dict(tracker.latest)
        for frame in frames:
            yield tracker.update(frame.image)


def open_network(model: str | Path, device: str = "auto") -> tuple[ModelSettings, Network]:
    """Load a model onto a device, behind the three verbs of tracking.

    Raises:
        SettingsError: unknown model or device.
        WeightsError: the model has no weights, or its file cannot be used.
    """
    # PyTorch takes a second to import; what needs no network should not wait for it.
    from aiatrack.model import load_network
    from aiatrack.runtimes import EagerNetwork

    chosen = select_device(device)
    settings, network = load_network(find_weights(model))
    return settings, EagerNetwork(network, chosen)


def find_weights(model: str | Path) -> Path:
    """Return the weights file of a shipped model, or the path that was given instead.

    Raises:
        SettingsError: neither a shipped model nor a file.
        WeightsError: a model without shipped weights; the message says how to get some.
    """
    if str(model) not in preset_names():
        if Path(model).suffix or Path(model).exists():
            return Path(model)
        load_preset(str(model))  # raises, naming those that exist
    shipped = Path(str(resources.files("aiatrack") / "weights" / f"{model}.safetensors"))
    if shipped.is_file():
        return shipped
    raise WeightsError(
        f"model {model} ships no weights: convert a published checkpoint with `aiatrack convert CHECKPOINT "
        f"-o {model}.safetensors`, or train one, and give the file instead of the name"
    )


def read_model_settings(model: str | Path) -> ModelSettings:
    """Settings of a shipped model or of a weights file.

    Raises:
        SettingsError: neither a shipped model nor a file.
        WeightsError: the file cannot be read.
    """
    if str(model) in preset_names():
        return load_preset(str(model))
    from aiatrack.model import load_weights

    return load_weights(find_weights(model))[0]


def select_device(name: str) -> Any:
    """Turn a device's name into a `torch.device` that exists.

    Raises:
        SettingsError: no such device on this machine.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError, TypeError) as error:
        reason = str(error).partition(". ")[0]
        raise SettingsError(
            f"cannot use device {name!r} here ({reason}): choose auto, cpu, or one that this machine has"
        ) from error
    if device.type == "meta":
        raise SettingsError("the meta device holds no numbers: choose auto, cpu or cuda")
    return device
