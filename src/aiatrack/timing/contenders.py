"""Who is timed: our models in every runtime asked for, and trackers of others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from aiatrack.api import decide_runtime, device_type, find_weights, open_network
from aiatrack.config import TrackingSettings, load_preset, preset_names
from aiatrack.crop import Image
from aiatrack.errors import MissingExtraError, SettingsError, WeightsError
from aiatrack.evaluation.running import SequenceTracker, TrackerFactory, parse_tracker
from aiatrack.paths import is_file, is_folder
from aiatrack.runtimes.choice import parse_precision, parse_runtime
from aiatrack.timing.film import Box
from aiatrack.timing.stages import StageClock, TimedNetwork
from aiatrack.tracking import MultiTracker, Network


class Follower(Protocol):
    """Follows some targets; `start` may be called again."""

    def start(self, frame: Image, boxes: Sequence[Box]) -> None:
        """Begin with what is inside some boxes."""

    def update(self, frame: Image) -> None:
        """Find the targets in the next frame."""

    def update_ahead(self, frames: Sequence[Image]) -> int:
        """Find the targets in the next frame and perhaps in some after it; returns in how many."""


@dataclass(frozen=True)
class Contender:
    """Something to be timed.

    Attributes:
        name: of a model or another tracker.
        runtime: what runs it.
        precision: of its arithmetic.
        targets: how many it follows.
        look_ahead: frames of the film that it may look at together; from two on, only the film is timed.
        follower: does the work; None where it cannot be had.
        staged: the same with its stages on `clock`; None where there are none to be seen.
        clock: of the stages.
        note: what a reader must know; why it cannot be had.
    """

    name: str
    runtime: str
    precision: str
    targets: int
    follower: Follower | None = None
    staged: Follower | None = None
    clock: StageClock | None = None
    note: str = ""
    look_ahead: int = 1

    @property
    def title(self) -> str:
        """Name, runtime, number of targets and of frames together, for progress and notes."""
        words = [word for word in (self.name, self.runtime, self.precision) if word != "-"]
        targets = f", {self.targets} targets" if self.targets > 1 else ""
        ahead = f", {self.look_ahead} frames together" if self.look_ahead > 1 else ""
        return " ".join(words) + targets + ahead


class _ModelFollower:
    def __init__(self, network: Network, settings: TrackingSettings) -> None:
        self._network = network
        self._settings = settings

    def start(self, frame: Image, boxes: Sequence[Box]) -> None:
        self._tracker = MultiTracker(self._network, self._settings)
        for box in boxes:
            self._tracker.add(frame, box)

    def update(self, frame: Image) -> None:
        self._tracker.update(frame)

    def update_ahead(self, frames: Sequence[Image]) -> int:
        return len(self._tracker.update_ahead(frames))


class _PeerFollower:
    """Follows each target with a tracker of its own, as peers do."""

    def __init__(self, factory: TrackerFactory) -> None:
        self._factory = factory
        self._trackers: list[SequenceTracker] = []

    def start(self, frame: Image, boxes: Sequence[Box]) -> None:
        while len(self._trackers) < len(boxes):
            self._trackers.append(self._factory.build())
        for tracker, box in zip(self._trackers, boxes, strict=False):
            tracker.start(frame, box)

    def update(self, frame: Image) -> None:
        for tracker in self._trackers:
            tracker.update(frame)

    def update_ahead(self, frames: Sequence[Image]) -> int:
        self.update(frames[0])
        return 1


def enter_models(
    models: Sequence[str],
    runtimes: Sequence[str],
    precisions: Sequence[str],
    targets: Sequence[int],
    look_aheads: Sequence[int] = (1,),
    *,
    device: str,
    folder: Path,
    tracking: Mapping[str, Any] | None = None,
) -> list[Contender]:
    """Load every model in every runtime and precision; what is not installed stays as a note.

    A preset without weights gets random ones: its speed is the same, its boxes mean nothing.

    Args:
        models: names or weights files.
        runtimes: as in `load_tracker`.
        precisions: as in `load_tracker`.
        targets: numbers of targets.
        look_aheads: numbers of frames that may be looked at together.
        device: as in `load_tracker`.
        folder: for random weights, to be deleted once all is over.
        tracking: single tracking settings to change.

    Raises:
        SettingsError: unknown model, runtime, precision, device or tracking setting.
        WeightsError: a weights file cannot be used.
    """
    changes = dict(tracking or {})
    TrackingSettings().replace(**changes)
    device_type(device)  # no such device is a mistake, not a combination that happens not to exist
    entered = []
    for model in models:
        weights, note = _weights_or_random(model, folder)
        for runtime in runtimes:
            for precision in precisions:
                opening = _Opening(model, weights, runtime, precision, device, changes)
                entered += opening.contenders(targets, look_aheads, note)
    return entered


def enter_peers(names: Sequence[str], targets: Sequence[int]) -> list[Contender]:
    """OpenCV's trackers, such as `csrt`, `kcf`, `nano:FOLDER`; those not built in stay as a note.

    Raises:
        SettingsError: there is no such tracker.
        DataError: its model files are missing.
    """
    entered = []
    for name in names:
        factory = parse_tracker(f"opencv:{name}")
        try:
            factory.describe()
        except MissingExtraError as error:
            entered.append(Contender(factory.name, "opencv", "-", targets[0], note=f"not available: {error}"))
            continue
        entered += [Contender(factory.name, "opencv", "-", n, _PeerFollower(factory)) for n in targets]
    return entered


@dataclass(frozen=True)
class _Opening:
    model: str
    weights: Path
    runtime: str
    precision: str
    device: str
    tracking: dict[str, Any]

    def contenders(self, targets: Sequence[int], look_aheads: Sequence[int], note: str) -> list[Contender]:
        name = Path(self.model).stem if is_file(self.weights) else Path(self.model).name
        runtime, precision = parse_runtime(self.runtime), parse_precision(self.precision)
        try:
            labels = self._labels()
            settings, network = open_network(
                self.weights, self.device, runtime=self.runtime, precision=self.precision
            )
        except (MissingExtraError, SettingsError) as error:
            # Of all runtimes times all precisions, some do not exist, here or at all: that is worth a line.
            asked = (runtime.value if runtime else "auto", precision.value if precision else "auto")
            return [Contender(name, *asked, targets[0], note=f"not available: {error}")]
        clock = StageClock(_waiting_for(self.device))
        followed = settings.tracking.replace(**self.tracking)
        plain = _ModelFollower(network, followed)
        staged = _ModelFollower(TimedNetwork(network, clock), followed)
        return [
            Contender(name, *labels, count, plain, staged, clock, note, look_ahead)
            for count, look_ahead in product(targets, look_aheads)
        ]

    def _labels(self) -> tuple[str, str]:
        """What `auto` means; an exported folder knows by itself what it is for."""
        if is_folder(self.weights):
            return self.runtime, self.precision
        choice = decide_runtime(self.device, runtime=self.runtime, precision=self.precision)
        return choice.runtime.value, choice.precision.value


def _waiting_for(device: str) -> Callable[[], object] | None:
    if device_type(device) != "cuda":
        return None
    import torch

    return torch.cuda.synchronize


def _weights_or_random(model: str, folder: Path) -> tuple[Path, str]:
    try:
        return find_weights(model), ""
    except WeightsError:
        if model not in preset_names():
            raise
    import torch

    from aiatrack.model import build_network, save_weights

    settings = load_preset(model)
    path = folder / f"{model}.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # runtimes that keep what they compiled know it again by its numbers
        state = build_network(settings.network).state_dict()
        state["iou_head.output.bias"].fill_(1)  # sure of itself: only then is anything remembered
        save_weights(path, state, settings)
    return path, "random weights: the speed is the same, the boxes mean nothing"
