"""Ensembles of short-term references, brought to one size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.tracking import ReferenceSet


def level_ensembles(
    references: Sequence[ReferenceSet], smallest: int = 0
) -> tuple[list[list[Any]], npt.NDArray[np.float32]]:
    """Fill ensembles below the largest or `smallest` up with references that count zero.

    Returns:
        B lists of R handles, and `(B, R)` counts. R is 0 where no ensemble has a member to fill up with.
    """
    largest = max(len(target.short_term) for target in references)
    if largest:
        largest = max(largest, smallest)
    counts = np.zeros((len(references), largest), np.float32)
    ensembles = []
    for row, target in enumerate(references):
        counts[row, : len(target.multiplicity)] = target.multiplicity
        members = list(target.short_term)
        ensembles.append(members + members[:1] * (largest - len(members)))
    return ensembles, counts
