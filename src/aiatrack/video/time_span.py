"""The part of a source that is asked for."""

import math
from dataclasses import dataclass

from aiatrack.errors import SettingsError
from aiatrack.video.real_numbers import check_real

FLOAT_TOLERANCE_S = 1e-6
"""What a fraction may lose as a float."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Times from `start_s` up to but not including `end_s`, in seconds; None leaves a side open.

    A frame within `tolerance_s` of a border lies on it, since a source may round its time stamps.

    Raises:
        SettingsError: a border is no number, negative or not finite, or the span is empty.
    """

    start_s: float | None = None
    end_s: float | None = None
    tolerance_s: float = FLOAT_TOLERANCE_S

    def __post_init__(self) -> None:
        for field, name in (("start_s", "start"), ("end_s", "end")):
            if getattr(self, field) is None:
                continue
            seconds = float(check_real(getattr(self, field), name))
            if not (math.isfinite(seconds) and seconds >= 0):
                raise SettingsError(f"{name} must be a finite number of seconds from 0 on; got {seconds}")
            object.__setattr__(self, field, seconds)
        if self.start_s is not None and self.end_s is not None and self.end_s <= self.start_s:
            raise SettingsError(
                f"end must lie after start; got start {self.start_s} s and end {self.end_s} s"
            )

    @property
    def is_limited(self) -> bool:
        """Whether any side is closed."""
        return bool(self.start_s) or self.end_s is not None

    def is_before(self, time_s: float) -> bool:
        """Whether the span has not begun at `time_s`."""
        return self.start_s is not None and time_s < self.start_s - self.tolerance_s

    def is_over(self, time_s: float) -> bool:
        """Whether the span has ended at `time_s`."""
        return self.end_s is not None and time_s >= self.end_s - self.tolerance_s

    def overlap_s(self, duration_s: float) -> float:
        """How many seconds of a source of this duration lie in the span."""
        end = duration_s if self.end_s is None else min(self.end_s, duration_s)
        return max(0.0, end - (self.start_s or 0.0))

    def __str__(self) -> str:
        start = f"from {self.start_s or 0:g} s"
        return start if self.end_s is None else f"{start} to {self.end_s:g} s"
