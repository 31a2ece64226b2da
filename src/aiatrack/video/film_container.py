"""Opening films with PyAV: which stream is the film, where its clock starts, which way is up."""

import struct
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from aiatrack.errors import VideoError
from aiatrack.video.frames import Image

TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "idf", "adf"})
"""Demuxers that render text as pictures: whoever passes a text file did not mean that."""

Orientation = tuple[bool, int | None]
"""How to turn a picture upright: whether to transpose it, then the code of `cv2.flip`, None for no flip."""

_ORIENTATIONS: dict[tuple[int, int, int, int], Orientation] = {
    # signs of (a, b, c, d) in x' = a x + c y, y' = b x + d y, y down -> (transpose first, cv2.flip code)
    (1, 0, 0, 1): (False, None),
    (-1, 0, 0, -1): (False, -1),
    (-1, 0, 0, 1): (False, 1),
    (1, 0, 0, -1): (False, 0),
    (0, 1, 1, 0): (True, None),
    (0, 1, -1, 0): (True, 1),
    (0, -1, 1, 0): (True, 0),
    (0, -1, -1, 0): (True, -1),
}


def open_container(
    location: str,
    name: str,
    *,
    timeout_s: float | None = None,
    options: dict[str, str] | None = None,
) -> InputContainer:
    """Open a film file or address for reading.

    Args:
        location: path or address as FFmpeg takes it.
        name: what to call it in messages.
        timeout_s: seconds to wait for the opening and for every packet; None waits for ever.
        options: options of FFmpeg's protocols and demuxers.

    Raises:
        VideoError: it cannot be opened or is no film.
    """
    try:
        container = av.open(
            location, "r", options=options or {}, timeout=timeout_s, metadata_errors="replace"
        )
    except av.error.ExitError as error:
        raise VideoError(
            f"{name} did not answer within {timeout_s:g} s: check address and network"
        ) from error
    except av.error.InvalidDataError as error:
        raise VideoError(
            f"{name} is not a film, or its header is missing or damaged: no format known to FFmpeg fits it"
        ) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot open {name}: {describe_av_error(error)}") from error
    if container.format.name in TEXT_FORMATS:
        container.close()
        raise VideoError(f"{name} is a text file, not a film")
    return container


def describe_av_error(error: Exception) -> str:
    """The reason alone, without the location, which may hold a password."""
    return (error.strerror if isinstance(error, av.FFmpegError | OSError) else None) or str(error)


def select_video_stream(container: InputContainer, name: str) -> VideoStream:
    """Return the film's main moving picture, set to decode on several threads.

    Raises:
        VideoError: there is none, or only the cover of an audio file, or no decoder for it.
    """
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise VideoError(f"{name} has no moving picture (it holds: {kinds}): give a file with video")
    best = container.streams.best("video")
    stream = best if best is not None and best in streams else streams[0]
    if stream.codec_context is None:
        raise VideoError(f"{name}: this build of FFmpeg has no decoder for its video; convert it to H.264")
    stream.thread_type = "AUTO"
    return stream


def timeline_origin(container: InputContainer, stream: VideoStream) -> Fraction:
    """Time stamp, in seconds, at which players start the film: 0 of `Frame.time_s` and of copied audio."""
    if container.start_time is None:
        return Fraction(0)
    container_start = Fraction(container.start_time, 1_000_000)
    if stream.start_time is None or stream.time_base is None:
        return container_start
    stream_start = stream.start_time * stream.time_base
    # The container's figure is rounded to microseconds; the stream's is exact.
    return stream_start if abs(stream_start - container_start) < Fraction(1, 1000) else container_start


def read_orientation(picture: VideoFrame, name: str) -> Orientation:
    """Read how a decoded picture is to be turned upright from its display matrix, if it has one.

    Raises:
        VideoError: the film's display matrix is not one of the eight quarter turns and mirrorings.
    """
    matrix = cast(SideData | None, picture.side_data.get("DISPLAYMATRIX"))
    if matrix is None:
        return False, None
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    signs = cast(tuple[int, int, int, int], tuple(int(np.sign(v)) for v in (a, b, c, d)))
    if signs not in _ORIENTATIONS:
        raise VideoError(
            f"{name} is to be shown turned by {picture.rotation} degrees; only quarter turns are handled: "
            "re-encode it upright"
        )
    return _ORIENTATIONS[signs]


def turn_upright(image: Image, orientation: Orientation) -> Image:
    """Apply what `read_orientation` returned to an `(H, W, 3)` image."""
    transpose, flip_code = orientation
    if transpose:
        image = cast(Image, cv2.transpose(image))
    if flip_code is not None:
        image = cast(Image, cv2.flip(image, flip_code))
    return image
