"""The film that contenders are timed on: rendered for the purpose, or the user's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from aiatrack.boxes import check_box_xywh
from aiatrack.crop import Image
from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings
from aiatrack.errors import BoxError, VideoError
from aiatrack.video import Frame, open_film, open_frames

Box = tuple[float, float, float, float]

_MOST_RENDERED_TARGETS = 8
"""More boxes than that lie on the same things again: what is in a box has no influence on time."""


@dataclass(frozen=True)
class TimingFilm:
    """A film on disk, its first frames decoded, and targets in the first of them.

    Attributes:
        path: of the film.
        name: what to call it.
        images: frame 0, then those of the warm-up and those that are timed.
        boxes: left, top, width, height in frame 0, px; at least one.
        frame_rate: nominal, frames per second.
    """

    path: Path
    name: str
    images: list[Image]
    boxes: list[Box]
    frame_rate: float

    def boxes_of(self, targets: int) -> list[Box]:
        """So many boxes, each used again where there are too few."""
        return list(islice(cycle(self.boxes), targets))


def render_film(folder: Path, frames: int, targets: int) -> TimingFilm:
    """Render 640 x 480 H.264 of textured things that move before a moving camera.

    Args:
        folder: to put it in.
        frames: its length.
        targets: things to follow, at most eight of them different.
    """
    world = SyntheticWorld(
        SyntheticWorldSettings(
            frames=frames, targets=min(targets, _MOST_RENDERED_TARGETS), speed=0.5, camera_motion=0.4
        )
    )
    rate = world.settings.frame_rate
    path = folder / "rendered.mp4"
    with open_film(path, frame_rate=rate) as film:
        for shown in world:
            film.write(Frame(shown.image, shown.index, shown.index / rate))
    boxes = world.boxes_xywh(0)
    return replace(take_film(path, boxes[~np.isnan(boxes[:, 0])].tolist(), frames), name="rendered")


def take_film(path: Path, boxes: Sequence[Sequence[float]], frames: int) -> TimingFilm:
    """Decode the first frames of a film.

    Raises:
        VideoError: it cannot be read, or is shorter than `frames`.
        BoxError: no box, or one that does not lie in the first frame.
    """
    with open_frames(path) as source:
        images = [frame.image for frame in islice(source, frames)]
        rate = float(source.frame_rate or 30)
    if len(images) < frames:
        raise VideoError(f"{path} has {len(images)} frames, but {frames} are asked for: lower --frames")
    if not boxes:
        raise BoxError("a film of your own needs a target: give --box X,Y,WIDTH,HEIGHT in its first frame")
    height, width = images[0].shape[:2]
    checked = [check_box_xywh(box, frame_width=width, frame_height=height) for box in boxes]
    return TimingFilm(
        path, path.name, images, [(x, y, w, h) for x, y, w, h in (box.tolist() for box in checked)], rate
    )
