"""Where a run took place: versions and machine, for its manifest."""

import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aiatrack.paths import is_file

_PACKAGES = (
    "aiatrack",
    "av",
    "numpy",
    "onnxruntime",
    "opencv-contrib-python-headless",
    "opencv-python-headless",
    "openvino",
    "ray",
    "torch",
)


def read_versions() -> dict[str, str]:
    """Versions of Python and of the packages that have a part in results, where installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_machine() -> dict[str, Any]:
    """Name, system, processor and cores of this machine."""
    return {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "processor": _processor_name(),
        "cores": os.cpu_count(),
    }


def _processor_name() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if is_file(listing) else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
