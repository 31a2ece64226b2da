"""Export models: names and paths in, folders of graphs out."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aiatrack.api.networks import find_weights, with_calibration
from aiatrack.errors import SettingsError
from aiatrack.paths import expand_home
from aiatrack.runtimes.choice import Precision, parse_precision
from aiatrack.runtimes.exported import ExportedNetwork, ExportFormat

if TYPE_CHECKING:
    from aiatrack.runtimes.calibration import Clip

_PRECISIONS = {
    ExportFormat.ONNX: (Precision.FLOAT32,),
    ExportFormat.OPENVINO: (Precision.FLOAT32, Precision.BF16, Precision.INT8),
    ExportFormat.TORCH: (Precision.FLOAT32,),
}
_SYNTHETIC_CLIPS = 12
_FRAMES_PER_CLIP = 25


def export(
    model: str | Path,
    folder: str | Path,
    *,
    format: str = "onnx",
    precision: str = "float32",
    calibrate: Sequence[tuple[str | Path, Sequence[float]]] = (),
    overwrite: bool = False,
) -> dict[str, float]:
    """Write a model as graphs that run without this package, and check them against PyTorch.

    Args:
        model: name of a shipped model, or path of a weights file.
        folder: to write; it appears whole or not at all.
        format: `onnx`, `openvino` or `torch`.
        precision: `float32`; for `openvino` also `bf16` or `int8`.
        calibrate: for int8: films, or whatever `aiatrack.open_frames` takes, and the target's box in the
            first frame of each, all of which count alike; synthetic films if there are none.
        overwrite: replace an earlier export.

    Returns:
        How far the graphs are from PyTorch, by `GRAPH.OUTPUT`, relative to their range: on random inputs,
        int8 on frames that it was not calibrated with.

    Raises:
        SettingsError: unknown model, format or precision, or a precision that the format does not have.
        WeightsError: the weights cannot be used.
        MissingExtraError: a package is not installed.
        OutputError: the folder exists or cannot be written, or the graphs say something else than PyTorch.

    Example:
        >>> export("lite", "lite-onnx")  # doctest: +SKIP
        >>> load_tracker("lite-onnx")  # doctest: +SKIP
    """
    chosen_format, chosen_precision = _parse(format, precision)
    if calibrate and chosen_precision is not Precision.INT8:
        raise SettingsError("only int8 is calibrated: say precision int8, or give nothing to calibrate with")
    weights = find_weights(model)
    from aiatrack.model import load_network
    from aiatrack.runtimes.export import check_target, export_network, require_packages

    target = expand_home(folder)
    check_target(target, overwrite=overwrite)
    require_packages(chosen_format, chosen_precision)  # calibrating takes minutes
    settings, network = load_network(weights)
    # The calibration with them: from the folder, nobody could tell which one it needs.
    settings = with_calibration(model, settings)
    samples = None
    if chosen_precision is Precision.INT8:
        from aiatrack.runtimes.calibration import gather_samples

        clips = _film_clips(calibrate) if calibrate else _synthetic_clips()
        samples = gather_samples(network, settings, clips, count=len(calibrate) or _SYNTHETIC_CLIPS)
    return export_network(
        network,
        ExportedNetwork(target, chosen_format, chosen_precision, settings),
        samples=samples,
        overwrite=overwrite,
        facts={"model": str(model), "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()},
    )


def _parse(format: str, precision: str) -> tuple[ExportFormat, Precision]:
    if format not in list(ExportFormat):
        raise SettingsError(
            f"unknown format {format!r}: choose {', '.join(one.value for one in ExportFormat)}"
        )
    chosen = parse_precision(precision) or Precision.FLOAT32
    possible = _PRECISIONS[ExportFormat(format)]
    if chosen not in possible:
        raise SettingsError(
            f"format {format} is written in {', '.join(one.value for one in possible)}; got {chosen.value}: "
            "choose another precision, or format openvino"
        )
    return ExportFormat(format), chosen


def _film_clips(films: Sequence[tuple[str | Path, Sequence[float]]]) -> Iterator["Clip"]:
    from aiatrack.video import open_frames

    for source, box in films:
        with open_frames(source) as frames:
            yield box, (frame.image for frame in frames)


def _synthetic_clips() -> Iterator["Clip"]:
    """Films of our own data generator: textured targets among their like, moving camera, blur, noise."""
    from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings

    for seed in range(_SYNTHETIC_CLIPS):
        world = SyntheticWorld(
            SyntheticWorldSettings(
                seed=1000 + seed,
                width=480,
                height=360,
                frames=_FRAMES_PER_CLIP,
                speed=0.5,
                distractors=seed % 4,
                camera_motion=0.4,
            )
        )
        yield world.boxes_xywh(0)[0].tolist(), (frame.image for frame in world)
