"""Exported networks on disk: a folder with the three graphs and a `metadata.json` that says how to run them.

Knows no PyTorch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from aiatrack.config import ModelSettings, TrackingSettings
from aiatrack.errors import SettingsError, WeightsError
from aiatrack.paths import is_file
from aiatrack.runtimes.choice import Precision, Runtime, RuntimeChoice, parse_precision, parse_runtime
from aiatrack.runtimes.signatures import EXPORTED, Signature, graph_signatures

METADATA = "metadata.json"
_FORMAT = "aiatrack-export-2"
_NO_ENSEMBLE = (
    "exported networks need an ensemble of one reference at least: set ensemble_size to 1 or more, or track "
    "with the weights file"
)


class ExportFormat(str, Enum):
    """What graphs are written as."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TORCH = "torch"

    @property
    def suffix(self) -> str:
        """Of a graph's file; OpenVINO puts the weights beside it, in a `.bin`."""
        return {"onnx": ".onnx", "openvino": ".xml", "torch": ".pt2"}[self.value]

    @property
    def runtime(self) -> Runtime:
        """What runs such graphs."""
        return {"onnx": Runtime.ONNX, "openvino": Runtime.OPENVINO, "torch": Runtime.EAGER}[self.value]


@dataclass(frozen=True, slots=True)
class ExportedNetwork:
    """An exported folder.

    Attributes:
        folder: where the graphs are.
        format: of the graphs.
        precision: in which they compute.
        settings: of the network and of tracking.
        sha256: of each file, hexadecimal, as the metadata has it; empty before there are any.
    """

    folder: Path
    format: ExportFormat
    precision: Precision
    settings: ModelSettings
    sha256: Mapping[str, str] = field(default_factory=dict)

    def graph(self, name: str) -> Path:
        """File of a graph.

        Raises:
            SettingsError: exports have no such graph.
            WeightsError: the file is missing.
        """
        if name not in EXPORTED:
            raise SettingsError(_NO_ENSEMBLE)
        path = self.folder / f"{name}{self.format.suffix}"
        if not is_file(path):
            raise WeightsError(f"{path} is missing: export the model again")
        return path

    def files(self) -> list[Path]:
        """All that the graphs are kept in.

        Raises:
            WeightsError: a graph is missing.
        """
        graphs = [self.graph(name) for name in EXPORTED]
        return [path for graph in graphs for path in (graph, graph.with_suffix(".bin")) if is_file(path)]

    def check_files(self) -> None:
        """Make sure that every file is the one that was exported.

        Runtimes say little of use, and some of it late, where a graph is cut off or of another network.

        Raises:
            WeightsError: a file is missing, damaged or of another export.
        """
        for name, expected in self.sha256.items():
            path = self.folder / name
            if not is_file(path):
                raise WeightsError(f"{path} is missing: export the model again")
            if _sha256(path) != expected:
                raise WeightsError(f"{path} is damaged, or of another export: export the model again")

    def check_tracking(self, tracking: TrackingSettings) -> None:
        """Make sure that the graphs can track by some settings.

        Raises:
            SettingsError: they cannot.
        """
        if not tracking.ensemble_size:
            raise SettingsError(_NO_ENSEMBLE)


def is_exported(path: Path) -> bool:
    """Whether a path is a folder that `aiatrack export` wrote."""
    return is_file(path / METADATA)


def describe_export(network: ExportedNetwork, **facts: Any) -> str:
    """Text of `metadata.json`: what it takes to run the graphs alone.

    Args:
        network: the export, its graphs written.
        **facts: anything else that is worth knowing, such as versions.
    """
    network_settings, tracking = network.settings.network, network.settings.tracking
    signatures = graph_signatures(network_settings)
    description = {
        "format": _FORMAT,
        "graphs": {
            name: {"file": f"{name}{network.format.suffix}", **_describe_signature(signatures[name])}
            for name in EXPORTED
        },
        "sha256": {path.name: _sha256(path) for path in network.files()},
        "graph_format": network.format.value,
        "precision": network.precision.value,
        "crop": {
            "size_px": network_settings.crop_size,
            "search_factor": tracking.search_factor,
            "side": "ceil(search_factor * sqrt(width * height)) of the last box, a square about its centre",
            "channels": "RGB, uint8, rows first; outside the frame zero, and True in padding",
            "resize": "bilinear",
            "boxes": "left, top, width, height, divided by the crop's side",
        },
        # In full, unlike beside weights: graphs are run by those who do not have this package's defaults.
        "settings": network.settings.model_dump(mode="json"),
        "license": "Apache-2.0 for the code; the weights under the terms they came with",
        **facts,
    }
    return json.dumps(description, indent=2) + "\n"


def read_export(folder: Path) -> ExportedNetwork:
    """Read what `describe_export` wrote.

    Raises:
        WeightsError: it is damaged or of another version.
    """
    try:
        described = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        if described["format"] != _FORMAT:
            raise ValueError(f"format {described['format']!r}, where {_FORMAT!r} is known")
        return ExportedNetwork(
            folder,
            ExportFormat(described["graph_format"]),
            Precision(described["precision"]),
            ModelSettings.parse(described["settings"], origin="settings"),
            dict(described["sha256"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{folder / METADATA} cannot be used: {error}; export the model again") from error


def choose_exported(exported: ExportedNetwork, runtime: str, precision: str) -> RuntimeChoice:
    """Runtime and precision of a folder, where they are those wished for.

    Raises:
        SettingsError: the folder is for another runtime, or of another precision.
    """
    wished_runtime, wished_precision = parse_runtime(runtime), parse_precision(precision)
    if wished_runtime not in (None, exported.format.runtime):
        raise SettingsError(
            f"{exported.folder} is for runtime {exported.format.runtime.value}: say that or auto, or export "
            "the model for another"
        )
    # The graphs are those of float32; the processor does the rounding.
    may_round = exported.format is ExportFormat.OPENVINO and exported.precision is not Precision.INT8
    possible = {exported.precision, *((Precision.FLOAT32, Precision.BF16) if may_round else ())}
    if wished_precision is not None and wished_precision not in possible:
        raise SettingsError(
            f"{exported.folder} is of precision {exported.precision.value}: say that or auto, or export the "
            "model in another"
        )
    return RuntimeChoice(exported.format.runtime, wished_precision or exported.precision)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error


def _describe_signature(signature: Signature) -> dict[str, Any]:
    return {
        side: [{"name": port.name, "shape": list(port.shape), "dtype": port.dtype} for port in ports]
        for side, ports in signature._asdict().items()
    }
