"""The references that a target is compared with, and which of them the next frame sees."""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from aiatrack.tracking.network import Reference, ReferenceSet


class ReferenceMemory:
    """Frame 0 for ever, confident later frames as they come, and the ensemble drawn from them.

    Entries are features, never images: a search region that was confidently located becomes a reference
    without a second forward pass (feature reuse; paper, section 3.4).

    Args:
        long_term: handle of frame 0.
        entries: short-term handles, oldest first, that of frame 0 first of all.
        appearance: `(P, C)`, what the target looked like in frame 0.
        capacity: entries kept at most.
        ensemble_size: how many are drawn for every frame.

    Attributes:
        long_term: handle of frame 0.
        appearance: `(P, C)`, what the target looked like in frame 0.
    """

    def __init__(
        self,
        long_term: Any,
        entries: Sequence[Any],
        appearance: npt.NDArray[np.float32],
        *,
        capacity: int,
        ensemble_size: int,
    ) -> None:
        self.long_term = long_term
        self.appearance = appearance
        self._entries = list(entries)
        self._capacity = capacity
        self._ensemble_size = ensemble_size
        self._draw()

    @classmethod
    def begin(cls, first: Reference, *, capacity: int, ensemble_size: int) -> Self:
        """With frame 0 alone."""
        return cls(
            first.long_term,
            [first.short_term],
            first.embedding,
            capacity=capacity,
            ensemble_size=ensemble_size,
        )

    def __len__(self) -> int:
        return len(self._entries)

    def copy(self) -> Self:
        """One that changes on its own; the handles are shared."""
        other = copy(self)
        other._entries = self._entries.copy()  # the draw is never changed, only drawn anew
        return other

    def add(self, reference: Reference) -> None:
        """Append a reference, dropping the second-oldest where memory is full, and draw the ensemble anew."""
        if len(self._entries) >= self._capacity:
            del self._entries[1]
        self._entries.append(reference.short_term)
        self._draw()

    def forget_latest(self, count: int) -> None:
        """Drop the `count` newest references, but never frame 0, and draw the ensemble anew."""
        del self._entries[max(1, len(self._entries) - count) :]
        self._draw()

    @property
    def entries(self) -> tuple[Any, ...]:
        """Short-term references, oldest first."""
        return tuple(self._entries)

    @property
    def references(self) -> ReferenceSet:
        """What the next frame is compared with."""
        return ReferenceSet(self.long_term, self.ensemble, self.multiplicity)

    @property
    def first_reference(self) -> ReferenceSet:
        """Frame 0 alone: what has not been changed by anything that was believed since."""
        if not self._ensemble_size:
            return ReferenceSet(self.long_term, [], [])
        return ReferenceSet(self.long_term, self._entries[:1], [self._ensemble_size])

    @property
    def ensemble(self) -> list[Any]:
        """Distinct short-term references of the ensemble, oldest first."""
        return [self._entries[index] for index in self._counts]

    @property
    def multiplicity(self) -> list[int]:
        """How often each of `ensemble` was drawn: identical references are counted, not copied."""
        return list(self._counts.values())

    def _draw(self) -> None:
        last, size = len(self._entries) - 1, self._ensemble_size
        self._counts = Counter(last * i // size for i in range(1, size + 1))
