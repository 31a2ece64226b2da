"""Networks by name: find their weights, decide what computes them, put them behind the three verbs."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiatrack.config import (
    ModelSettings,
    load_preset,
    own_calibration,
    preset_names,
    read_stored_settings,
)
from aiatrack.errors import SettingsError, WeightsError
from aiatrack.paths import exists, expand_home, is_file, why_unreachable
from aiatrack.runtimes.choice import Runtime, RuntimeChoice, choose_runtime
from aiatrack.runtimes.exported import ExportedNetwork, choose_exported, is_exported, read_export
from aiatrack.tracking import Network

if TYPE_CHECKING:
    from aiatrack.model import AiATrack

# Where a driver for PyTorch's GPUs would show: Nvidia's, that of Windows' subsystem, AMD's, Windows'.
_GPU_TRACES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd", "C:/Windows/System32/nvcuda.dll")


def open_network(
    model: str | Path, device: str = "auto", *, runtime: str = "auto", precision: str = "auto"
) -> tuple[ModelSettings, Network]:
    """Load a model behind the three verbs of tracking.

    Args:
        model: name of a shipped model, path of a weights file, or folder written by `aiatrack export`.
        device: `auto`, `cpu`, `cuda`, ...
        runtime: `auto`, `eager`, `compiled`, `openvino` or `onnx`; docs/export.md says what `auto` chooses.
        precision: `auto`, `float32`, `bf16` or `int8`.

    Raises:
        SettingsError: unknown model, device, runtime or precision, or some that do not go together.
        WeightsError: the model has no weights, or its file cannot be used.
        MissingExtraError: the runtime is not installed.
    """
    if (exported := find_export(model)) is not None:
        return _open_exported(exported, device, runtime, precision)
    weights = find_weights(model)
    choice = decide_runtime(device, runtime=runtime, precision=precision)
    settings = with_calibration(model, read_stored_settings(weights))
    if choice.runtime is Runtime.OPENVINO:
        return settings, _open_openvino(weights, settings, choice)
    # PyTorch takes a second to import; what needs no network should not wait for it.
    from aiatrack.runtimes.torch_networks import run_module

    return settings, run_module(_load(weights), select_device(device), choice)


def decide_runtime(device: str = "auto", *, runtime: str = "auto", precision: str = "auto") -> RuntimeChoice:
    """What `open_network` would compute a model's weights with.

    Raises:
        SettingsError: as `open_network`.
        MissingExtraError: as `open_network`.
    """
    return choose_runtime(runtime, precision, on_cpu=device_type(device) == "cpu")


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What decides the answers of a model.

    Attributes:
        sha256: of the weights, or of an exported folder's graphs, hexadecimal.
        settings: of the network and of tracking.
        choice: what computes it, and in which precision.
    """

    sha256: str
    settings: ModelSettings
    choice: RuntimeChoice


def describe_model(
    model: str | Path, device: str = "auto", *, runtime: str = "auto", precision: str = "auto"
) -> ModelDescription:
    """Say what `open_network` would open; arguments and errors as there."""
    if (exported := find_export(model)) is not None:
        choice = choose_exported(exported, runtime, precision)
        return ModelDescription(_sha256(exported.files()), exported.settings, choice)
    weights = find_weights(model)
    choice = decide_runtime(device, runtime=runtime, precision=precision)
    settings = with_calibration(model, read_stored_settings(weights))  # first: it says what is wrong
    return ModelDescription(_sha256([weights]), settings, choice)


def benchmark_precision(model: str | Path, precision: str) -> str:
    """What `auto` means when a benchmark is run: float32 whatever the processor; of an export, its own.

    Raises:
        WeightsError: the model is an exported folder that is damaged.
    """
    return "float32" if precision == "auto" and find_export(model) is None else precision


def _sha256(files: Iterable[Path]) -> str:
    digest = sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def device_type(name: str) -> str:
    """`cpu`, `cuda`, ... of a device's name; does not wait for PyTorch where there is only the CPU.

    Raises:
        SettingsError: no such device on this machine.
    """
    no_gpu = "torch" not in sys.modules and not any(Path(trace).exists() for trace in _GPU_TRACES)
    if name == "cpu" or (name == "auto" and no_gpu):
        return "cpu"
    return str(select_device(name).type)


def _open_openvino(weights: Path, settings: ModelSettings, choice: RuntimeChoice) -> Network:
    from aiatrack.runtimes.graph_network import GraphNetwork
    from aiatrack.runtimes.openvino import OpenVINOGraphs
    from aiatrack.runtimes.openvino_conversion import ConvertedGraphs, cache_folder

    source = ConvertedGraphs(weights, settings.network, lambda: _load(weights), cache_folder())
    graphs = OpenVINOGraphs(source, settings.network, choice.precision)
    return GraphNetwork(graphs, settings.network)


def _open_exported(
    exported: ExportedNetwork, device: str, runtime: str, precision: str
) -> tuple[ModelSettings, Network]:
    from aiatrack.runtimes.graph_network import GraphNetwork
    from aiatrack.runtimes.opened import run_exported

    choice = choose_exported(exported, runtime, precision)
    # A runtime may know GPUs where the machine has none.
    has_none = device == "auto" and device_type(device) == "cpu"
    graphs = run_exported(exported, "cpu" if has_none else device, choice.precision)
    return exported.settings, GraphNetwork(graphs, exported.settings.network)


def _load(weights: Path) -> "AiATrack":
    from aiatrack.model import load_network

    return load_network(weights)[1]


def find_export(model: str | Path) -> ExportedNetwork | None:
    """Return the exported folder that was given as a model; None for a shipped model or a weights file.

    Raises:
        WeightsError: the folder is damaged or of another version.
    """
    if is_shipped(model):
        return None
    folder = expand_home(model)
    return read_export(folder) if is_exported(folder) else None


def find_weights(model: str | Path) -> Path:
    """Return the weights file of a shipped model, or the path that was given instead.

    Raises:
        SettingsError: neither a shipped model nor a file.
        WeightsError: a model without shipped weights; the message says how to get some.
    """
    if not is_shipped(model):
        path = expand_home(model)
        if path.suffix or exists(path) or why_unreachable(path):  # its reader says what is wrong with it
            return path
        if str(model) not in preset_names():
            load_preset(str(model))  # raises, naming those that exist
        raise SettingsError(f"there is no file {model}: for the shipped model, give its name as a string")
    shipped = Path(str(resources.files("aiatrack") / "weights" / f"{model}.safetensors"))
    if is_file(shipped):
        return shipped
    raise WeightsError(
        f"model {model} ships no weights: convert a published checkpoint with `aiatrack convert CHECKPOINT "
        f"-o {model}.safetensors`, or train one, and give the file instead of the name"
    )


def read_model_settings(model: str | Path) -> ModelSettings:
    """Settings of a shipped model, of a weights file or of an exported folder.

    Raises:
        SettingsError: none of these.
        WeightsError: the file or folder cannot be read.
    """
    if is_shipped(model):
        return with_calibration(model, load_preset(str(model)))
    if (exported := find_export(model)) is not None:
        return exported.settings
    return read_stored_settings(find_weights(model))


def is_shipped(model: str | Path) -> bool:
    """Whether that is a model's name, whatever lies beside the program under it; a `Path` never is."""
    return isinstance(model, str) and model in preset_names()


def with_calibration(model: str | Path, settings: ModelSettings) -> ModelSettings:
    """Settings with the calibration of presence that a shipped model brings."""
    calibration = own_calibration(model)
    if calibration is None:
        return settings
    return settings.replace(tracking=settings.tracking.replace(calibration=calibration))


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
