"""The graphs in PyTorch: what other runtimes are compared with, and exported programs."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aiatrack.config import NetworkSettings
from aiatrack.errors import WeightsError
from aiatrack.model import AiATrack
from aiatrack.runtimes.exported import ExportedNetwork
from aiatrack.runtimes.graph_network import Array
from aiatrack.runtimes.graphs import build_graph
from aiatrack.runtimes.signatures import EXPORTED, graph_signatures

Graph = Callable[..., tuple[Tensor, ...]]


class TorchGraphs:
    """An `aiatrack.runtimes.graph_network.GraphRunner` in PyTorch, on the CPU.

    Args:
        settings: of the network.
        open_graph: gives a graph by its name; called once for each.

    Attributes:
        observe: called with name and inputs of every run, if set; the arrays are lent.
    """

    def __init__(self, settings: NetworkSettings, open_graph: Callable[[str], Graph]) -> None:
        self.observe: Callable[[str, Mapping[str, Array]], Any] | None = None
        self._signatures = graph_signatures(settings)
        self._open_graph = open_graph
        self._graphs: dict[str, Graph] = {}

    def open(self, name: str) -> None:
        """Have a graph ready to run; otherwise it is opened when it is first run."""
        if name not in self._graphs:
            self._graphs[name] = self._open_graph(name)

    @torch.inference_mode()
    def run(self, name: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a graph; the outputs are new arrays."""
        if self.observe is not None:
            self.observe(name, inputs)
        self.open(name)
        signature = self._signatures[name]
        found = self._graphs[name](*(torch.from_numpy(inputs[port.name]) for port in signature.inputs))
        return {port.name: output.numpy() for port, output in zip(signature.outputs, found, strict=True)}


def network_graphs(network: AiATrack) -> TorchGraphs:
    """The graphs of a network, which is taken over."""
    return TorchGraphs(network.settings, lambda name: build_graph(network, name))


def exported_torch_graphs(exported: ExportedNetwork) -> TorchGraphs:
    """The graphs of a folder of exported PyTorch programs, all opened.

    Raises:
        WeightsError: a program is missing, or PyTorch cannot open it.
    """
    graphs = TorchGraphs(exported.settings.network, lambda name: _load_program(exported.graph(name)))
    for name in EXPORTED:
        graphs.open(name)
    return graphs


def _load_program(path: Path) -> Graph:
    try:
        # It would log its traceback, where our error says what is wrong.
        with quiet_log("torch.export"):
            program: Graph = torch.export.load(path).module()
    except Exception as error:  # whatever zip, pickle and PyTorch make of a damaged file
        raise WeightsError(f"PyTorch cannot open {path}: {error}") from error
    return program


@contextmanager
def quiet_log(name: str) -> Iterator[None]:
    """Let a part of PyTorch log nothing below an error of its own."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
