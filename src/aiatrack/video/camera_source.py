"""Frames of a camera, captured by OpenCV."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import cast

import cv2

from aiatrack.errors import VideoError
from aiatrack.video.frames import Frame, FrameSource, Image
from aiatrack.video.time_span import TimeSpan

_LAST_DEVICE = 2**31 - 1
"""Greatest number that OpenCV takes."""


class CameraSource(FrameSource):
    """A camera of this machine, until it is unplugged or `end_s` is reached.

    Frames are counted and timed from the first one received.

    Args:
        device: number of the camera, from 0.
        span: frames before `start_s` are captured and dropped.
        frame_rate: frames per second to ask the camera for; it may deliver another rate.

    Raises:
        VideoError: no such camera, it is in use, or it stops delivering.
    """

    def __init__(self, device: int, span: TimeSpan, *, frame_rate: Fraction | float | None = None) -> None:
        super().__init__(f"camera {device}", span)
        self.live = True
        self.has_own_times = True
        if device < 0:
            raise VideoError(f"cameras are numbered from 0; got {device}")
        if device > _LAST_DEVICE:
            raise VideoError(
                f"there is no camera {device}, and no file or folder of that name: check the number or path"
            )
        with _silent_opencv():
            self._capture = cv2.VideoCapture(device)
        if not self._capture.isOpened():
            self._capture.release()
            raise VideoError(
                f"cannot open camera {device}: check that it is plugged in, permitted and not in use"
            )
        # A deeper queue would show the past to a tracker slower than the camera.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if frame_rate is not None:
            self._capture.set(cv2.CAP_PROP_FPS, float(frame_rate))
        self.frame_rate = self._capture.get(cv2.CAP_PROP_FPS) or None

    def _release(self) -> None:
        self._capture.release()

    def _why_no_frame(self) -> str:
        return "it delivered none before the end"

    def _read(self) -> Generator[Frame, None, None]:
        first_s: float | None = None
        index = 0
        while True:
            received, image = self._capture.read()
            if not received:
                raise VideoError(
                    f"{self.name} stopped delivering after {index} frames: is it still plugged in?"
                )
            now_s = time.monotonic()
            first_s = now_s if first_s is None else first_s
            time_s = now_s - first_s
            if self._is_over(time_s):
                return
            if not self._span.is_before(time_s):
                yield Frame(cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)), index=index, time_s=time_s)
            index += 1


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Keep OpenCV's own lines on a camera that is not there from standard error: the error says it."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
