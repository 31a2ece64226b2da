"""OpenVINO, the fast runtime on CPUs: runs the graphs, compiled for the shapes that come."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import openvino as ov

from aiatrack.config import NetworkSettings
from aiatrack.errors import SettingsError
from aiatrack.runtimes.choice import Precision
from aiatrack.runtimes.graph_network import Array
from aiatrack.runtimes.openvino_split import split_fine_layers
from aiatrack.runtimes.signatures import BATCH, ENSEMBLE, graph_signatures
from aiatrack.runtimes.threads import requested_threads

_STATIC_ENSEMBLES = 4
"""Ensembles of up to so many get a graph of their own: compiled once, in about 0.1 s."""

_TARGETS_IN_PIECE = 4
"""Computed in one piece of a large batch: more would leave the caches, fewer do too little in each layer."""

_FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}


class GraphSource(Protocol):
    """Where the graphs come from: an exported folder, or a network that is converted."""

    def read(self, core: ov.Core, name: str) -> ov.Model:
        """A graph, its shapes as in its signature, inputs and outputs named."""


class _Key(NamedTuple):
    """What a graph is compiled for."""

    name: str
    ensemble: int | None
    """None stands for any size."""
    targets: int
    """How many in one piece."""
    side_by_side: bool
    """Whether several pieces are to be computed at once, or one as soon as possible."""
    is_padded: bool
    """Whether some crops leave the frame: if none does, their positions are constants."""


class OpenVINOGraphs:
    """An `aiatrack.runtimes.graph_network.GraphRunner`; compiles a graph when it is first wanted.

    Graphs have static shapes: for small networks the bookkeeping of dynamic ones takes a fifth of the time.
    A batch is computed in pieces of a few targets, several side by side, each on cores of its own: cores that
    share a target wait for one another between layers, and a batch in one piece leaves the caches
    (`benchmarks/many_targets.py`).

    Args:
        source: of the graphs.
        settings: of their network.
        precision: of the arithmetic. bf16 leaves the finest layers of `encode` in float32; int8 is a property
            of the graphs, of which the rest is left in the best precision that the processor has.

    Raises:
        SettingsError: bf16 on a processor that does not have it.
    """

    def __init__(self, source: GraphSource, settings: NetworkSettings, precision: Precision) -> None:
        self._core = process_core()
        self._source = source
        self._settings = settings
        self._signatures = graph_signatures(settings)
        self._precision = precision
        self._options = _compile_options(precision)
        self._models: dict[str, ov.Model] = {}
        self._requests: dict[_Key, list[_BoundRequest]] = {}

    def run(self, name: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a graph; the outputs are new arrays."""
        sizes = self._sizes(name, inputs)
        ports = self._signatures[name].outputs
        outputs = {port.name: np.empty(port.sized(**sizes), port.dtype) for port in ports}
        one = _key_of_one(name, sizes, is_padded="padding" in inputs and bool(inputs["padding"].any()))
        at_once = _TARGETS_IN_PIECE * len(self._requests_for(one))
        in_pieces = sizes[BATCH] // at_once * at_once
        if in_pieces:
            self._fill(one._replace(targets=_TARGETS_IN_PIECE), range(in_pieces), inputs, outputs)
        self._fill(one, range(in_pieces, sizes[BATCH]), inputs, outputs)
        return outputs

    def _fill(
        self, key: _Key, rows: range, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
    ) -> None:
        """Compute some rows of the outputs, as many pieces at a time as there are requests."""
        requests = self._requests_for(key)
        pieces = [slice(row, row + key.targets) for row in rows[:: key.targets]]
        for begin in range(0, len(pieces), len(requests)):
            next_pieces = zip(requests, pieces[begin:], strict=False)
            _start_all(
                [request.bind(_part(inputs, piece), _part(outputs, piece)) for request, piece in next_pieces]
            )
        for request in requests:
            request.wait()

    def _sizes(self, name: str, inputs: Mapping[str, Array]) -> dict[str, int]:
        sizes = {}
        for port in self._signatures[name].inputs:
            for axis, size in enumerate(port.shape):
                if isinstance(size, str):
                    sizes[size] = inputs[port.name].shape[axis]
        return sizes

    def _requests_for(self, key: _Key) -> "list[_BoundRequest]":
        """As many as had best be under way at a time."""
        if key not in self._requests:
            self._requests[key] = self._compile(key)
        return self._requests[key]

    def _compile(self, key: _Key) -> "list[_BoundRequest]":
        if key.name not in self._models:
            self._models[key.name] = self._source.read(self._core, key.name)
        signature, model = self._signatures[key.name], self._models[key.name].clone()
        free = {BATCH: key.targets, ENSEMBLE: key.ensemble or -1}
        known = {name for port in model.inputs for name in port.names}
        ports = [port for port in signature.inputs if port.name in known]
        model.reshape({port.name: ov.PartialShape(list(port.sized(**free))) for port in ports})
        if not key.is_padded:
            _assume_no_padding(model)
        options = {**self._options, "PERFORMANCE_HINT": "THROUGHPUT" if key.side_by_side else "LATENCY"}
        stages = []
        if key.name == "encode" and self._precision is Precision.BF16:
            fine, model = split_fine_layers(model, self._settings)
            stages.append(self._core.compile_model(fine, "CPU", {**options, **_FLOAT32}))
        stages.append(self._core.compile_model(model, "CPU", options))
        count = stages[-1].get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if key.side_by_side else 1
        return [_BoundRequest([stage.create_infer_request() for stage in stages]) for _ in range(count)]


