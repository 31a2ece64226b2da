"""ONNX Runtime: runs exported graphs on the CPU, on GPUs, and on whatever providers it was built with."""

from collections.abc import Mapping

import onnxruntime

from aiatrack.errors import SettingsError, WeightsError
from aiatrack.runtimes.exported import ExportedNetwork
from aiatrack.runtimes.graph_network import Array
from aiatrack.runtimes.signatures import EXPORTED
from aiatrack.runtimes.threads import requested_threads

_GPU_PROVIDERS = ("CUDAExecutionProvider", "ROCMExecutionProvider")


class ONNXGraphs:
    """An `aiatrack.runtimes.graph_network.GraphRunner`; all sessions are opened at once.

    Args:
        exported: a folder of ONNX graphs.
        device: `cpu`; `cuda` or `cuda:1` for a GPU; `auto` for a GPU if ONNX Runtime can use one.

    Raises:
        SettingsError: a GPU, and ONNX Runtime was installed without.
        WeightsError: a graph is missing, or ONNX Runtime cannot open it.
    """

    def __init__(self, exported: ExportedNetwork, device: str = "cpu") -> None:
        self._exported = exported
        self._providers = choose_providers(device, onnxruntime.get_available_providers())
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = requested_threads() or 0
        # Idle threads that spin starve those that decode film.
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._sessions = {name: self._open(name) for name in EXPORTED}

    def run(self, name: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a graph; the outputs are new arrays.

        Raises:
            SettingsError: exports have no such graph.
        """
        session = self._sessions[name] if name in self._sessions else self._open(name)
        # An input that the network has no use for may have been left out of its graph.
        known = {port.name: inputs[port.name] for port in session.get_inputs()}
        names = [port.name for port in session.get_outputs()]
        return dict(zip(names, session.run(names, known), strict=True))

    def _open(self, name: str) -> onnxruntime.InferenceSession:
        path = self._exported.graph(name)
        try:
            return onnxruntime.InferenceSession(path, self._options, providers=self._providers)
        except Exception as error:
            raise WeightsError(f"ONNX Runtime cannot open {path}: {error}") from error


def choose_providers(device: str, available: list[str]) -> list[str | tuple[str, dict[str, str]]]:
    """Execution providers for a device, the first that can run an operation taking it.

    Raises:
        SettingsError: a GPU, and none that ONNX Runtime knows.
    """
    kind, _, index = device.partition(":")
    found = [provider for provider in _GPU_PROVIDERS if provider in available]
    if kind == "cpu" or (kind == "auto" and not found):
        return ["CPUExecutionProvider"]
    if kind not in ("auto", "cuda") or not found:
        raise SettingsError(
            f"this ONNX Runtime cannot use device {device!r} (it knows {', '.join(available)}): say device "
            "cpu, or install onnxruntime-gpu"
        )
    return [(found[0], {"device_id": index or "0"}), "CPUExecutionProvider"]
