"""Frames to a film: H.264, the source's time stamps and sound, playable at any moment."""

from __future__ import annotations  # PyAV's packets are generic for type checkers only

import errno
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream
from typing_extensions import Self

from aiatrack.errors import AiATrackError, FrameError, OutputError, SettingsError
from aiatrack.paths import expand_home
from aiatrack.video.audio_track import AudioTrack, open_audio_track
from aiatrack.video.film_container import describe_av_error
from aiatrack.video.frames import DEFAULT_FRAME_RATE, Frame, FrameSource, Image, VideoWarning, check_image
from aiatrack.video.output_path import check_output_path, output_error
from aiatrack.video.real_numbers import check_real

DEFAULT_QUALITY = 21
"""Constant rate factor of x264: 0 is lossless, 51 the worst, 6 more halve the size."""

TICKS_PER_SECOND = 90_000
"""Lower bound of the time base: time stamps are kept to within 6 microseconds (Matroska itself: 0.5 ms)."""

MIN_FRAME_RATE, MAX_FRAME_RATE = Fraction(1, 20_000), 1000
"""Frames per second. MP4 counts a frame's ticks in 31 bits, 6.6 h; FFmpeg crashes on longer periods."""

MAX_TIME_S = 1e12
"""Later times, in ticks, would not fit into the 63 bits that FFmpeg counts them in."""

_MP4_OPTIONS = {"movflags": "hybrid_fragmented+frag_keyframe", "flush_packets": "1"}
# One fragment a key frame while writing; a clean close adds the index of an ordinary MP4 in place.

_CONTAINERS = {
    ".mp4": ("mp4", _MP4_OPTIONS),
    ".m4v": ("mp4", _MP4_OPTIONS),
    ".mov": ("mov", _MP4_OPTIONS),
    ".mkv": ("matroska", {"cluster_time_limit": "1000", "flush_packets": "1"}),
}
FILM_ENDINGS = tuple(_CONTAINERS)
_BT709 = 1
_LIMITED_RANGE = 1


class FilmWriter:
    """Context manager that writes frames to a film; see `open_film`, which checks the arguments.

    The file starts with the first frame. Leaving the `with` block, also by an error or Ctrl-C, finishes it as
    an ordinary film; killed outright, it plays up to about the last second written.

    Args:
        path: file to write.
        frame_rate: nominal frames per second, which sets the time base and the last frame's duration.
        audio_from: film whose sound is copied for the time written.
        quality: constant rate factor of x264.
        pixel_aspect: width of a pixel over its height, for the player.
    """

    def __init__(
        self,
        path: Path,
        *,
        frame_rate: Fraction,
        audio_from: Path | None,
        quality: int,
        pixel_aspect: Fraction,
    ) -> None:
        self.path = path
        self.frames_written = 0
        self._rate = frame_rate
        self._audio_from = audio_from
        self._quality = quality
        self._pixel_aspect = pixel_aspect
        self._container: OutputContainer | None = None
        self._audio: AudioTrack | None = None
        self._closed = False

    def write(self, frame: Frame) -> None:
        """Add a frame; it is shown at its own time less the first frame's.

        A time stamp that does not exceed the one before, as damaged films have them, is moved to just after
        it. Odd sizes, which H.264 cannot hold, get their last column or row twice.

        Raises:
            FrameError: not an `(H, W, 3)` uint8 image, not of the first frame's size, or its time is not
                finite or beyond all films.
            OutputError: the writer is closed, or the disk is full or gone.
        """
        if self._closed:
            raise OutputError(f"{self.path} is closed; write before leaving the `with` block")
        image = check_image(frame.image, f"{self.path}: frame {frame.index}")
        if not abs(frame.time_s) <= MAX_TIME_S:
            raise FrameError(
                f"{self.path}: frame {frame.index}: expected a time within {MAX_TIME_S:g} s of 0, "
                f"got {frame.time_s}"
            )
        with self._abandon_on_error():
            if self._container is None:
                self._begin(image, frame.time_s)
            self._check_size(image, frame.index)
            self._mux(self._stream.encode(self._to_picture(image, frame.time_s)))
        self.frames_written += 1

    def _begin(self, image: Image, start_s: float) -> None:
        self._size = image.shape
        self._start_s = Fraction(start_s)
        self._last_pts = -1
        self._reformatter = VideoReformatter()
        self._time_base = Fraction(
            1, self._rate.numerator * math.ceil(TICKS_PER_SECOND / self._rate.numerator)
        )
        container_format, options = _CONTAINERS[self.path.suffix.lower()]
        self._container = av.open(str(self.path), "w", format=container_format, container_options=options)
        self._stream = self._add_stream(self._container, image)
        self._audio = open_audio_track(self._audio_from, self._container, start_s)
        try:
            self._container.start_encoding()
        except av.FFmpegError as error:
            # Without sound, or on a full disk, trying once more would only repeat the error.
            if self._audio is None or error.errno == errno.ENOSPC:
                raise
            self._begin_without_sound(image, start_s, error)

    def _begin_without_sound(self, image: Image, start_s: float, error: av.FFmpegError) -> None:
        self._release()
        self._audio = self._audio_from = None
        problem = f"the sound cannot be copied and is left out: {describe_av_error(error)}"
        warnings.warn(f"{self.path}: {problem}", VideoWarning, stacklevel=4)
        self._begin(image, start_s)

    def _add_stream(self, container: OutputContainer, image: Image) -> VideoStream:
        height, width = image.shape[:2]
        # Without B-frames pictures are stored in the order shown: a fragmented file then needs no edit list
        # to start at 0, and a crash loses less.
        options = {"preset": "veryfast", "crf": str(self._quality), "bf": "0"}
        stream = container.add_stream("libx264", rate=self._rate, options=options)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = self._time_base
        stream.gop_size = max(1, round(self._rate))
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = self._pixel_aspect
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
        return stream

    def _to_picture(self, image: Image, time_s: float) -> VideoFrame:
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            padded = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
            image = np.asarray(padded, dtype=np.uint8)
        rgb = VideoFrame.from_ndarray(image, format="rgb24")
        picture = self._reformatter.reformat(rgb, format="yuv420p", dst_colorspace=Colorspace.ITU709)
        pts = round((Fraction(time_s) - self._start_s) / self._time_base)
        self._last_pts = max(pts, self._last_pts + 1)
        picture.pts = self._last_pts
        picture.time_base = self._time_base
        return picture

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        for packet in packets:
            if self._audio is not None and packet.pts is not None:
                self._mux_audio(packet.pts * packet.time_base)
            if self._container is not None:
                self._container.mux(packet)

    def _mux_audio(self, until_s: Fraction) -> None:
        if self._audio is None or self._container is None:
            return
        for packet in self._audio.take_until(until_s):
            self._container.mux(packet)

    def _check_size(self, image: Image, index: int) -> None:
        if image.shape != self._size:
            raise FrameError(
                f"{self.path}: frame {index} is {image.shape[1]} x {image.shape[0]} pixels but the film is "
                f"{self._size[1]} x {self._size[0]}; write frames of one size"
            )

    @contextmanager
    def _abandon_on_error(self) -> Iterator[None]:
        """Turn failures of PyAV into ours; after one the file is left as it is."""
        try:
            yield
        except AiATrackError:
            raise
        except (av.FFmpegError, OSError) as error:
            self._closed = True
            with suppress(av.FFmpegError, OSError):
                self._release()
            raise output_error(self.path, error) from error

    def close(self) -> None:
        """Finish the film; closing twice is allowed.

        Raises:
            OutputError: the disk is full or gone; what was written before stays playable.
        """
        if self._closed:
            return
        self._closed = True
        if self._container is None:
            return
        with self._abandon_on_error():
            if self.frames_written:
                self._mux(self._stream.encode(None))
                self._mux_audio(self._last_pts * self._time_base + 1 / self._rate)
            self._release()

    def _release(self) -> None:
        container, self._container = self._container, None
        if self._audio is not None:
            self._audio.close()
        if container is not None:
            container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.close()
            return
        # The error under way is the one to tell.
        with suppress(OutputError):
            self.close()


