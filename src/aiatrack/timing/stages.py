"""Where the time of a frame goes: a clock, and a network that keeps it."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.crop import Color, CropWindow, Image, cut_regions
from aiatrack.tracking import LocatedTargets, Network, Reference, ReferenceSet
from aiatrack.tracking.network import CroppingNetwork

NETWORK_STAGES = ("crop", "encode", "remember", "locate")
"""What is timed inside an update; the rest of it is the tracker's own work."""


class StageClock:
    """Adds up the seconds of each stage until they are taken.

    Args:
        wait: returns when the device has done what it was told; on a GPU, calls return before.

    Attributes:
        waits: whether there is a device to wait for: stages apart then take longer than together.
    """

    def __init__(self, wait: Callable[[], object] | None = None) -> None:
        self.waits = wait is not None
        self._wait = wait or (lambda: None)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of the block as part of a stage."""
        start = time.perf_counter()
        yield
        self._wait()
        self._seconds[name] += time.perf_counter() - start

    def take(self) -> dict[str, float]:
        """Seconds of each stage that took place since the last call."""
        taken = dict(self._seconds)
        self._seconds.clear()
        return taken


class TimedNetwork:
    """Any network with its verbs, and the crops before them, on a clock.

    Args:
        network: does the work.
        clock: is told how long it took. A network that crops by itself has no stage `crop`.
    """

    def __init__(self, network: Network, clock: StageClock) -> None:
        self._network = network
        self._clock = clock

    @property
    def crop_size(self) -> int:
        """Side of the crops, px."""
        return self._network.crop_size

    def encode_regions(self, frames: Sequence[Image], windows: Sequence[CropWindow], color: Color) -> Any:
        """See `CroppingNetwork`."""
        if isinstance(self._network, CroppingNetwork):
            with self._clock.stage("encode"):
                return self._network.encode_regions(frames, windows, color)
        with self._clock.stage("crop"):
            crops, padding = cut_regions(frames, windows, color)
        return self.encode(crops, padding)

    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> Any:
        """See `Network`."""
        with self._clock.stage("encode"):
            return self._network.encode(crops, padding)

    def remember(
        self, memory: Any, rows: Sequence[int], boxes_xywh: npt.NDArray[np.float32]
    ) -> Sequence[Reference]:
        """See `Network`."""
        with self._clock.stage("remember"):
            return self._network.remember(memory, rows, boxes_xywh)

    def locate(self, search: Any, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """See `Network`."""
        with self._clock.stage("locate"):
            return self._network.locate(search, references)
