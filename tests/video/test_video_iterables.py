"""Frames handed in from Python: what is taken, what is refused and by which words."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from film_making import grey_image, level

from aiatrack.errors import FrameError, SettingsError, VideoError
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


ORANGE = (255, 102, 0)
"""One of the colours of Pillow's own palette."""


def picture(mode: str) -> Any:
    """An orange Pillow image of a mode, 8 x 6 pixels."""
    return pytest.importorskip("PIL.Image").new("RGB", (8, 6), ORANGE).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "P", "CMYK", "YCbCr", "HSV"])
def test_pillow_images_keep_their_colours(mode: str) -> None:
    frame = next(open_frames([picture(mode)]))
    # Steps of YCbCr and HSV are coarser than those of RGB.
    np.testing.assert_allclose(frame.image, np.broadcast_to(ORANGE, (6, 8, 3)), atol=8)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_pillow_images_become_rgb(mode: str) -> None:
    white = pytest.importorskip("PIL.Image").new("RGB", (8, 6), "white").convert(mode)
    np.testing.assert_array_equal(next(open_frames([white])).image, np.full((6, 8, 3), 255))


def test_frames_of_a_gif(tmp_path: Path) -> None:
    image, sequence = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageSequence")
    colours = [ORANGE, (10, 120, 250), (10, 250, 120)]
    first, *others = [image.new("RGB", (8, 6), colour) for colour in colours]
    first.save(tmp_path / "film.gif", save_all=True, append_images=others)
    with image.open(tmp_path / "film.gif") as film:
        frames = list(open_frames(sequence.Iterator(film)))
    assert [tuple(frame.image[3, 4].tolist()) for frame in frames] == colours


@pytest.mark.parametrize(("mode", "numbers"), [("I;16", "uint16"), ("I", "int32"), ("F", "float32")])
def test_deep_pillow_images_are_refused_as_arrays_are(mode: str, numbers: str) -> None:
    deep = pytest.importorskip("PIL.Image").new(mode, (8, 6), 300)
    with pytest.raises(FrameError, match=rf"{numbers}.*scale to 0\.\.255"):
        next(open_frames([deep]))


def test_damaged_pillow_images_are_refused(tmp_path: Path) -> None:
    image, path = pytest.importorskip("PIL.Image"), tmp_path / "half.png"
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    with image.open(path) as half, pytest.raises(FrameError, match=r"frame 0: .*truncated"):
        next(open_frames([half]))


def test_tensors_that_carry_gradients_are_refused() -> None:
    tensor = pytest.importorskip("torch").zeros((6, 8, 3), requires_grad=True)
    with pytest.raises(FrameError, match=r"frame 0: .*detach\(\)"):
        next(open_frames([tensor]))


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
        ([np.zeros((6, 8, 3), np.uint8), 0.0], "got a list that cannot be made one"),
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
    "times", [[0.0, 0.0], [1.0, 0.5], [0.0, float("nan")], [float("nan")], [float("inf")], ["now"], [10**400]]
)
def test_times_must_be_finite_and_increase(times: list[float]) -> None:
    with pytest.raises(FrameError, match=r"times must be finite and increase|time in seconds"):
        list(open_frames([(grey_image(0), time_s) for time_s in times]))


@pytest.mark.parametrize("rate", [25, np.float32(25), np.int64(25), np.uint8(25), Fraction(25)])
def test_frame_rates_of_any_library(rate: Any) -> None:
    frames = list(open_frames([grey_image(index) for index in range(4)], frame_rate=rate))
    assert [frame.time_s for frame in frames] == [0, 0.04, 0.08, 0.12]


@pytest.mark.parametrize("second", [np.float32(1), np.int64(1), Fraction(1)])
def test_spans_of_any_library(second: Any) -> None:
    images = [grey_image(index) for index in range(4)]
    assert [frame.index for frame in open_frames(images, frame_rate=2, start_s=second)] == [2, 3]
    source = open_frames(images, frame_rate=2, end_s=second)
    assert source.frame_count == 2
    assert [frame.index for frame in source] == [0, 1]


@pytest.mark.parametrize(
    "value", ["0.1", Decimal("0.1"), True, 1j, np.array([1.0]), pytest.param(10**400, id="huge")]
)
@pytest.mark.parametrize("setting", ["frame_rate", "start_s", "end_s"])
def test_what_is_no_number_is_refused_at_opening(setting: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"{setting.removesuffix('_s')} must be"):
        open_frames([grey_image(0)], **{setting: value})  # type: ignore[arg-type]


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
