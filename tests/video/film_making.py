"""Little films and pictures made for the tests, with PyAV and nothing else."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
RATE = 25


def level(index: int) -> int:
    """Grey level that marks frame `index`; steps survive lossy coding."""
    return 20 + 4 * index % 230


def grey_image(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level(index), np.uint8)


def corner_image(width: int = 64, height: int = 48) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2], image[: height // 2, width // 2 :] = RED, GREEN
    image[height // 2 :, : width // 2], image[height // 2 :, width // 2 :] = BLUE, WHITE
    return image


def corner_colours(image: np.ndarray) -> list[str]:
    """Names of the colours top left, top right, bottom left, bottom right."""
    names = {RED: "red", GREEN: "green", BLUE: "blue", WHITE: "white"}
    height, width = image.shape[:2]
    places = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return [names.get(tuple((image[place] > 128) * 255), f"{image[place]}") for place in places]


def make_film(
    path: Path,
    images: Sequence[Any] | int = 10,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = RATE,
    times: Sequence[float] | None = None,
    container_options: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    audio: str | None = None,
    aspect: Fraction | None = None,
    file_format: str | None = None,
) -> Path:
    """Encode `images` (or so many grey ones) at `rate` frames per second, or at `times` in seconds."""
    pictures = [grey_image(index) for index in range(images)] if isinstance(images, int) else images
    with av.open(str(path), "w", format=file_format, container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        height, width = (pictures[0][0] if isinstance(pictures[0], tuple) else pictures[0]).shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        clock = Fraction(1, 1000) if times is not None else 1 / Fraction(rate)
        stream.time_base = stream.codec_context.time_base = clock
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        sound = add_sound(container, audio) if audio else None
        for index, image in enumerate(pictures):
            picture = av.VideoFrame.from_ndarray(image, format="pal8" if pix_fmt == "pal8" else "rgb24")
            picture.pts = index if times is None else round(times[index] * 1000)
            picture.time_base = clock
            container.mux(stream.encode(picture))
        if sound is not None:
            encode_sound(container, sound, float(len(pictures) / rate))
        container.mux(stream.encode(None))
    return path


def add_sound(container: Any, codec: str) -> Any:
    return container.add_stream(codec, rate=48000, layout="mono")


def encode_sound(container: Any, stream: Any, seconds: float) -> None:
    samples = round(48000 * seconds)
    wave = np.sin(np.arange(samples) * (2 * np.pi * 440 / 48000)) * 8000
    frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout="mono", rate=48000, frame_size=stream.frame_size or None
    )
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def make_sound(path: Path, codec: str = "pcm_s16le") -> Path:
    with av.open(str(path), "w") as container:
        encode_sound(container, add_sound(container, codec), 0.5)
    return path


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write (a, b, c, d) of the display matrix into the first track header of an MP4."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def probe(path: Path) -> dict[str, Any]:
    """Decode a film with plain PyAV: what any player would find."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pictures = list(container.decode(stream))
        return {
            "times": [float(picture.time) for picture in pictures],
            "levels": [int(picture.to_ndarray(format="rgb24").flat[0]) for picture in pictures],
            "size": (stream.width, stream.height),
            "frames": stream.frames,
            "duration_s": (container.duration or 0) / 1e6,
            "rate": stream.average_rate,
            "codec": stream.codec_context.name,
            "aspect": stream.sample_aspect_ratio,
            "image": pictures[0].to_ndarray(format="rgb24"),
        }


def sound_times(path: Path) -> list[float]:
    """Start times of the sound packets, empty where there is no sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets = container.demux(container.streams.audio[0])
        return [float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None]