class _BoundRequest:
    """A compiled graph that reads its inputs where they lie and writes its outputs where they are kept.

    Args:
        stages: the graph, or parts of it: each takes the first outputs of the one before, in order.
    """

    def __init__(self, stages: Sequence[ov.InferRequest]) -> None:
        self._stages = stages
        self._setters: dict[str, Callable[[ov.Tensor], None]] = {}
        for place, port in enumerate(stages[0].model_inputs):
            self._setters |= dict.fromkeys(port.names, partial(stages[0].set_input_tensor, place))
        handed_over = [len(after.model_inputs) for after in stages[1:]]
        for stage, first in zip(stages, [*handed_over, 0], strict=True):
            for place, port in enumerate(stage.model_outputs[first:], start=first):
                self._setters |= dict.fromkeys(port.names, partial(stage.set_output_tensor, place))
        for before, after in pairwise(stages):
            for place in range(len(after.model_inputs)):
                after.set_input_tensor(place, before.get_output_tensor(place))
        # OpenVINO holds bare pointers: what is bound must live as long as it is bound.
        self._bound: dict[str, Array] = {}

    def bind(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Sequence[ov.InferRequest]:
        """Set what is read and what is filled, once those before are done; returns what to run in turn."""
        self.wait()
        for name, array in (*inputs.items(), *outputs.items()):
            if name in self._setters:
                self._bind(name, array)
        return self._stages

    def wait(self) -> None:
        """Return when the outputs are filled."""
        self._stages[-1].wait()

    def _bind(self, name: str, array: Array) -> None:
        if self._bound.get(name) is not array:
            self._setters[name](ov.Tensor(array, shared_memory=True))
            self._bound[name] = array


def _start_all(chains: Sequence[Sequence[ov.InferRequest]]) -> None:
    """Run chains of equal length side by side, stage by stage; returns once the last stages have begun."""
    for position, stages in enumerate(zip(*chains, strict=True)):
        for chain, stage in zip(chains, stages, strict=True):
            if position > 0:
                chain[position - 1].wait()
            stage.start_async()


@cache
def process_core() -> ov.Core:
    """The one core of this process, which lives as long as it.

    A core sets the signal stack of the thread that first uses it, and frees it when it goes; of two that
    overlap, the one that goes last puts back the stack that the other has freed. The next signal is then
    written to freed memory: the process dies, or somebody else's data change.
    """
    return ov.Core()


def has_bf16() -> bool:
    """Whether this processor multiplies bf16 natively."""
    return "BF16" in process_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _key_of_one(name: str, sizes: Mapping[str, int], *, is_padded: bool) -> _Key:
    ensemble = sizes.get(ENSEMBLE, 1)
    return _Key(name, ensemble if ensemble <= _STATIC_ENSEMBLES else None, 1, sizes[BATCH] > 1, is_padded)


def _assume_no_padding(model: ov.Model) -> None:
    """Where there is none, what depends on the padding alone is computed while the graph is compiled."""
    for parameter in model.get_parameters():
        if "padding" in parameter.output(0).names:
            nowhere = ov.opset13.constant(np.zeros(parameter.get_output_shape(0), np.bool_))
            for reader in parameter.output(0).get_target_inputs():
                reader.replace_source_output(nowhere.output(0))
            model.remove_parameter(parameter)


def _part(arrays: Mapping[str, Array], rows: slice) -> Mapping[str, Array]:
    """Some rows; the very arrays if that is all, so that they need not be bound again."""
    if all(len(array) == rows.stop - rows.start for array in arrays.values()):
        return arrays
    return {name: array[rows] for name, array in arrays.items()}


def _compile_options(precision: Precision) -> dict[str, Any]:
    native = has_bf16()
    if precision is Precision.BF16 and not native:
        raise SettingsError("this processor has no bf16 arithmetic: choose precision float32 or auto")
    half = precision is Precision.BF16 or (precision is Precision.INT8 and native)
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "bf16"} if half else dict(_FLOAT32)
    if threads := requested_threads():
        options["INFERENCE_NUM_THREADS"] = threads
    return options
