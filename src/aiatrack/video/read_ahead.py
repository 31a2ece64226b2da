"""Frames decoded on another thread while the last one is still being worked on."""

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiatrack.video.frames import Frame, FrameSource
from aiatrack.video.time_span import TimeSpan

FRAMES_AHEAD = 4
"""Enough to even out key frames, which take longer; in 4K they hold 100 MB."""


def read_ahead(source: FrameSource, frames: int = FRAMES_AHEAD) -> FrameSource:
    """Let a source work ahead of whoever takes its frames: decoding then overlaps with their work.

    Frames, indices, times and errors are the same and come in the same places; only warnings may come a few
    frames early. Sources that must not be hurried are returned as they are: cameras, streams and pipes, whose
    waiting frames would be the past, and iterables, whose code belongs to the caller's thread and may fill
    one array again and again.

    Args:
        source: from `open_frames`, which is taken over: close the returned one instead.
        frames: how many to hold at most beyond the one delivered last.
    """
    return _ReadAhead(source, frames) if source.can_read_ahead else source


class _ReadAhead(FrameSource):
    """Takes frames from another source on a thread of its own, from the first one asked for until closed."""

    def __init__(self, source: FrameSource, frames: int) -> None:
        super().__init__(source.name, TimeSpan())
        self.frame_rate = source.frame_rate
        self.frame_count = source.frame_count
        self.has_own_times = source.has_own_times
        self.image_names = source.image_names
        self.path = source.path
        self.can_read_ahead = True
        self.pixel_aspect = source.pixel_aspect
        self._source = source
        self._count_ahead = frames

    @property
    def files(self) -> Sequence[Path]:
        """Those of the other source."""
        return self._source.files

    def _release(self) -> None:
        self._source.close()

    def _why_no_frame(self) -> str:
        return "it came to its end"

    def _read(self) -> Generator[Frame, None, None]:
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="aiatrack-read-ahead")
        try:
            # One worker takes orders in turn, so that frames come in turn; an error waits with its order.
            orders = deque(reader.submit(next, self._source, None) for _ in range(self._count_ahead))
            while (frame := orders.popleft().result()) is not None:
                orders.append(reader.submit(next, self._source, None))
                yield frame
            self.truncated = self._source.truncated
            self._is_cut_by_span = self._source.goes_on
        finally:
            reader.shutdown(cancel_futures=True)
