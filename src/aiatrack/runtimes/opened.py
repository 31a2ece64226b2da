"""Run an exported folder with the runtime that its graphs are for."""

from typing import TYPE_CHECKING

from aiatrack.errors import SettingsError, WeightsError
from aiatrack.runtimes.choice import Precision, require_installed
from aiatrack.runtimes.exported import ExportedNetwork, ExportFormat
from aiatrack.runtimes.graph_network import GraphRunner
from aiatrack.runtimes.signatures import EXPORTED

if TYPE_CHECKING:
    import openvino as ov


class ExportedGraphs:
    """A source of OpenVINO's graphs: an exported folder, of which all graphs are read at once.

    Args:
        exported: the folder.
        core: that reads.

    Raises:
        WeightsError: a file is missing or damaged.
    """

    def __init__(self, exported: ExportedNetwork, core: "ov.Core") -> None:
        self._exported = exported
        self._models = {name: self._open(core, name) for name in EXPORTED}

    def read(self, core: "ov.Core", name: str) -> "ov.Model":
        """A graph.

        Raises:
            SettingsError: exports have no such graph.
        """
        return self._models[name] if name in self._models else self._open(core, name)

    def _open(self, core: "ov.Core", name: str) -> "ov.Model":
        path = self._exported.graph(name)
        try:
            return core.read_model(path)
        except RuntimeError as error:
            raise WeightsError(f"OpenVINO cannot open {path}: {error}") from error


def run_exported(
    exported: ExportedNetwork, device: str = "cpu", precision: Precision | None = None
) -> GraphRunner:
    """Open the graphs of a folder: one that can never track is refused here, not in the midst of a film.

    Args:
        exported: the folder.
        device: `cpu` or `auto`; for ONNX graphs also `cuda`, which `auto` is where ONNX Runtime can.
        precision: other than the folder's own; for OpenVINO's float32 graphs, also bf16.

    Raises:
        MissingExtraError: the runtime is not installed.
        SettingsError: it cannot use the device.
        WeightsError: a graph is missing, damaged or of another export, or the runtime cannot open it.
    """
    require_installed(exported.format.runtime)
    if exported.format is not ExportFormat.ONNX and device not in ("auto", "cpu"):
        raise SettingsError(
            f"graphs of format {exported.format.value} run on the CPU only; got device {device!r}: say cpu, "
            "or export to onnx"
        )
    exported.check_files()
    if exported.format is ExportFormat.ONNX:
        from aiatrack.runtimes.onnx import ONNXGraphs

        return ONNXGraphs(exported, device)
    if exported.format is ExportFormat.OPENVINO:
        from aiatrack.runtimes.openvino import OpenVINOGraphs, process_core

        source = ExportedGraphs(exported, process_core())
        return OpenVINOGraphs(source, exported.settings.network, precision or exported.precision)
    from aiatrack.runtimes.torch_graphs import exported_torch_graphs

    return exported_torch_graphs(exported)
