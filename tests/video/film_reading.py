"""What tests ask of the frames of little films."""

import numpy as np
from film_making import level

from aiatrack.video import Frame, open_frames


def read_all(source: object, **options: object) -> list[Frame]:
    with open_frames(source, **options) as frames:  # type: ignore[arg-type]
        return list(frames)


def levels(frames: list[Frame]) -> list[int]:
    return [int(frame.image[8, 8, 0]) for frame in frames]


def assert_marks(frames: list[Frame], expected: list[int]) -> None:
    np.testing.assert_allclose(levels(frames), [level(index) for index in expected], atol=2)