def open_film(
    path: str | PathLike[str],
    *,
    frame_rate: Fraction | float | None,
    audio_from: Path | None = None,
    quality: int = DEFAULT_QUALITY,
    pixel_aspect: Fraction = Fraction(1),
    inputs: Iterable[Path] = (),
) -> FilmWriter:
    """Open a film for writing: H.264 (yuv420p, BT.709) in MP4, MOV or Matroska.

    Args:
        path: `.mp4`, `.m4v`, `.mov` or `.mkv`; an existing file is replaced with the first frame.
        frame_rate: of the source, frames per second, 1/20000 to 1000; None means 30. Time stamps are those
            of the frames.
        audio_from: film whose first sound track is copied, for the time that is written, where the container
            holds its codec; otherwise a `VideoWarning` tells.
        quality: constant rate factor of x264, 0 (lossless) to 51.
        pixel_aspect: width of a pixel over its height, from `FrameSource.pixel_aspect`.
        inputs: more files that this run reads, which are never overwritten.

    Returns:
        A context manager with `write(frame)`.

    Raises:
        OutputError: unknown ending, not writable, or the output is an input.
        SettingsError: the frame rate is no number, or it or the quality is out of range.
    """
    target = expand_home(path)
    if target.suffix.lower() not in FILM_ENDINGS:
        known = ", ".join(FILM_ENDINGS)
        raise OutputError(f"cannot write a film to {target}: the name must end in {known}")
    if not 0 <= quality <= 51:
        raise SettingsError(f"quality must lie between 0 (lossless) and 51; got {quality}")
    check_output_path(target, (*inputs, *((audio_from,) if audio_from else ())))
    return FilmWriter(
        target,
        frame_rate=_exact_rate(frame_rate),
        audio_from=audio_from,
        quality=quality,
        pixel_aspect=pixel_aspect,
    )


def film_rate(frames: FrameSource) -> Fraction | float | None:
    """Nominal rate of a film made of a source's frames, as `open_film` takes it.

    Where frames have times of their own the rate is no more than a hint, and never too high.
    """
    rate = frames.frame_rate
    return min(rate, MAX_FRAME_RATE) if rate and frames.has_own_times else rate


def _exact_rate(frame_rate: Fraction | float | None) -> Fraction:
    if frame_rate is None:
        return DEFAULT_FRAME_RATE
    frame_rate = check_real(frame_rate, "frame_rate")
    if not MIN_FRAME_RATE <= frame_rate <= MAX_FRAME_RATE:
        raise SettingsError(
            f"frame_rate must lie between {MIN_FRAME_RATE} and {MAX_FRAME_RATE} frames per second; "
            f"got {frame_rate}"
        )
    if frame_rate < 1:
        # Below 1 the period is what to round: one frame an hour would become a rate of 0.
        return 1 / (1 / Fraction(frame_rate)).limit_denominator(1001)
    if isinstance(frame_rate, Fraction) and frame_rate.numerator < 1_000_000:
        return frame_rate
    return Fraction(frame_rate).limit_denominator(1001)
