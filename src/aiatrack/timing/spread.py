"""Many readings in three numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """Median of readings, and the range that holds the middle eight of ten.

    Attributes:
        median: half of the readings are below.
        low: one in ten is below.
        high: one in ten is above.
        count: how many readings.
    """

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, readings: Sequence[float]) -> Self:
        """Sum up one reading or more."""
        low, median, high = (float(value) for value in np.percentile(readings, (10, 50, 90)))
        return cls(median, low, high, len(readings))

    def __str__(self) -> str:
        """With the digits that mean something: `52.7 (49.1-60.2)`."""
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        low, median, high = (f"{value:.{digits}f}" for value in (self.low, self.median, self.high))
        return f"{median} ({low}-{high})"
