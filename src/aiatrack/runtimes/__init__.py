"""The network behind tracking's three verbs, on whatever runs it."""

from aiatrack.runtimes.eager import EagerNetwork

__all__ = ["EagerNetwork"]
