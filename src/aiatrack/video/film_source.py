"""Frames of a film file, decoded by PyAV."""

import stat
import warnings
from collections.abc import Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from aiatrack.errors import VideoError
from aiatrack.video.film_container import (
    Orientation,
    describe_av_error,
    open_container,
    read_orientation,
    select_video_stream,
    timeline_origin,
    turn_upright,
)
from aiatrack.video.frames import DEFAULT_FRAME_RATE, UNUSED_RATE, Frame, FrameSource, VideoWarning
from aiatrack.video.time_span import FLOAT_TOLERANCE_S, TimeSpan

MAX_MISSING_TAIL_S = 0.5
"""A film that ends this much before its declared duration counts as cut short."""

COARSEST_ROUNDED_CLOCK_S = Fraction(1, 1000)
"""Matroska, WebM, FLV and ASF round to this; a clock that ticks slower mostly ticks once a frame, exactly."""

FORMATS_WITHOUT_PRESENTATION_TIMES = frozenset({"avi"})
"""Their packets are stamped in the order of decoding, which B-frames set apart from that of showing."""

FORMATS_TIMED_FROM_ZERO = frozenset({"matroska,webm"})
"""Their duration counts from the clock's zero, that of the others from the first picture."""

FORMATS_STAMPED_BY_GUESS = frozenset({"mjpeg", "mpjpeg"})
"""They hold pictures and no times: what stamps there are FFmpeg counts out, 25 to the second."""

FORMATS_WITHOUT_START_TIME = frozenset({"apng"})
"""They have times, but their header says nothing of the first one's."""


