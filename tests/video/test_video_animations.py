"""One image file with several pictures gives them all: animated WebP and PNG, TIFF of several pages."""

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from film_making import grey_image, level, make_film

from aiatrack.errors import FrameError, VideoError
from aiatrack.video import Frame, VideoWarning, open_frames

COUNT = 70  # more than are decoded at once
ANIMATIONS = ["film.webp", "film.png", "film.tif"]


def write_animation(path: Path, count: int = COUNT, shown_ms: int = 40) -> Path:
    pictures = [grey_image(index) for index in range(count)]
    if path.suffix == ".png":
        return make_film(path, pictures, codec="apng", pix_fmt="rgb24", file_format="apng")
    if path.suffix == ".tif":
        assert cv2.imwritemulti(str(path), pictures)
        return path
    animation = cv2.Animation()
    animation.frames, animation.durations = pictures, [shown_ms] * count
    # Lossless: the lossy encoder merges pictures as alike as these.
    assert cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, 101])
    return path


def read_all(path: Path, **options: float) -> list[Frame]:
    with open_frames(path, **options) as frames:
        return list(frames)


def assert_marked(frames: list[Frame], expected: range) -> None:
    assert [frame.index for frame in frames] == list(expected)
    found = [int(frame.image[8, 8, 0]) for frame in frames]
    np.testing.assert_allclose(found, [level(index) for index in expected], atol=3)
    assert [frame.time_s for frame in frames] == pytest.approx([index / 25 for index in expected])


@pytest.mark.parametrize("name", ANIMATIONS)
def test_every_picture_is_a_frame(tmp_path: Path, name: str) -> None:
    path = write_animation(tmp_path / name)
    with open_frames(path, frame_rate=25) as source:
        assert source.frame_count == (None if name.endswith("png") else COUNT)
        assert float(source.frame_rate or 0) == pytest.approx(25)
        assert list(source.files) == [path]
        frames = list(source)
    assert_marked(frames, range(COUNT))
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.dtype == np.uint8


@pytest.mark.parametrize("name", ANIMATIONS)
def test_start_and_end_pick_pictures(tmp_path: Path, name: str) -> None:
    path = write_animation(tmp_path / name)
    assert_marked(read_all(path, frame_rate=25, start_s=0.4, end_s=1.8), range(10, 45))
    with pytest.raises(VideoError, match="has no frame from 9 s"):
        read_all(path, start_s=9)


@pytest.mark.parametrize("name", [*ANIMATIONS, "film.tiff"])
def test_single_picture_is_an_image(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    cv2.imwrite(str(path), grey_image(3))
    with open_frames(path) as source:
        assert list(source.image_names) == [name]
        assert [frame.index for frame in source] == [0]


def test_picture_shown_for_no_time_is_shown_as_browsers_do(tmp_path: Path) -> None:
    frames = read_all(write_animation(tmp_path / "film.webp", 3, shown_ms=0))
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2])


def test_sixteen_bit_pages_become_eight(tmp_path: Path) -> None:
    pages = [np.full((8, 8), 100 * 257, np.uint16), np.full((8, 8), 50 * 257, np.uint16)]
    assert cv2.imwritemulti(str(tmp_path / "film.tif"), pages)
    frames = read_all(tmp_path / "film.tif")
    assert [frame.image[0, 0].tolist() for frame in frames] == [[100] * 3, [50] * 3]


@pytest.mark.parametrize("head", [b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"])
def test_damaged_big_tiff_is_refused(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "film.tif").write_bytes(head + b"\xff" * 8)
    with pytest.raises(VideoError, match=r"image .*film\.tif"):
        read_all(tmp_path / "film.tif")


def test_frame_rate_of_an_animation_is_not_used(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "film.webp", 3)
    with pytest.warns(VideoWarning, match=r"film\.webp: .* the frame rate of 5 is not used"):
        frames = read_all(path, frame_rate=5)
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.04, 0.08])


@pytest.mark.parametrize("order", ["<", ">"])
def test_pages_of_a_big_tiff(tmp_path: Path, order: str) -> None:
    # BigTIFF: 8-byte offsets, entries of 20 bytes.
    tags = [(256, 4), (257, 4), (258, 8), (259, 1), (262, 1), (273, 16), (277, 1), (278, 4), (279, 16)]
    entries = b"".join(struct.pack(order + "HHQII", tag, 4, 1, value, 0) for tag, value in tags)
    mark = b"II+\0" if order == "<" else b"MM\0+"
    data = mark + struct.pack(order + "HHQ", 8, 0, 32) + bytes([9] * 16)
    for page in range(3):
        following = len(data) + 8 + len(entries) + 8 if page < 2 else 0
        data += struct.pack(order + "Q", len(tags)) + entries + struct.pack(order + "Q", following)
    (tmp_path / "film.tif").write_bytes(data)
    assert [frame.image[0, 0, 0] for frame in read_all(tmp_path / "film.tif")] == [9, 9, 9]


def test_pages_of_another_size_are_refused(tmp_path: Path) -> None:
    assert cv2.imwritemulti(str(tmp_path / "film.tif"), [grey_image(0), grey_image(1, 32, 24)])
    with pytest.raises(FrameError, match="frame 1 is 32 x 24 pixels"):
        read_all(tmp_path / "film.tif")


def test_damaged_animation_is_refused(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "film.webp")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(VideoError, match="damaged"):
        read_all(path)


def test_tiff_whose_pages_lead_in_a_circle_is_read_once(tmp_path: Path) -> None:
    path = write_animation(tmp_path / "film.tif", 1)
    data = bytearray(path.read_bytes())
    (place,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, place)
    struct.pack_into("<I", data, place + 2 + 12 * entries, place)
    path.write_bytes(data)
    assert len(read_all(path)) == 1


@pytest.mark.parametrize("name", ANIMATIONS)
def test_name_that_is_not_utf8(tmp_path: Path, name: str) -> None:
    path = write_animation(tmp_path / name, 3)
    odd = path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff" + path.suffix.encode()))
    assert len(read_all(odd)) == 3


def test_old_opencv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_animation(tmp_path / "film.webp", 3)
    monkeypatch.delattr(cv2, "imdecodeanimation")
    with pytest.raises(VideoError, match=r"needs OpenCV 4\.12 or newer"):
        read_all(path)
