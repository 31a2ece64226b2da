"""Run an exported folder with the runtime that its graphs are for."""

from typing import TYPE_CHECKING

from aiatrack.runtimes.choice import Precision, require_installed
from aiatrack.runtimes.exported import ExportedNetwork, ExportFormat
from aiatrack.runtimes.graph_network import GraphRunner

if TYPE_CHECKING:
    import openvino as ov


class ExportedGraphs:
    """A source of OpenVINO's graphs: an exported folder."""

    def __init__(self, exported: ExportedNetwork) -> None:
        self._exported = exported

    def read(self, core: "ov.Core", name: str) -> "ov.Model":
        """A graph."""
        return core.read_model(self._exported.graph(name))


def run_exported(
    exported: ExportedNetwork, device: str = "cpu", precision: Precision | None = None
) -> GraphRunner:
    """Open the graphs of a folder.

    Args:
        exported: the folder.
        device: for ONNX graphs, also `cuda`.
        precision: other than the folder's own; for OpenVINO's float32 graphs, also bf16.

    Raises:
        MissingExtraError: the runtime is not installed.
        SettingsError: it cannot use the device.
    """
    require_installed(exported.format.runtime)
    if exported.format is ExportFormat.ONNX:
        from aiatrack.runtimes.onnx import ONNXGraphs

        return ONNXGraphs(exported, device)
    if exported.format is ExportFormat.OPENVINO:
        from aiatrack.runtimes.openvino import OpenVINOGraphs

        settings = exported.settings.network
        return OpenVINOGraphs(ExportedGraphs(exported), settings, precision or exported.precision)
    from aiatrack.runtimes.torch_graphs import exported_torch_graphs

    return exported_torch_graphs(exported)
