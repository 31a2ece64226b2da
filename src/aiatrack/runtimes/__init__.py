"""The network behind tracking's three verbs, on whatever runs it.

Each runtime loads when it is first used: with OpenVINO or ONNX Runtime, PyTorch need not be loaded.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiatrack.runtimes.eager import EagerNetwork
    from aiatrack.runtimes.graph_network import GraphNetwork
    from aiatrack.runtimes.openvino import OpenVINOGraphs

_HOMES = {
    "EagerNetwork": "aiatrack.runtimes.eager",
    "GraphNetwork": "aiatrack.runtimes.graph_network",
    "OpenVINOGraphs": "aiatrack.runtimes.openvino",
}

# OpenVINO and NNCF tell their makers over the network that they were imported and what is done with them,
# unless their client cannot be imported. What the users of a tracker do is nobody else's business.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__all__ = ["EagerNetwork", "GraphNetwork", "OpenVINOGraphs"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'aiatrack.runtimes' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
