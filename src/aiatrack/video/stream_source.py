"""Frames of a network stream (RTSP, RTMP, HTTP and kin), decoded by PyAV."""

import re
from fractions import Fraction

import av
from av.container import InputContainer

from aiatrack.errors import VideoError
from aiatrack.video.film_container import describe_av_error, open_container
from aiatrack.video.film_source import FilmSource
from aiatrack.video.frames import FrameSource
from aiatrack.video.time_span import TimeSpan

STREAM_SCHEMES = frozenset(
    {"rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "srt", "rtp", "mms"}
)
"""Protocols that FFmpeg reads films over."""

TIMEOUT_S = 15.0
"""How long a stream may stay silent, at its opening and between two packets."""


class StreamSource(FilmSource):
    """A film that comes over the network.

    It is `live` where the server tells no duration. Frames are delivered in order and none is dropped: a
    consumer slower than the stream falls behind by what the network buffers hold.

    Args:
        address: such as `rtsp://host/stream` or `https://host/film.mp4`.
        span: the part asked for; everything before it is received and decoded, not skipped.
        frame_rate: frames per second for a stream without time stamps.
        timeout_s: seconds of silence after which the stream counts as broken.

    Raises:
        VideoError: the protocol is unknown, the server does not answer, or what it sends is no film.
    """

    def __init__(
        self,
        address: str,
        span: TimeSpan,
        *,
        frame_rate: Fraction | float | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        scheme = address.split("://", 1)[0].lower()
        if scheme not in STREAM_SCHEMES:
            known = ", ".join(sorted(STREAM_SCHEMES))
            raise VideoError(f"cannot read streams over {scheme}://; known protocols: {known}")
        FrameSource.__init__(self, hide_password(address), span)
        self._regular = False
        self._location = address
        self._timeout_s = timeout_s
        self._begin(frame_rate)
        self.live = self._container.duration is None
        if self.live:
            self.frame_count = None

    def _open_location(self) -> InputContainer:
        # UDP, the default of RTSP, loses packets in most home networks.
        options = {"rtsp_transport": "tcp"} if self._location.lower().startswith("rtsp") else {}
        return open_container(self._location, self.name, timeout_s=self._timeout_s, options=options)

    def _on_read_error(self, error: av.FFmpegError) -> None:
        if isinstance(error, av.error.ExitError):
            reason = f"no data for {self._timeout_s:g} s"
        elif self._needs_seeking and not self._delivered:
            # Of a server that gives no parts of files; what to do about it is told in the end.
            super()._on_read_error(error)
            return
        else:
            reason = describe_av_error(error)
        raise VideoError(
            f"the stream {self.name} broke off after {self._delivered} frames: {reason}"
        ) from error


def hide_password(address: str) -> str:
    """Return the address without user name and password.

    Passwords are often put in as they are, with letters that an address would have to escape: all up to the
    last `@` goes, unless what is before it is a host and a path, without any colon.
    """
    scheme, mark, rest = address.partition("://")
    before, _, after = rest.rpartition("@")
    is_path = ":" not in before and re.search(r"[/?#]", before)
    return address if is_path else f"{scheme}{mark}{after}"
