"""Assemble training runs: data, network, validation by tracking, pictures and logs."""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import cv2
import torch
import yaml
from torch import Tensor

from aiatrack.api.networks import find_weights
from aiatrack.atomic_files import replace_file, write_text
from aiatrack.boxes import xyxy_to_xywh
from aiatrack.config import TrackingSettings, TrainingSettings, preset_names
from aiatrack.config.training import FrozenPart
from aiatrack.data import SampleBatch, ValidationClip, check_sources, validation_clips
from aiatrack.errors import OutputError, SettingsError, TrainingError
from aiatrack.evaluation.running import validate_tracker
from aiatrack.model import AiATrack
from aiatrack.paths import AnyPath, expand_home, is_folder
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import Tracker
from aiatrack.training import (
    CorpusStream,
    MetricsJournal,
    Observer,
    PlanProgress,
    Surroundings,
    TensorBoardLog,
    TrainingPlan,
    TrainingRun,
    TrainingWarning,
    build_initial_network,
    plan_training,
)
from aiatrack.visualization import draw_samples

_TRUTH_AND_PREDICTION = ((255, 255, 255), (0, 220, 110))


def open_training_run(
    settings: TrainingSettings, folder: AnyPath, *, resume: bool = False, observers: Sequence[Observer] = ()
) -> TrainingRun:
    """Prepare a run; its `run()` trains.

    The folder gets `settings.yaml`, `metrics.jsonl`, TensorBoard logs if that is installed, checkpoints,
    pictures and weights. A `TrainingWarning` says if there are no clips for a validation that is wanted, if
    a part of the network stays at random weights, and which settings a run is resumed with that differ from
    its own.

    Args:
        settings: of the run. `init` may name a shipped model.
        folder: of this run alone.
        resume: go on from the newest checkpoint in the folder.
        observers: told of what happens, besides the logs.

    Raises:
        TrainingError: `resume` without a checkpoint, or from one beyond the last step of the settings; or a
            folder with checkpoints without `resume`.
        DataError: a source cannot be read, or a clip for validation cannot be tracked.
        OutputError: the folder cannot be written.
        AiATrackError: whatever is wrong with the settings, the weights to start from, or a package missing.
    """
    _check_best_metric(settings)
    _warn_of_random_frozen_part(settings)
    check_sources(settings.data)
    folder = expand_home(folder)
    _check_folder(folder, resume=resume)
    network = build_initial_network(_with_packaged_weights(settings))
    logs: list[Observer] = [
        SettingsFile(folder / "settings.yaml", settings),
        MetricsJournal(folder / "metrics.jsonl"),
    ]
    if find_spec("tensorboard") is not None:
        logs.append(TensorBoardLog(folder / "tensorboard"))
    surroundings = Surroundings(
        batches=CorpusStream(settings),
        validate=_open_validation(settings),
        write_pictures=write_pictures,
        observers=(*logs, *observers),
    )
    run = TrainingRun(settings, network, folder, surroundings)
    if resume:
        run.resume()
    return run


def plan_training_run(settings: TrainingSettings, progress: PlanProgress | None = None) -> TrainingPlan:
    """Train for a few steps, keep nothing, and say what the whole run would take.

    Args:
        settings: of the run.
        progress: told before every step, with those taken and those to take, and after the last.

    Raises:
        AiATrackError: as `open_training_run`.
    """
    _check_best_metric(settings)
    _warn_of_random_frozen_part(settings)
    check_sources(settings.data)
    network = build_initial_network(_with_packaged_weights(settings))
    return plan_training(settings, network, CorpusStream(settings), progress=progress)


class SettingsFile(Observer):
    """Writes a run's settings once it has the folder to itself."""

    def __init__(self, path: Path, settings: TrainingSettings) -> None:
        self._path = path
        self._settings = settings

    def on_start(self, step: int, steps: int) -> None:
        """Write or replace the file."""
        plain = self._settings.model_dump(mode="json")
        write_text(self._path, yaml.safe_dump(plain, sort_keys=False))


