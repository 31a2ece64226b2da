"""OpenVINO, the fast runtime on CPUs: runs the graphs, compiled for the shapes that come."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import openvino as ov

from aiatrack.config import NetworkSettings
from aiatrack.errors import SettingsError
from aiatrack.runtimes.choice import Precision
from aiatrack.runtimes.graph_network import Array
from aiatrack.runtimes.signatures import BATCH, ENSEMBLE, Signature, graph_signatures

_STATIC_ENSEMBLES = 4
"""Ensembles of up to so many get a graph of their own for a single target: compiled once, in about 0.1 s."""


class GraphSource(Protocol):
    """Where the graphs come from: an exported folder, or a network that is converted."""

    def read(self, core: ov.Core, name: str) -> ov.Model:
        """A graph, its shapes as in its signature, inputs and outputs named."""


class _Key(NamedTuple):
    """What a graph is compiled for; None stands for any size."""

    name: str
    batch: int | None
    ensemble: int | None


class OpenVINOGraphs:
    """An `aiatrack.runtimes.graph_network.GraphRunner`; compiles a graph when it is first wanted.

    Single targets get graphs of static shapes: for small networks the bookkeeping of dynamic ones takes a
    fifth of the time. Batches share a dynamic one.

    Args:
        source: of the graphs.
        settings: of their network.
        precision: of the arithmetic; int8 is a property of the graphs, of which the rest is left in the best
            precision that the processor has.

    Raises:
        SettingsError: bf16 on a processor that does not have it.
    """

    def __init__(self, source: GraphSource, settings: NetworkSettings, precision: Precision) -> None:
        self._core = ov.Core()
        self._source = source
        self._signatures = graph_signatures(settings)
        self._options = _compile_options(self._core, precision)
        self._models: dict[str, ov.Model] = {}
        self._requests: dict[_Key, _BoundRequest] = {}

    def run(self, name: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a graph; the outputs are new arrays."""
        sizes = self._sizes(name, inputs)
        key = _key(name, sizes)
        if key not in self._requests:
            self._requests[key] = self._compile(key)
        return self._requests[key](inputs, sizes)

    def _sizes(self, name: str, inputs: Mapping[str, Array]) -> dict[str, int]:
        sizes = {}
        for port in self._signatures[name].inputs:
            for axis, size in enumerate(port.shape):
                if isinstance(size, str):
                    sizes[size] = inputs[port.name].shape[axis]
        return sizes

    def _compile(self, key: _Key) -> "_BoundRequest":
        if key.name not in self._models:
            self._models[key.name] = self._source.read(self._core, key.name)
        signature, model = self._signatures[key.name], self._models[key.name].clone()
        free = {BATCH: key.batch or -1, ENSEMBLE: key.ensemble or -1}
        known = {name for port in model.inputs for name in port.names}
        ports = [port for port in signature.inputs if port.name in known]
        model.reshape({port.name: ov.PartialShape(list(port.sized(**free))) for port in ports})
        compiled = self._core.compile_model(model, "CPU", self._options)
        return _BoundRequest(compiled.create_infer_request(), signature, known)


class _BoundRequest:
    """A compiled graph that reads its inputs where they lie and writes its outputs where they are kept."""

    def __init__(self, request: ov.InferRequest, signature: Signature, known: set[str]) -> None:
        self._request = request
        self._signature = signature
        self._known = known
        # OpenVINO holds bare pointers: what is bound must live as long as it is bound.
        self._bound: dict[str, Array] = {}

    def __call__(self, inputs: Mapping[str, Array], sizes: Mapping[str, int]) -> dict[str, Array]:
        for name in self._known:
            self._bind(name, inputs[name])
        outputs = {port.name: np.empty(port.sized(**sizes), port.dtype) for port in self._signature.outputs}
        for name, array in outputs.items():
            self._bind(name, array)
        self._request.infer()
        return outputs

    def _bind(self, name: str, array: Array) -> None:
        if self._bound.get(name) is not array:
            self._request.set_tensor(name, ov.Tensor(array, shared_memory=True))
            self._bound[name] = array


def has_bf16(core: ov.Core | None = None) -> bool:
    """Whether this processor multiplies bf16 natively."""
    return "BF16" in (core or ov.Core()).get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _key(name: str, sizes: Mapping[str, int]) -> _Key:
    ensemble = sizes.get(ENSEMBLE, 1)
    if sizes[BATCH] == 1 and ensemble <= _STATIC_ENSEMBLES:
        return _Key(name, 1, ensemble)
    return _Key(name, None, None)


def _compile_options(core: ov.Core, precision: Precision) -> dict[str, Any]:
    native = has_bf16(core)
    if precision is Precision.BF16 and not native:
        raise SettingsError("this processor has no bf16 arithmetic: choose precision float32 or auto")
    half = precision is Precision.BF16 or (precision is Precision.INT8 and native)
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
    }
    # The one variable by which users and our evaluation say how many threads a process may use.
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads):
        options["INFERENCE_NUM_THREADS"] = int(threads)
    return options