class FilmSource(FrameSource):
    """A film file: any container and codec of FFmpeg, 8 bit and deeper, grey, palette or with alpha.

    Deeper pictures are brought to 8 bit, alpha is dropped, rotation marks are applied, non-square pixels stay
    as stored (see `pixel_aspect`). Time stamps are the film's own, so a variable frame rate is kept; only
    films without any (raw H.264, Motion JPEG) are timed by frame rate. Damaged frames are skipped and a film
    cut short ends where its data end, both with a `VideoWarning`.

    The index counts the pictures that can be decoded, as OpenCV does. With a start time the decoder begins at
    the key frame before it, and the index is counted from the film's packets without decoding them: damaged
    frames before the start, but for those before the film's first picture, then count too.

    Args:
        path: a film, or a named pipe of one.
        span: the part asked for.
        frame_rate: frames per second for a film without time stamps; None takes FFmpeg's guess. Others have
            no use for it, which a `VideoWarning` says.

    Raises:
        VideoError: the file is missing, empty, not a film, or has no moving picture.
    """

    has_own_times = True
    """Also of a film without time stamps: the rate that FFmpeg guesses for it may be any number."""

    def __init__(self, path: Path, span: TimeSpan, *, frame_rate: Fraction | float | None = None) -> None:
        super().__init__(str(path), span)
        self._regular = _check_file(path)
        self.path = path if self._regular else None
        self.can_read_ahead = self._regular
        self._location = str(path)
        self._begin(frame_rate)

    def _begin(self, frame_rate: Fraction | float | None) -> None:
        self._last_error = ""
        self._end_s = 0.0
        self._orientation: Orientation | None = None
        self._reformatter = VideoReformatter()
        self._open()
        guess = self._stream.average_rate or self._stream.guessed_rate
        untimed = not self._has_times
        if frame_rate is not None and not untimed:
            self._warn(UNUSED_RATE.format(float(frame_rate)))
        self.frame_rate = (frame_rate if untimed else None) or guess or frame_rate or DEFAULT_FRAME_RATE
        self.pixel_aspect = self._read_pixel_aspect()
        self.frame_count = self._estimate_count()

    def _open_location(self) -> InputContainer:
        return open_container(self._location, self.name)

    def _open(self) -> None:
        self._container = self._open_location()
        try:
            self._stream: VideoStream = select_video_stream(self._container, self.name)
        except VideoError:
            self._container.close()
            raise
        self._origin = timeline_origin(self._container, self._stream)
        self._by_decoding_order = self._container.format.name in FORMATS_WITHOUT_PRESENTATION_TIMES
        if self._stream.time_base:
            rounded_s = min(self._stream.time_base, COARSEST_ROUNDED_CLOCK_S) / 2
            self._span = replace(self._span, tolerance_s=float(rounded_s) + FLOAT_TOLERANCE_S)
        self._first_pts: int | None = None
        self._damaged = 0
        self._packets = 0

    def _release(self) -> None:
        self._container.close()

    @property
    def _has_times(self) -> bool:
        """Whether the film says when its pictures are shown."""
        if self._are_stamps_guessed:
            return False
        has_start = self._stream.start_time is not None
        return has_start or self._container.format.name in FORMATS_WITHOUT_START_TIME

    @property
    def _are_stamps_guessed(self) -> bool:
        return self._container.format.name in FORMATS_STAMPED_BY_GUESS

    @property
    def _needs_seeking(self) -> bool:
        """Whether it is of a kind that is read from both ends, but comes through a pipe or network."""
        return not self._regular and "mp4" in self._container.format.name.split(",")

    @property
    def _duration_s(self) -> float | None:
        duration = self._container.duration
        return None if duration is None else duration / 1e6

    def _estimate_count(self) -> int | None:
        duration_s, rate = self._duration_s, float(self.frame_rate or DEFAULT_FRAME_RATE)
        if self._stream.frames and not self._span.is_limited:
            return self._stream.frames
        return None if duration_s is None else round(self._span.overlap_s(duration_s) * rate)

    def _read_pixel_aspect(self) -> Fraction:
        aspect = self._stream.sample_aspect_ratio or Fraction(1)
        if aspect == 1 or not self._regular:
            return aspect
        # Rotation is written on the pictures, and a quarter turn swaps width and height.
        with self._open_location() as container:
            try:
                picture = next(container.decode(self._stream.index), None)
            except av.FFmpegError:
                return aspect
        turned = isinstance(picture, VideoFrame) and read_orientation(picture, self.name)[0]
        return 1 / aspect if turned else aspect

    @property
    def _is_broken(self) -> bool:
        return bool(self._last_error)

    def _why_no_frame(self) -> str:
        if self._is_broken and self._needs_seeking:
            return (
                f"an MP4 film, which mostly has its index at its end, cannot be read as it comes "
                f"({self._last_error}): save it to a file first, or send Matroska (.mkv) or MPEG-TS (.ts)"
            )
        if self._is_broken:
            return f"decoding fails with: {self._last_error}"
        if self._span.is_limited and self._duration_s is not None:
            return f"the film lasts {self._duration_s:g} s"
        return "it holds none that can be decoded"

    def _read(self) -> Generator[Frame, None, None]:
        pictures, index = self._pictures_near_start()
        for time_s, picture in pictures:
            if self._is_over(time_s):
                break
            if self._span.is_before(time_s):
                index = None if index is None else index + 1
                continue
            if index is None:
                index = self._count_pictures_before(picture)
            yield self._convert(picture, index, time_s)
            index += 1
            self._end_s = time_s + self._shown_s(picture)
        else:
            self._check_whole()
        if self._damaged:
            self._warn(
                f"{self._damaged} damaged frames could not be decoded and were skipped; "
                "frame numbers count them only where they lie before a start time"
            )

    def _pictures_near_start(self) -> tuple[Iterator[tuple[float, VideoFrame]], int | None]:
        """Pictures with their times and the index of the first, None where a seek has left it unknown."""
        start_s, time_base = self._span.start_s, self._stream.time_base
        timed = self._stream.start_time is not None
        timed &= not (self._are_stamps_guessed or self._by_decoding_order)
        if not start_s or not self._regular or not timed or not time_base:
            return self._time_pictures(), 0
        try:
            opening = next(self._decode(), None)
            self._first_pts = None if opening is None else opening.pts
            self._damaged = 0  # What is damaged before it may be decoded once more.
            self._container.seek(int((Fraction(start_s) + self._origin) / time_base), stream=self._stream)
            pictures = self._time_pictures()
            first = next(pictures, None)
        except (av.FFmpegError, OverflowError):  # the latter: no clock counts so far
            first = None
        # Some formats seek to no key frame; what could be decoded then starts too late.
        if first is not None and first[0] <= start_s and None not in (first[1].pts, self._first_pts):
            return chain((first,), pictures), None
        self._container.close()
        self._open()
        return self._time_pictures(), 0

    def _time_pictures(self) -> Iterator[tuple[float, VideoFrame]]:
        """Decoded pictures with their times in seconds; one without a stamp follows its predecessor."""
        period = 1 / Fraction(self.frame_rate or DEFAULT_FRAME_RATE)
        origin = None if self._by_decoding_order else self._origin
        are_guessed = self._are_stamps_guessed
        time = -period
        for picture in self._decode():
            stamp = picture.dts if self._by_decoding_order else picture.pts
            if are_guessed or stamp is None or picture.time_base is None:
                time += period
            else:
                origin = stamp * picture.time_base if origin is None else origin
                time = stamp * picture.time_base - origin
            yield float(time), picture

    def _decode(self) -> Iterator[VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._on_read_error(error)
                packet = None
            try:
                pictures = self._stream.decode(packet)
            except av.error.EOFError:
                pictures = []
            except av.FFmpegError as error:
                self._damaged += 1
                self._last_error = describe_av_error(error)
                pictures = []
            yield from pictures
            if packet is None:
                return
            self._packets += packet.size > 0

    def _on_read_error(self, error: av.FFmpegError) -> None:
        self._last_error = describe_av_error(error)
        self.truncated = True

    def _count_pictures_before(self, picture: VideoFrame) -> int:
        """Count the packets shown before `picture`, from the film's first picture on.

        A recording that was cut before a key frame begins with packets that give no picture.
        """
        first, end = self._first_pts, picture.pts
        if first is None or end is None:
            return 0
        count = 0
        with self._open_location() as container:
            for packet in container.demux(container.streams[self._stream.index]):
                # Decoding times never exceed presentation times and never fall: nothing earlier can follow.
                if packet.dts is not None and packet.dts >= end:
                    break
                if packet.pts is not None and first <= packet.pts < end:
                    count += not packet.is_discard
        return count

    def _convert(self, picture: VideoFrame, index: int, time_s: float) -> Frame:
        try:
            # One reformatter for all frames: a fresh one each time costs half of the speed.
            image = self._reformatter.reformat(picture, format="rgb24").to_ndarray()
        except (av.FFmpegError, ValueError) as error:
            reason = describe_av_error(error)
            raise VideoError(
                f"{self.name}: cannot turn pixel format {picture.format.name} into RGB: {reason}; "
                "convert the film"
            ) from error
        if self._orientation is None:
            # Once a film: PyAV ties a picture and its side data in a cycle that only the collector frees.
            self._orientation = read_orientation(picture, self.name)
        upright = turn_upright(np.ascontiguousarray(image), self._orientation)
        return Frame(image=upright, index=index, time_s=time_s)

    def _shown_s(self, picture: VideoFrame) -> float:
        """Seconds that a picture is shown: as the film says, else one frame period."""
        if picture.duration and picture.time_base is not None and not self._are_stamps_guessed:
            return float(picture.duration * picture.time_base)
        return float(1 / (self.frame_rate or DEFAULT_FRAME_RATE))

    def _check_whole(self) -> None:
        """Warn where the film's data ended before its header said."""
        if not self._delivered:
            return
        sought = bool(self._span.start_s)
        expected = self._stream.frames
        if expected and not sought:
            self.truncated |= self._packets < expected
        elif len(self._container.streams) == 1 and self._duration_s is not None:
            begins_s = float(self._origin) if self._container.format.name in FORMATS_TIMED_FROM_ZERO else 0.0
            self.truncated |= begins_s + self._end_s < self._duration_s - MAX_MISSING_TAIL_S
        if self.truncated:
            self._warn(f"the film is cut short: its data end at {self._end_s:.2f} s")

    def _warn(self, problem: str) -> None:
        warnings.warn(f"{self.name}: {problem}", VideoWarning, stacklevel=4)


def _check_file(path: Path) -> bool:
    """Whether `path` is a regular file, as opposed to a pipe; raises where it is neither."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise VideoError(f"cannot open {path}: {describe_av_error(error)}; check the path") from error
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise VideoError(f"{path} is empty (0 bytes): the recording or download failed")
    return stat.S_ISREG(status.st_mode)
