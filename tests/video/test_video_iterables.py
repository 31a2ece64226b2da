"""Frames handed in from Python: what is taken, what is refused and by which words."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from film_making import grey_image, level

from aiatrack.errors import FrameError, VideoError
from aiatrack.video import Frame, open_frames


def test_list_of_arrays() -> None:
    images = [grey_image(index) for index in range(5)]
    with open_frames(images, frame_rate=10) as source:
        assert (source.frame_count, source.path, source.live) == (5, None, False)
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(5))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert frames[3].image is images[3]


def test_generator_is_drawn_one_at_a_time() -> None:
    drawn: list[int] = []

    def generate() -> Iterator[np.ndarray]:
        for index in range(100):
            drawn.append(index)
            yield grey_image(index)

    with open_frames(generate()) as source:
        assert source.frame_count is None
        assert drawn == []
        next(source)
        next(source)
    assert drawn == [0, 1]


def test_stamped_images_keep_their_times_and_span() -> None:
    stamped = [(grey_image(index), time_s) for index, time_s in enumerate([0.0, 0.5, 0.6, 2.0, 3.0])]
    frames = list(open_frames(stamped, start_s=0.5, end_s=3.0))
    assert [(frame.index, frame.time_s) for frame in frames] == [(1, 0.5), (2, 0.6), (3, 2.0)]


def test_frames_keep_their_times() -> None:
    frames = list(open_frames(Frame(grey_image(0), 7 + index, 0.1 * index) for index in range(3)))
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2])


def test_array_of_frames() -> None:
    film = np.stack([grey_image(index) for index in range(4)])
    assert [int(frame.image[0, 0, 0]) for frame in open_frames(film)] == [level(index) for index in range(4)]


def test_list_of_image_paths(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for index, path in enumerate(paths):
        cv2.imwrite(str(path), grey_image(index))
    assert [int(frame.image[0, 0, 0]) for frame in open_frames(paths[::-1])] == [level(2), level(1), level(0)]


@pytest.mark.parametrize(
    "image",
    [np.full((6, 8), 90, np.uint8), np.full((6, 8, 1), 90, np.uint8), np.full((6, 8, 4), 90, np.uint8)],
)
def test_grey_and_alpha_become_rgb(image: np.ndarray) -> None:
    frame = next(open_frames([image]))
    np.testing.assert_array_equal(frame.image, np.full((6, 8, 3), 90))


def test_view_becomes_contiguous() -> None:
    bgr = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    frame = next(open_frames([bgr[..., ::-1]]))
    assert frame.image.flags.c_contiguous
    np.testing.assert_array_equal(frame.image, bgr[..., ::-1])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((6, 8, 3), np.float32), r"float32.*scale to 0\.\.255"),
        (np.full((6, 8, 3), np.nan), "float64.*NaN"),
        (np.zeros((6, 8, 3), np.uint16), "uint16"),
        (np.zeros((6, 8, 3), bool), "bool"),
        (np.zeros((3, 6, 8), np.uint8), r"\(3, 6, 8\).*channels come last"),
        (np.zeros((6, 8, 2), np.uint8), r"\(6, 8, 2\)"),
        (np.zeros((0, 8, 3), np.uint8), "no pixel"),
        (np.zeros((1, 6, 8, 3), np.uint8), r"\(1, 6, 8, 3\)"),
        (np.zeros(5, np.uint8), r"\(5,\)"),
        (None, "not an image"),
        (object(), "not an image"),
        ({"image": 1}, "not an image"),
    ],
)
def test_what_is_no_frame_is_refused_with_its_index(image: object, message: str) -> None:
    with open_frames([grey_image(0, 8, 6), image]) as source:
        next(source)
        with pytest.raises(FrameError, match=rf"frame 1: .*{message}"):
            next(source)


@pytest.mark.parametrize(
    "times", [[0.0, 0.0], [1.0, 0.5], [0.0, float("nan")], [float("nan")], [float("inf")], ["now"]]
)
def test_times_must_be_finite_and_increase(times: list[float]) -> None:
    with pytest.raises(FrameError, match=r"times must be finite and increase|time in seconds"):
        list(open_frames([(grey_image(0), time_s) for time_s in times]))


def test_size_change_is_refused() -> None:
    with pytest.raises(FrameError, match=r"frame 1 is 10 x 12 .* 64 x 48"):
        list(open_frames([grey_image(0), grey_image(0, 10, 12)]))


def test_single_image_is_no_list_of_frames() -> None:
    with pytest.raises(FrameError, match="put one image into a list"):
        open_frames(grey_image(0))


@pytest.mark.parametrize("source", [[], iter(()), (image for image in ())])
def test_nothing_is_refused(source: object) -> None:
    with pytest.raises(VideoError, match="has no frame"):
        next(open_frames(source))  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [None, 3.5, True, b"film.mp4", {}, object(), "", "  "])
def test_what_gives_no_frames_is_refused(source: object) -> None:
    with pytest.raises(VideoError):
        open_frames(source)  # type: ignore[arg-type]


def test_errors_of_the_iterable_pass_through() -> None:
    def generate() -> Iterator[np.ndarray]:
        yield grey_image(0)
        raise RuntimeError("the caller's own")

    with open_frames(generate()) as source, pytest.raises(RuntimeError, match="the caller's own"):
        list(source)
