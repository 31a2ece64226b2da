"""Frames of any Python iterable: lists, generators, readers of other libraries."""

import math
from collections.abc import Generator, Iterable, Iterator, Sized
from fractions import Fraction
from os import PathLike
from typing import Any

import numpy as np

from aiatrack.errors import FrameError, SettingsError
from aiatrack.paths import expand_home
from aiatrack.video.frames import DEFAULT_FRAME_RATE, Frame, FrameSource, check_image
from aiatrack.video.image_source import read_image
from aiatrack.video.real_numbers import check_real
from aiatrack.video.time_span import TimeSpan


class IterableSource(FrameSource):
    """Frames handed in by the caller, taken one at a time; what the iterable raises passes through.

    Args:
        frames: arrays as `check_image` takes them, `(array, time in seconds)` pairs, `Frame`s (their time is
            kept, their index counted anew), or paths of image files. An array `(T, H, W, 3)` is T frames.
        span: the part asked for; a stamped frame is judged by its own time.
        frame_rate: frames per second of frames without a time; None means 30.

    Raises:
        FrameError: an item is no frame, or times do not increase.
        VideoError: there is no frame, or an image file cannot be read.
    """

    def __init__(
        self, frames: Iterable[Any], span: TimeSpan, *, frame_rate: Fraction | float | None = None
    ) -> None:
        super().__init__(f"the given {type(frames).__name__}", span)
        if isinstance(frames, np.ndarray) and frames.ndim != 4:
            raise FrameError(
                f"an array of frames has shape (T, H, W, 3); got {frames.shape}: put one image into a list"
            )
        self.frame_rate = frame_rate or DEFAULT_FRAME_RATE
        if isinstance(frames, Sized):
            self.frame_count = round(
                span.overlap_s(len(frames) / float(self.frame_rate)) * float(self.frame_rate)
            )
        self._items: Iterator[Any] = iter(frames)

    def _release(self) -> None:
        self._items = iter(())

    def _why_no_frame(self) -> str:
        return "it came to its end"

    def _read(self) -> Generator[Frame, None, None]:
        last_s = -math.inf
        for index, item in enumerate(self._items):
            image, time_s = self._unpack(item, index)
            if not time_s > last_s or not math.isfinite(time_s):
                raise FrameError(
                    f"frame {index}: times must be finite and increase; got {time_s} after {last_s}"
                )
            last_s = time_s
            if self._is_over(time_s):
                return
            if not self._span.is_before(time_s):
                yield Frame(check_image(image, f"frame {index}"), index=index, time_s=time_s)

    def _unpack(self, item: Any, index: int) -> tuple[Any, float]:
        if isinstance(item, str | PathLike):
            return read_image(expand_home(item)), self._nominal_s(index)
        if isinstance(item, Frame):
            item = (item.image, item.time_s)
        if not isinstance(item, tuple):
            return item, self._nominal_s(index)
        if len(item) != 2:
            raise FrameError(f"frame {index}: expected an image or (image, time in seconds); got a tuple")
        try:
            return item[0], float(check_real(item[1], "a time in seconds"))
        except SettingsError as error:
            raise FrameError(f"frame {index}: {error}") from error

    def _nominal_s(self, index: int) -> float:
        return float(index / Fraction(self.frame_rate or DEFAULT_FRAME_RATE))
