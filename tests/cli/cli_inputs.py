"""What the tests of the command line are run on: films, pictures, sound; and what a run gives back."""

import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from aiatrack.video import Frame, open_film

RATE = 25
BOX = "20,20,20,20"
"""The square of `picture(0)`."""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


def picture(index: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A bright square that moves a pixel a frame over a grey ramp."""
    image = np.repeat(np.linspace(40, 120, width, dtype=np.uint8)[None, :, None], height, axis=0)
    image = np.ascontiguousarray(np.repeat(image, 3, axis=2))
    left = 20 + index % 50
    image[20:40, left : left + 20] = (230, 180, 40)
    return image


def make_film(path: Path, frames: int) -> Path:
    with open_film(path, frame_rate=RATE) as film:
        for index in range(frames):
            film.write(Frame(picture(index), index, index / RATE))
    return path


def make_film_with_sound(path: Path) -> Path:
    """Twelve pictures with a gap in time, and half a second of AAC."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 96, 64, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for index in range(12):
            shown = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            shown.pts = index + (index > 5) * 3
            container.mux(pictures.encode(shown))
        container.mux(pictures.encode(None))
        for index in range(24):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            tone.sample_rate, tone.pts = 48000, 1024 * index
            container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    return path


def make_sound(path: Path) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    return path


def make_folder(folder: Path, sizes: list[tuple[int, int]]) -> Path:
    folder.mkdir()
    for index, (width, height) in enumerate(sizes):
        cv2.imwrite(str(folder / f"{index:04d}.png"), picture(index, width, height)[..., ::-1])
    return folder


def film_times(path: Path) -> list[float]:
    """Presentation times, as a player finds them."""
    with av.open(str(path)) as container:
        return [float(shown.time) for shown in container.decode(video=0)]
