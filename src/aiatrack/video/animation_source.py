"""Frames of one image file that holds several pictures: animated WebP, TIFF of several pages."""

import warnings
from collections.abc import Generator, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import VideoError
from aiatrack.video.frames import (
    DEFAULT_FRAME_RATE,
    UNUSED_RATE,
    Frame,
    FrameSource,
    Image,
    VideoWarning,
)
from aiatrack.video.image_headers import count_tiff_pages, read_webp_durations_s
from aiatrack.video.image_source import read_image_file
from aiatrack.video.time_span import TimeSpan

WEBP_BLOCK = 32
"""Pictures decoded at once: OpenCV decodes from the first one each time, but all would fill the memory."""


class AnimationSource(FrameSource):
    """An animated WebP, shown at its own times, or a TIFF, whose page `i` is shown at `i / frame_rate`.

    Args:
        path: the file.
        span: the part asked for, by these times.
        frame_rate: pages per second of a TIFF; None means 30. A WebP has no use for it, which a
            `VideoWarning` says.

    Raises:
        VideoError: while iterating, where a picture cannot be read.
    """

    def __init__(self, path: Path, span: TimeSpan, *, frame_rate: Fraction | float | None = None) -> None:
        super().__init__(str(path), span)
        self._path = path
        self.can_read_ahead = True
        durations = read_webp_durations_s(path)
        self._is_webp = bool(durations)
        self.has_own_times = self._is_webp
        if self._is_webp:
            self.frame_rate = len(durations) / sum(durations)
            if frame_rate is not None:
                warnings.warn(f"{path}: {UNUSED_RATE.format(float(frame_rate))}", VideoWarning, stacklevel=3)
        else:
            self.frame_rate = frame_rate or DEFAULT_FRAME_RATE
            durations = [1 / Fraction(self.frame_rate)] * count_tiff_pages(path)
        self._block = WEBP_BLOCK if self._is_webp else 1
        *starts, self._duration = accumulate(durations, initial=Fraction(0))
        self._times = [float(start) for start in starts]
        before = sum(span.is_before(time_s) for time_s in self._times)
        self._inside = range(before, sum(not span.is_over(time_s) for time_s in self._times))
        self._is_cut_by_span = span.is_over(self._times[-1])
        self.frame_count = len(self._inside)

    @property
    def files(self) -> Sequence[Path]:
        """See `FrameSource`."""
        return (self._path,)

    def _release(self) -> None:
        pass

    def _why_no_frame(self) -> str:
        return f"its {len(self._times)} pictures last {float(self._duration):g} s"

    def _read(self) -> Generator[Frame, None, None]:
        data = read_image_file(self._path)
        for first in range(self._inside.start, self._inside.stop, self._block):
            block = range(first, min(first + self._block, self._inside.stop))
            pictures = self._decode(data, block)
            for index, picture in zip(block, pictures, strict=False):
                image = cast(Image, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
                yield Frame(image, index=index, time_s=self._times[index])
            if len(pictures) < len(block):
                raise VideoError(
                    f"image {self._path} is damaged: picture {first + len(pictures) + 1} of "
                    f"{len(self._times)} cannot be decoded; copy it again"
                )

    def _decode(self, data: npt.NDArray[np.uint8], block: range) -> Sequence[npt.NDArray[Any]]:
        if self._is_webp and not hasattr(cv2, "imdecodeanimation"):
            raise VideoError(
                f"animation {self._path} needs OpenCV 4.12 or newer; got {cv2.__version__}: update it, or "
                "convert the animation to GIF, PNG or a film"
            )
        try:
            if self._is_webp:
                return cv2.imdecodeanimation(data, block.start, len(block))[1].frames
            return cv2.imdecodemulti(data, cv2.IMREAD_COLOR, range=(block.start, block.stop))[1]
        except cv2.error as error:
            raise VideoError(f"image {self._path} cannot be decoded: {error.err}") from error
