"""Write a network as three graphs that run without this package, and check that they still say the same."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from aiatrack.errors import MissingExtraError, OutputError
from aiatrack.model import AiATrack
from aiatrack.paths import exists, is_file
from aiatrack.runtimes.choice import Precision
from aiatrack.runtimes.exported import METADATA, ExportedNetwork, ExportFormat, describe_export
from aiatrack.runtimes.graph_network import Array, GraphRunner
from aiatrack.runtimes.graphs import build_graph, example_inputs
from aiatrack.runtimes.opened import run_exported
from aiatrack.runtimes.signatures import BATCH, ENSEMBLE, EXPORTED, Signature, graph_signatures
from aiatrack.runtimes.torch_graphs import network_graphs, quiet_log

OPSET = 18
"""Of ONNX: the first that has the reductions which PyTorch writes; runtimes know it since 2023."""

Differences = dict[str, float]
"""Largest difference of each output from PyTorch's, relative to the output's largest value."""

Samples = Mapping[str, Sequence[Mapping[str, Array]]]
"""Inputs of each graph, as they come in tracking."""

_PACKAGES: Mapping[ExportFormat, tuple[str, ...]] = {
    ExportFormat.ONNX: ("onnx", "onnxscript"),
    ExportFormat.OPENVINO: ("openvino",),
    ExportFormat.TORCH: (),
}
_TOLERANCES = {Precision.FLOAT32: 1e-3, Precision.BF16: 0.1, Precision.INT8: 0.25}
_HELD_OUT = 10
"""Samples of each graph, at most, that int8 is compared on: on random inputs, which look like nothing that
the ranges were measured on, it says nothing of use."""


def export_network(
    network: AiATrack,
    exported: ExportedNetwork,
    *,
    samples: Samples | None = None,
    overwrite: bool = False,
    facts: Mapping[str, Any] | None = None,
) -> Differences:
    """Write and check a folder of graphs; it appears whole or not at all.

    Args:
        network: with its weights, on the CPU; taken over.
        exported: what to write, and where.
        samples: for int8, what to calibrate with.
        overwrite: replace an existing export.
        facts: to keep in the metadata.

    Returns:
        How far the graphs are from PyTorch, by `GRAPH.OUTPUT`: on random inputs; int8 on samples.

    Raises:
        OutputError: the folder exists or cannot be written, or the graphs say something else than PyTorch.
        MissingExtraError: a package for the format or precision is not installed.
    """
    check_target(exported.folder, overwrite=overwrite)
    require_packages(exported.format, exported.precision)
    folder = Path(os.path.realpath(exported.folder))  # a link stays, and what it leads to is replaced
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
            unfinished = Path(scratch) / folder.name
            unfinished.mkdir()
            draft = ExportedNetwork(unfinished, exported.format, exported.precision, exported.settings)
            _write_graphs(network, draft, samples or {})
            inputs = _held_out(samples) if samples else random_inputs(draft)
            differences = compare(network_graphs(network), run_exported(draft), inputs)
            check_differences(differences, draft.precision)
            text = describe_export(
                draft, opset=OPSET, versions=_versions(), largest_differences=differences, **(facts or {})
            )
            (unfinished / METADATA).write_text(text, encoding="utf-8")
            if exists(folder):
                shutil.rmtree(folder)
            unfinished.rename(folder)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    return differences


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that must not be replaced.

    Raises:
        OutputError: it exists, and is no export or `overwrite` is not said.
    """
    if not exists(folder):
        return
    if not is_file(folder / METADATA):
        raise OutputError(f"{folder} exists and is no exported model: choose another name")
    if not overwrite:
        raise OutputError(f"{folder} exists: choose another name, or say --overwrite")


def require_packages(format: ExportFormat, precision: Precision) -> None:
    """Refuse an export for which a package is not installed.

    Raises:
        MissingExtraError: naming the package, and how to install it.
    """
    quantizers = ("nncf",) if precision is Precision.INT8 else ()
    for package in (*_PACKAGES[format], *quantizers):
        try:
            import_module(package)
        except ImportError as error:
            raise MissingExtraError(
                f"export needs {package}, which is not installed: pip install 'aiatrack[export]'"
            ) from error


def compare(reference: GraphRunner, other: GraphRunner, samples: Samples) -> Differences:
    """Run both on the same inputs."""
    found: Differences = {}
    for name, inputs in samples.items():
        for one in inputs:
            expected, got = reference.run(name, one), other.run(name, one)
            for output, array in expected.items():
                key = f"{name}.{output}"
                found[key] = max(found.get(key, 0.0), _difference(got[output], array))
    return found


