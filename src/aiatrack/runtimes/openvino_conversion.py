"""From a PyTorch network to OpenVINO's graphs, kept in the user's cache so that it happens once.

A conversion takes seconds and PyTorch; a cached graph takes neither.
"""

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import openvino as ov

from aiatrack.config import NetworkSettings
from aiatrack.paths import is_file, user_cache
from aiatrack.runtimes.signatures import Signature, graph_signatures

if TYPE_CHECKING:
    from aiatrack.model import AiATrack

_log = logging.getLogger(__name__)
_PACKAGE = Path(__file__).parents[1]
_FINGERPRINT = re.compile("[0-9a-f]{32}")
_LONGEST_UNUSED_S = 90 * 24 * 3600.0
"""For which graphs stay in the cache: other weights, code or versions get a folder of their own."""


class ConvertedGraphs:
    """A source of graphs that converts a network when a graph is not in the cache.

    Args:
        weights: file of the network.
        settings: of the network.
        load: gives the network; called at most once, and not at all where the cache has everything.
        cache: folder of the cache; None to do without.
    """

    def __init__(
        self, weights: Path, settings: NetworkSettings, load: Callable[[], "AiATrack"], cache: Path | None
    ) -> None:
        self._signatures = graph_signatures(settings)
        self._load = load
        self._network: AiATrack | None = None
        self._folder = None if cache is None else cache / _fingerprint(weights)

    def read(self, core: ov.Core, name: str) -> ov.Model:
        """A graph, from the cache or converted."""
        if self._folder is not None and is_file(self._folder / f"{name}.xml"):
            try:
                model = core.read_model(self._folder / f"{name}.xml")
                _mark_used(self._folder)
                return model
            except RuntimeError:
                _log.debug("cached graph in %s cannot be read; converting anew", self._folder)
        if self._network is None:
            self._network = self._load()
        model = _as_stored(core, convert_graph(self._network, name, self._signatures[name]))
        if self._folder is not None:
            _keep(model, self._folder, name)
            _remove_unused(self._folder.parent)
        return model


def convert_graph(network: "AiATrack", name: str, signature: Signature) -> ov.Model:
    """Convert one graph of a network, its free sizes free, its inputs and outputs named."""
    import torch

    # `openvino.convert_model` does the same, slower.
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    from aiatrack.runtimes.graphs import build_graph, example_inputs

    examples = example_inputs(signature, batch=2, ensemble=3)
    with torch.no_grad(), warnings.catch_warnings():
        # Sizes that are fixed in our graphs look like constants to the tracer, which says so at length.
        warnings.simplefilter("ignore")
        graph = build_graph(network, name)
        traced = torch.jit.trace(graph, examples, check_trace=False)  # type: ignore[no-untyped-call]
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(
        traced, example_input=examples
    )  # what is loaded does not keep it alive
    model = frontend.convert(frontend.load(decoder))
    for ports, expected in ((model.inputs, signature.inputs), (model.outputs, signature.outputs)):
        for node, port in zip(ports, expected, strict=True):
            node.get_tensor().set_names({port.name})
    shapes = {
        port.name: [-1 if isinstance(size, str) else size for size in port.shape] for port in signature.inputs
    }
    model.reshape({name: ov.PartialShape(shape) for name, shape in shapes.items()})
    return model


def cache_folder() -> Path | None:
    """Where converted graphs are kept: `AIATRACK_CACHE`, or the user's cache; None to do without.

    That is where the variable is empty, or the user has no home.
    """
    chosen = os.environ.get("AIATRACK_CACHE")
    if chosen is None:
        return user_cache()
    try:
        # Not `expand_home`: where there is no home, graphs must not end in a folder called `~`.
        return Path(chosen).expanduser() if chosen else None
    except RuntimeError as error:
        _log.debug("there is no folder to cache graphs in: %s", error)
        return None


def _fingerprint(weights: Path) -> str:
    """Names what a converted graph depends on: weights, our code, the versions that convert and run it."""
    digest = hashlib.sha256(weights.read_bytes())
    for source in (*sorted((_PACKAGE / "model").glob("*.py")), *sorted((_PACKAGE / "runtimes").glob("*.py"))):
        digest.update(source.read_bytes())
    digest.update(f"openvino {version('openvino')}, torch {version('torch')}".encode())
    return digest.hexdigest()[:32]  # as `_FINGERPRINT`


def _as_stored(core: ov.Core, model: ov.Model) -> ov.Model:
    """What a graph is once it has been stored and read: results must not depend on the cache.

    A graph just converted carries hints that are not stored, such as which divisions must not become products
    with a reciprocal. It would round otherwise, and a tracker that feeds on its own boxes can end elsewhere.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.xml"
            ov.save_model(model, path, compress_to_fp16=False)
            constants = np.fromfile(path.with_suffix(".bin"), np.uint8)
            return core.read_model(path.read_text(encoding="utf-8"), ov.Tensor(constants))
    except (OSError, RuntimeError) as error:
        _log.debug("cannot store a graph for a moment: %s", error)
        return model


def _keep(model: ov.Model, folder: Path, name: str) -> None:
    """Put a graph into the cache, whole or not at all; a cache that cannot be written is no error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
            ov.save_model(model, Path(unfinished) / f"{name}.xml", compress_to_fp16=False)
            # The .xml is what readers look for: it comes last.
            for suffix in (".bin", ".xml"):
                (Path(unfinished) / f"{name}{suffix}").replace(folder / f"{name}{suffix}")
    except (OSError, RuntimeError) as error:
        _log.debug("cannot cache a graph in %s: %s", folder, error)


def _mark_used(folder: Path) -> None:
    with suppress(OSError):  # somebody else's, or on a disk that cannot be written
        os.utime(folder)


def _remove_unused(cache: Path) -> None:
    """Remove the graphs that nobody has used for long; nothing else that lies in the cache."""
    with suppress(OSError):  # such as of a folder that another process removes in the meantime
        for folder in cache.iterdir():
            is_ours = _FINGERPRINT.fullmatch(folder.name) is not None
            if is_ours and time.time() - folder.stat().st_mtime > _LONGEST_UNUSED_S:
                shutil.rmtree(folder, ignore_errors=True)
