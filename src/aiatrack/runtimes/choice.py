"""Which runtime computes a network, and how precisely, where the user leaves that open."""

from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec

from aiatrack.errors import MissingExtraError, SettingsError


class Runtime(str, Enum):
    """What computes a network."""

    EAGER = "eager"
    COMPILED = "compiled"
    OPENVINO = "openvino"
    ONNX = "onnx"


class Precision(str, Enum):
    """What the arithmetic is done in; inputs and outputs stay float32."""

    FLOAT32 = "float32"
    BF16 = "bf16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """A runtime and a precision."""

    runtime: Runtime
    precision: Precision


def choose_runtime(runtime: str, precision: str, *, on_cpu: bool) -> RuntimeChoice:
    """Decide for a network whose weights are at hand; the rules are the table in docs/export.md.

    Args:
        runtime: `auto` or the name of a runtime.
        precision: `auto` or the name of a precision.
        on_cpu: whether the device is the CPU.

    Raises:
        SettingsError: unknown names, or a runtime, a precision and a device that do not go together.
        MissingExtraError: the runtime's package is not installed.
    """
    chosen, wanted = parse_runtime(runtime), parse_precision(precision)
    if chosen is None:
        chosen = Runtime.OPENVINO if on_cpu and is_installed(Runtime.OPENVINO) else Runtime.EAGER
    if chosen is Runtime.ONNX:
        raise SettingsError(
            "ONNX Runtime runs exported networks: write one with `aiatrack export MODEL --format onnx "
            "-o FOLDER`, and give the folder as the model"
        )
    require_installed(chosen)
    if chosen is Runtime.OPENVINO and not on_cpu:
        raise SettingsError("the OpenVINO runtime computes on the CPU: say device cpu, or another runtime")
    if wanted is Precision.INT8:
        raise SettingsError(
            "int8 is for exported networks: write one with `aiatrack export MODEL --format openvino "
            "--precision int8 -o FOLDER`, and give the folder as the model"
        )
    return RuntimeChoice(chosen, wanted or _usual_precision(chosen))


def _usual_precision(runtime: Runtime) -> Precision:
    """OpenVINO finds the same boxes in bf16 (docs/performance.md), faster where the processor has it."""
    if runtime is not Runtime.OPENVINO:
        return Precision.FLOAT32
    from aiatrack.runtimes.openvino import has_bf16

    return Precision.BF16 if has_bf16() else Precision.FLOAT32


def parse_runtime(name: str) -> Runtime | None:
    """A runtime by name; None for `auto`.

    Raises:
        SettingsError: no such runtime.
    """
    if name == "auto":
        return None
    if name not in list(Runtime):
        raise SettingsError(f"unknown runtime {name!r}: choose auto, {', '.join(r.value for r in Runtime)}")
    return Runtime(name)


def parse_precision(name: str) -> Precision | None:
    """A precision by name; None for `auto`.

    Raises:
        SettingsError: no such precision.
    """
    if name == "auto":
        return None
    if name not in list(Precision):
        choices = ", ".join(precision.value for precision in Precision)
        raise SettingsError(f"unknown precision {name!r}: choose auto, {choices}")
    return Precision(name)


def is_installed(runtime: Runtime) -> bool:
    """Whether the package that a runtime needs is there; PyTorch always is."""
    package = {Runtime.OPENVINO: "openvino", Runtime.ONNX: "onnxruntime"}.get(runtime)
    return package is None or find_spec(package) is not None


def require_installed(runtime: Runtime) -> None:
    """Refuse a runtime without its package.

    Raises:
        MissingExtraError: it is not installed; the message says how to.
    """
    if not is_installed(runtime):
        raise MissingExtraError(
            f"runtime {runtime.value} needs a package that is not installed: "
            f"pip install 'aiatrack[{runtime.value}]'"
        )
