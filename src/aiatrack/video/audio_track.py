"""The sound of a film, carried over packet by packet without decoding."""

from __future__ import annotations  # PyAV's packets are generic for type checkers only

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from aiatrack.errors import VideoError
from aiatrack.video.film_container import describe_av_error, open_container, timeline_origin
from aiatrack.video.frames import VideoWarning

_MP4_CODECS = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})
_MOV_CODECS = frozenset(
    {"aac", "ac3", "alac", "eac3", "mp3", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le"}
)
_CODECS = {"mp4": _MP4_CODECS, "mov": _MOV_CODECS}
"""What players expect, by FFmpeg's name of the format; its muxers accept more and then fail at the end."""


def _fits(codec: str, container_format: str) -> bool:
    """Whether the sound can be carried over; Matroska takes every codec that FFmpeg knows."""
    return codec in _CODECS.get(container_format, {codec}) and codec != "unknown"


class AudioTrack:
    """Reads a film's first sound track in step with the pictures written to another film.

    Args:
        path: the film that has the sound.
        target: the film that gets it, before its header is written.
        start_s: time of `path` at which the new film begins; what lies before is left out.
    """

    def __init__(self, path: Path, target: OutputContainer, start_s: float) -> None:
        self._path = path
        self._container = open_container(str(path), str(path))
        self._source: AudioStream | None = None
        self._pending: Packet[AudioStream] | None = None
        if not self._container.streams.audio:
            return
        source = self._container.streams.audio[0]
        codec = source.codec_context.codec.canonical_name if source.codec_context else "unknown"
        if not _fits(codec, target.format.name):
            self._warn(
                f"its sound ({codec}) does not fit into {target.format.name} and is left out; try .mkv"
            )
            return
        self._source = source
        self._target = target.add_stream_from_template(source)
        self._time_base = source.time_base or Fraction(1, 1_000_000)
        self._shift = round((self._origin() + Fraction(start_s)) / self._time_base)
        self._packets = self._read_packets()
        self._advance()

    def _origin(self) -> Fraction:
        videos = self._container.streams.video
        if videos:
            return timeline_origin(self._container, videos[0])
        return Fraction(self._container.start_time or 0, 1_000_000)

    def _read_packets(self) -> Iterator[Packet[AudioStream]]:
        source = cast(AudioStream, self._source)
        try:
            if self._shift > 0:
                self._container.seek(self._shift, stream=source)
            yield from self._container.demux(source)
        except av.FFmpegError as error:
            self._warn(f"its sound ends early: {describe_av_error(error)}")

    def _advance(self) -> None:
        """Fetch the next packet that lies inside the new film."""
        for packet in self._packets:
            if packet.pts is not None and packet.pts >= self._shift and packet.size:
                self._pending = packet
                return
        self._pending = None

    def take_until(self, time_s: Fraction) -> Iterator[Packet[AudioStream]]:
        """Yield the packets that begin before `time_s` of the new film, stamped for it."""
        while self._pending is not None and self._pending.pts is not None:
            packet, pts = self._pending, self._pending.pts - self._shift
            if pts * self._time_base >= time_s:
                return
            packet.pts = packet.dts = pts
            packet.stream = self._target
            yield packet
            self._advance()

    def close(self) -> None:
        """Close the film that has the sound."""
        self._container.close()

    def _warn(self, problem: str) -> None:
        warnings.warn(f"{self._path}: {problem}", VideoWarning, stacklevel=4)


def open_audio_track(path: Path | None, target: OutputContainer, start_s: float) -> AudioTrack | None:
    """Open the sound of `path` for `target`; None, with a warning, where it cannot be opened."""
    if path is None:
        return None
    try:
        return AudioTrack(path, target, start_s)
    except VideoError as error:
        warnings.warn(f"no sound is copied: {error}", VideoWarning, stacklevel=3)
        return None
