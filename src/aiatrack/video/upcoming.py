"""The next frames of a source, looked at before they are taken."""

from collections import deque
from itertools import islice
from typing import Any

import numpy as np

from aiatrack.errors import AiATrackError, SettingsError
from aiatrack.video.frames import Frame, FrameSource

MOST_AHEAD = 64
"""Frames held at most; in 4K they take 1.6 GB."""


class Upcoming:
    """Hands out the next few frames of a source again and again, until they are taken.

    What was handed out and not taken has been looked at in vain. So the next time there is one frame more
    than were taken, or twice as many if all were.

    An error of the source comes once every frame before it has been taken: where it would have come without.

    Args:
        source: best one that reads ahead.
        count: how many to hand out at most, 1 to `MOST_AHEAD`.

    Raises:
        SettingsError: another count, or several where the source must not be hurried: see `read_ahead`.

    Attributes:
        source: as given.
    """

    def __init__(self, source: FrameSource, count: int | np.integer[Any]) -> None:
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= MOST_AHEAD:
            raise SettingsError(f"look_ahead is a number of frames from 1 to {MOST_AHEAD}; got {count!r}")
        if count > 1 and not source.can_read_ahead:
            raise SettingsError(
                f"{source.name} gives its frames one at a time, as cameras, streams, pipes and iterables do: "
                "only films, images and animations on disk can be looked ahead in; leave look_ahead out"
            )
        self.source = source
        self._count = int(count)
        self._held: deque[Frame] = deque()
        self._handed_out = self._wanted = self._count
        self._taken = 0
        self._error: AiATrackError | None = None

    @property
    def goes_on(self) -> bool:
        """Whether there are frames after the last one that was taken, as far as anybody knows."""
        return bool(self._held) or self.source.goes_on

    def peek(self) -> list[Frame]:
        """The next frames, fewer before the end, none after it.

        Raises:
            AiATrackError: the source cannot be read on.
        """
        if self._taken:
            all_were_taken = self._taken >= self._handed_out
            self._wanted = min(self._count, 2 * self._taken if all_were_taken else self._taken + 1)
            self._taken = 0
        while len(self._held) < self._wanted and self._error is None:
            try:
                frame = next(self.source, None)
            except AiATrackError as error:
                self._error = error
                break
            if frame is None:
                break
            self._held.append(frame)
        if self._error is not None and not self._held:
            raise self._error
        handed_out = list(islice(self._held, self._wanted))
        self._handed_out = len(handed_out)
        return handed_out

    def take(self, count: int) -> None:
        """Be done with the first of them."""
        for _ in range(count):
            self._held.popleft()
        self._taken += count
