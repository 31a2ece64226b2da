"""Tracking's three verbs on top of whatever runs the exported graphs; handles are NumPy arrays."""

from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from aiatrack.config import NetworkSettings
from aiatrack.runtimes.ensembles import level_ensembles
from aiatrack.tracking import LocatedTargets, ReferenceSet
from aiatrack.tracking.network import Arrays

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

_REMEMBERED_AT_ONCE = 8
"""Targets of a batch: what each keeps is copied, best while it is in the caches."""


class GraphRunner(Protocol):
    """Runs the graphs of `aiatrack.runtimes.signatures` by name."""

    def run(self, name: str, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run `encode`, `remember` or `locate`; the outputs are the caller's to keep."""


class GraphMemory(NamedTuple):
    """Encoded crops."""

    tokens: Floats
    """`(B, N, C)`"""
    inner_positions: Floats
    """`(B, N, D)`"""


class GraphReferencePart(NamedTuple):
    """What `locate` needs of one target in one past frame."""

    keys: Floats
    """`(N, C)`"""
    values: Floats
    """`(N, C)`"""
    positions: Floats
    """`(N, D)`"""


class GraphReference(NamedTuple):
    """One target in one past frame; see `aiatrack.tracking.Reference`."""

    long_term: GraphReferencePart
    short_term: GraphReferencePart
    embedding: Floats


class GraphNetwork:
    """Implements `aiatrack.tracking.Network` with exported graphs.

    Trackers of several threads may share one: their calls take turns.

    Args:
        runner: of the graphs.
        settings: of the network that was exported.
    """

    def __init__(self, runner: GraphRunner, settings: NetworkSettings) -> None:
        self._runner = runner
        self._settings = settings
        # Slots, and requests of runtimes, serve one call at a time. Not a plain lock: a signal's handler that
        # saves a tracker's state would wait for ever for the call that it interrupts.
        self._lock = RLock()
        self._long_term = _Slots("long", settings)
        self._short_term = _Slots("short", settings)

    @property
    def crop_size(self) -> int:
        """Side of the crops, px."""
        return self._settings.crop_size

    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> GraphMemory:
        """Encode `(B, S, S, 3)` RGB crops with their `(B, S, S)` padding."""
        inputs = {"crops": np.ascontiguousarray(crops), "padding": np.ascontiguousarray(padding)}
        with self._lock:
            found = self._runner.run("encode", inputs)
        return GraphMemory(found["tokens"], found["inner_positions"])

    def remember(self, memory: GraphMemory, rows: Sequence[int], boxes_xywh: Floats) -> list[GraphReference]:
        """Turn some crops of a memory into references, given their boxes normalised to the crop."""
        references: list[GraphReference] = []
        with self._lock:
            for begin in range(0, len(rows), _REMEMBERED_AT_ONCE):
                some = slice(begin, begin + _REMEMBERED_AT_ONCE)
                references += self._remember(memory, list(rows[some]), boxes_xywh[some])
        return references

    def _remember(self, memory: GraphMemory, rows: list[int], boxes_xywh: Floats) -> list[GraphReference]:
        inputs = {"tokens": memory.tokens[rows], "boxes_xywh": np.ascontiguousarray(boxes_xywh)}
        found = self._runner.run("remember", inputs)
        references = []
        for i, row in enumerate(rows):
            positions = _own(memory.inner_positions, row)
            long_term, short_term = (
                GraphReferencePart(
                    _own(found[f"{term}_keys"], i), _own(found[f"{term}_values"], i), positions
                )
                for term in ("long", "short")
            )
            references.append(GraphReference(long_term, short_term, _own(found["embeddings"], i)))
        return references

    def locate(self, search: GraphMemory, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """Find a target in each search region, given a set of references for each."""
        ensembles, multiplicity = level_ensembles(references)
        long_term = [[target.long_term] for target in references]
        with self._lock:
            inputs = {"tokens": search.tokens, **self._long_term.fill(long_term)}
            if multiplicity.size:
                inputs |= self._short_term.fill(ensembles)
                inputs["multiplicity"] = multiplicity
            found = self._runner.run("locate" if multiplicity.size else "locate_long_term", inputs)
        return LocatedTargets(
            found["located_xywh"], found["scores"], found["corner_scores"], found["embeddings"]
        )

    def to_arrays(self, handle: GraphReferencePart) -> Arrays:
        """A reference is made of arrays."""
        return tuple(handle)

    def from_arrays(self, arrays: Arrays) -> GraphReferencePart:
        """And arrays make a reference."""
        return GraphReferencePart(*arrays)


def _own(batch: Floats, row: int) -> Floats:
    """A row, copied if it is one of several: references are let go one by one, and must not hold a batch."""
    alone: Floats = batch[row]
    return alone if len(batch) == 1 else alone.copy()


class _Slots:
    """Stacked references of the last call; what is still in its place is not copied again.

    From frame to frame few references change, and a reference of `base` is a megabyte. Until the next call,
    those of targets that were let go stay as well.

    Args:
        term: `long` or `short`; the stacks of the former have no axis of references.
        settings: of the network.
    """

    def __init__(self, term: str, settings: NetworkSettings) -> None:
        self._names = [f"{term}_{part}" for part in GraphReferencePart._fields]
        self._single = term == "long"
        self._tokens = settings.tokens
        self._widths = (settings.channels, settings.channels, settings.inner_channels)
        self._held: list[list[GraphReferencePart | None]] = []
        self._stacks: dict[str, Floats] = {}

    def fill(self, members: list[list[GraphReferencePart]]) -> dict[str, Floats]:
        """Stack B lists of R references into arrays `(B, R, N, ...)`."""
        if [len(row) for row in members] != [len(row) for row in self._held]:
            self._allocate(len(members), len(members[0]))
        for row, references in enumerate(members):
            for place, reference in enumerate(references):
                if self._held[row][place] is not reference:
                    self._held[row][place] = None  # nothing whole, should copying be interrupted
                    self._put(row if self._single else (row, place), reference)
                    self._held[row][place] = reference
        return self._stacks

    def _allocate(self, batch: int, count: int) -> None:
        lead = (batch,) if self._single else (batch, count)
        self._held = []
        self._stacks = {
            name: np.empty((*lead, self._tokens, width), np.float32)
            for name, width in zip(self._names, self._widths, strict=True)
        }
        self._held = [[None] * count for _ in range(batch)]

    def _put(self, index: int | tuple[int, int], reference: GraphReferencePart) -> None:
        for name, part in zip(self._names, reference, strict=True):
            self._stacks[name][index] = part
