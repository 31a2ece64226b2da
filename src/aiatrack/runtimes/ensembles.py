"""Ensembles of short-term references, brought to one size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.errors import TrackingError
from aiatrack.tracking import ReferenceSet


def level_ensembles(
    references: Sequence[ReferenceSet], smallest: int = 0
) -> tuple[list[list[Any]], npt.NDArray[np.float32]]:
    """Fill ensembles below the largest or `smallest` up with references that count zero.

    Returns:
        B lists of R handles, and `(B, R)` counts. R is 0 where all ensembles are empty.

    Raises:
        TrackingError: some ensembles are empty and others are not.
    """
    sizes = [len(target.short_term) for target in references]
    largest = max(sizes)
    if largest:
        # The network attends to no ensemble at all, or to one of each target.
        if 0 in sizes:
            raise TrackingError(
                f"{sizes.count(0)} of {len(sizes)} ensembles are empty: either all of a call or none may be; "
                "locate targets without one in a call of their own"
            )
        largest = max(largest, smallest)
    counts = np.zeros((len(references), largest), np.float32)
    ensembles = []
    for row, target in enumerate(references):
        counts[row, : len(target.multiplicity)] = target.multiplicity
        members = list(target.short_term)
        ensembles.append(members + members[:1] * (largest - len(members)))
    return ensembles, counts
