"""The references that a target is compared with, and which of them the next frame sees."""

from collections import Counter
from typing import Any

from aiatrack.tracking.network import Reference, ReferenceSet


class ReferenceMemory:
    """Frame 0 for ever, confident later frames as they come, and the ensemble drawn from them.

    Entries are features, never images: a search region that was confidently located becomes a reference
    without a second forward pass (feature reuse; paper, section 3.4).

    Attributes:
        long_term: handle of frame 0.
        appearance: `(C,)`, what the target looked like in frame 0.
    """

    def __init__(self, first: Reference, *, capacity: int, ensemble_size: int) -> None:
        self.long_term: Any = first.long_term
        self.appearance = first.embedding
        self._entries: list[Any] = [first.short_term]
        self._capacity = capacity
        self._ensemble_size = ensemble_size
        self._draw()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, reference: Reference) -> None:
        """Append a reference, dropping the second-oldest where memory is full, and draw the ensemble anew."""
        if len(self._entries) >= self._capacity:
            del self._entries[1]
        self._entries.append(reference.short_term)
        self._draw()

    @property
    def references(self) -> ReferenceSet:
        """What the next frame is compared with."""
        return ReferenceSet(self.long_term, self.ensemble, self.multiplicity)

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