def random_inputs(exported: ExportedNetwork) -> Samples:
    """Inputs of every graph, for a single target and for a batch."""
    found: dict[str, list[dict[str, Array]]] = {}
    for name in EXPORTED:
        signature = graph_signatures(exported.settings.network)[name]
        for batch, ensemble in ((1, 1), (2, 3)):
            tensors = example_inputs(signature, batch=batch, ensemble=ensemble, seed=1)
            named = zip(signature.inputs, tensors, strict=True)
            found.setdefault(name, []).append({port.name: tensor.numpy() for port, tensor in named})
    return found


def _held_out(samples: Samples) -> Samples:
    """Samples to compare on: none that are calibrated with, unless there is only a handful."""
    return {name: inputs[: _count_held_out(inputs)] or inputs for name, inputs in samples.items()}


def _count_held_out(inputs: Sequence[Any]) -> int:
    return min(_HELD_OUT, len(inputs) // 5)


def check_differences(differences: Differences, precision: Precision) -> None:
    """Refuse graphs that are further from PyTorch than their precision explains.

    Raises:
        OutputError: the message names the worst output.
    """
    worst = max(differences, key=differences.__getitem__)
    if not differences[worst] <= _TOLERANCES[precision]:
        raise OutputError(
            f"the exported graphs are wrong: {worst} differs from PyTorch's by {differences[worst]:.3g} of "
            f"its range, where {precision.value} explains {_TOLERANCES[precision]:g}; nothing was written. "
            f"Versions: {', '.join(f'{name} {number}' for name, number in _versions().items())}"
        )


def _difference(got: Array, expected: Array) -> float:
    if got.shape != expected.shape or not np.isfinite(got).all():
        return float("inf")
    return float(np.abs(got - expected).max() / max(1.0, np.abs(expected).max()))


def _write_graphs(network: AiATrack, draft: ExportedNetwork, samples: Samples) -> None:
    write = {
        ExportFormat.ONNX: _write_onnx,
        ExportFormat.OPENVINO: _write_openvino,
        ExportFormat.TORCH: _write_torch,
    }[draft.format]
    for name in EXPORTED:
        path = draft.folder / f"{name}{draft.format.suffix}"
        signature = graph_signatures(draft.settings.network)[name]
        calibration = None
        if draft.precision is Precision.INT8:
            inputs = samples[name]
            calibration = inputs[_count_held_out(inputs) :]
        with _exporters_quiet():
            write(network, name, signature, path, calibration)


@contextmanager
def _exporters_quiet() -> Iterator[None]:
    """Keep what exporters have to say of their own innards, and of packages that we do not use."""
    with quiet_log("torch.onnx"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _write_torch(
    network: AiATrack, name: str, signature: Signature, path: Path, _calibration: Iterable[Any] | None
) -> None:
    torch.export.save(_program(build_graph(network, name), signature), path)


def _write_onnx(
    network: AiATrack, name: str, signature: Signature, path: Path, _calibration: Iterable[Any] | None
) -> None:
    program = torch.onnx.export(
        _program(build_graph(network, name), signature),
        input_names=[port.name for port in signature.inputs],
        output_names=[port.name for port in signature.outputs],
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise OutputError(f"PyTorch gave no ONNX graph of {name}")
    program.save(path)


def _write_openvino(
    network: AiATrack, name: str, signature: Signature, path: Path, calibration: Iterable[Any] | None
) -> None:
    import openvino as ov

    from aiatrack.runtimes.openvino_conversion import convert_graph

    model = convert_graph(network, name, signature)
    if calibration is not None:
        from aiatrack.runtimes.openvino_split import fine_convolutions
        from aiatrack.runtimes.quantization import quantize_graph

        # As in bf16: what is rounded there reaches everything.
        exact = fine_convolutions(model, network.settings) if name == "encode" else []
        model = quantize_graph(model, calibration, exact=exact)
    ov.save_model(model, path, compress_to_fp16=False)


def _program(graph: nn.Module, signature: Signature) -> torch.export.ExportedProgram:
    free = {name: torch.export.Dim(name) for name in (BATCH, ENSEMBLE)}
    shapes = tuple(
        {axis: free[size] for axis, size in enumerate(port.shape) if isinstance(size, str)}
        for port in signature.inputs
    )
    examples = example_inputs(signature, batch=2, ensemble=3)
    return torch.export.export(graph, examples, dynamic_shapes=shapes, strict=False)


def _versions() -> dict[str, str]:
    found = {}
    for package in ("aiatrack", "torch", "onnx", "onnxruntime", "openvino", "nncf"):
        with suppress(ImportError):
            found[package] = version(package)
    return found