@dataclass(frozen=True)
class TrackingValidation:
    """Scores a network in training by tracking clips that were kept from training."""

    scores: ClassVar[tuple[str, ...]] = ("auc",)
    """Names of what it returns."""
    tracking: TrackingSettings
    clips: Sequence[ValidationClip]

    def __call__(self, network: AiATrack) -> dict[str, float]:
        """Return the success AUC of tracking, as `auc`.

        Args:
            network: on any device; not changed.
        """
        device = next(network.parameters()).device
        # The runtime folds norms and switches to evaluation: not in the network that is being trained.
        runtime = EagerNetwork(copy.deepcopy(network), device)
        scored = validate_tracker(lambda: Tracker(runtime, self.tracking), self.clips)
        return {"auc": scored.success_auc}


def write_pictures(path: Path, batch: SampleBatch, predicted_xyxy: Tensor) -> None:
    """Write a sheet of search regions: the true box in white, the predicted one in green.

    Args:
        path: of the PNG file.
        batch: B samples, on the CPU.
        predicted_xyxy: `(B, 4)` or more rows, of which the first B count, normalised to the crop.

    Raises:
        OutputError: the file cannot be written.
    """
    crops = batch.search_crops.numpy()
    boxes = torch.stack((batch.search_boxes_xywh, xyxy_to_xywh(predicted_xyxy[: len(crops)])), dim=1)
    sheet = draw_samples(crops, boxes.numpy(), colors=_TRUTH_AND_PREDICTION)
    with replace_file(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())


def _open_validation(settings: TrainingSettings) -> TrackingValidation | None:
    if not settings.log.validate_every_steps:
        return None
    clips = validation_clips(settings.data)
    if not clips:
        warnings.warn(
            "no validation: the sources keep no clips for it; raise data.validation_clip_share or add a "
            "source with video if you want one",
            TrainingWarning,
            stacklevel=3,
        )
        return None
    return TrackingValidation(settings.model_settings().tracking, clips)


def _warn_of_random_frozen_part(settings: TrainingSettings) -> None:
    frozen = settings.optimizer.frozen
    if settings.init == "random" and frozen is not FrozenPart.NOTHING:
        warnings.warn(
            f"init is random and optimizer.frozen is {frozen.value}: what is frozen stays at random weights; "
            "set optimizer.frozen to nothing, or init to imagenet or to weights",
            TrainingWarning,
            stacklevel=3,
        )


def _check_best_metric(settings: TrainingSettings) -> None:
    """Refuse before the first step what would end the run at its first validation."""
    if settings.log.validate_every_steps and settings.log.best_metric not in TrackingValidation.scores:
        raise SettingsError(
            f"log.best_metric: expected {' or '.join(TrackingValidation.scores)}, which is what the "
            f"validation gives, got {settings.log.best_metric!r}"
        )


def _with_packaged_weights(settings: TrainingSettings) -> TrainingSettings:
    """Turn the name of a shipped model to start from into the path of its weights."""
    if settings.init not in preset_names():
        return settings
    return settings.replace(init=str(find_weights(settings.init)))


def _check_folder(folder: Path, *, resume: bool) -> None:
    checkpoints = folder / "checkpoints"
    has_checkpoints = is_folder(checkpoints) and any(checkpoints.glob("*.pt"))
    if has_checkpoints and not resume:
        raise TrainingError(f"{folder} holds a run already: go on with --resume, or choose another folder")
    if resume and not has_checkpoints:
        raise TrainingError(f"there is no checkpoint in {folder} to resume from: leave out --resume to start")
    if resume and not any(checkpoints.glob("step_*.pt")):
        raise TrainingError(
            f"{checkpoints} holds best.pt alone, and a run is resumed from step_*.pt: start another one in "
            f"another folder, from its weights, with --init {folder / 'best.safetensors'}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {folder}: {error.strerror}") from error
