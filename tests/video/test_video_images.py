"""Image files as frames: order, times, odd kinds of files, and folders that hold none."""

import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from film_making import corner_colours, corner_image, grey_image, level

from aiatrack.errors import FrameError, SettingsError, VideoError
from aiatrack.video import open_frames, read_ahead

UPRIGHT = ["red", "green", "blue", "white"]


def write_image(path: Path, rgb: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if rgb.ndim == 3 and rgb.shape[2] == 3 else rgb
    assert cv2.imwrite(str(path), bgr)
    return path


def write_folder(folder: Path, names: list[str]) -> Path:
    for index, name in enumerate(names):
        write_image(folder / name, grey_image(index))
    return folder


def test_files_are_all_of_the_source(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "film", ["1.png", "2.png", "10.png"])
    files = [folder / name for name in ("1.png", "2.png", "10.png")]
    for source, expected in [(folder, files), (f"{folder}/*.png", files), (files[1], files[1:2])]:
        with open_frames(source) as frames:
            assert list(frames.files) == expected
    with read_ahead(open_frames(folder, start_s=0.05)) as frames:
        assert list(frames.files) == files
    with open_frames([np.zeros((4, 4, 3), np.uint8)]) as frames:
        assert list(frames.files) == []


def test_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    names = ["img1.png", "img2.jpg", "IMG9.PNG", "img10.bmp", "img11.webp", "img100.tif"]
    folder = write_folder(tmp_path / "film", names)
    (folder / "groundtruth.txt").write_text("1,2,3,4\n")
    (folder / "._img1.png").write_bytes(b"resource fork")
    with open_frames(folder) as source:
        assert (source.frame_count, source.frame_rate, source.path, source.live) == (6, 30, None, False)
        frames = list(source)
    found = [int(frame.image[8, 8, 0]) for frame in frames]
    np.testing.assert_allclose(found, [level(index) for index in range(6)], atol=2)
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.time_s for frame in frames] == pytest.approx([index / 30 for index in range(6)])


def test_zero_padded_and_plain_numbers_sort_by_value(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "film", ["2.png", "0003.png", "10.png"])
    levels = [int(frame.image[0, 0, 0]) for frame in open_frames(str(folder))]
    assert levels == [level(0), level(1), level(2)]


def test_start_end_and_rate_on_a_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "film", [f"{index}.png" for index in range(20)])
    with open_frames(folder, start_s=0.5, end_s=0.9, frame_rate=Fraction(10)) as source:
        assert source.frame_count == 4
        frames = list(source)
    assert [frame.index for frame in frames] == [5, 6, 7, 8]
    assert [frame.time_s for frame in frames] == pytest.approx([0.5, 0.6, 0.7, 0.8])
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [level(index) for index in range(5, 9)]


def test_start_after_the_last_image(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "film", ["0.png", "1.png"])
    with pytest.raises(VideoError, match="from 5 s: its 2 images last"):
        next(open_frames(folder, start_s=5))


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("eight.png", corner_image()),
        ("sixteen.png", corner_image().astype(np.uint16) * 257),
        ("alpha.png", np.dstack([corner_image()[..., ::-1], np.full((48, 64), 128, np.uint8)])),
        ("photo.jpg", corner_image()),
        ("odd.png", corner_image(63, 47)),
        ("scan.tif", corner_image()),
    ],
)
def test_kinds_of_images_become_8_bit_rgb(tmp_path: Path, name: str, image: np.ndarray) -> None:
    frame = next(open_frames(write_image(tmp_path / name, image)))
    assert frame.image.dtype == np.uint8
    assert frame.image.shape == (*image.shape[:2], 3)
    assert frame.image.flags.c_contiguous
    assert corner_colours(frame.image) == UPRIGHT


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_images_become_rgb(tmp_path: Path, dtype: type) -> None:
    grey = np.full((8, 8), 100 if dtype == np.uint8 else 100 * 257, dtype)
    frame = next(open_frames(write_image(tmp_path / "grey.png", grey)))
    np.testing.assert_array_equal(frame.image, np.full((8, 8, 3), 100))


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, ["red", "green", "blue", "white"]),
        (3, ["white", "blue", "green", "red"]),
        (6, ["blue", "red", "white", "green"]),
        (8, ["green", "white", "red", "blue"]),
    ],
)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, expected: list[str]) -> None:
    photo = write_image(tmp_path / "photo.jpg", corner_image())
    tiff = b"MM\x00*\x00\x00\x00\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"Exif\x00\x00" + tiff
    data = photo.read_bytes()
    photo.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:])
    assert corner_colours(next(open_frames(photo)).image) == expected


@pytest.mark.parametrize("pattern", ["*.png", "img?.png", "img[0-9].png"])
def test_glob_takes_images_only(tmp_path: Path, pattern: str) -> None:
    write_folder(tmp_path, ["img0.png", "img1.png", "img2.png"])
    (tmp_path / "img_notes.txt").write_text("no image")
    with open_frames(str(tmp_path / pattern)) as source:
        assert [int(frame.image[0, 0, 0]) for frame in source] == [level(0), level(1), level(2)]


def test_glob_over_folders(tmp_path: Path) -> None:
    write_folder(tmp_path / "part2", ["0.png"])
    write_folder(tmp_path / "part10", ["0.png"])
    with open_frames(str(tmp_path / "part*" / "*.png")) as source:
        assert source.frame_count == 2


def test_glob_in_a_folder_with_brackets(tmp_path: Path) -> None:
    folder = tmp_path / "clip [1]"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), grey_image(0))
    with open_frames(str(folder / "*.png")) as source:
        assert len(list(source)) == 1


def test_path_with_brackets_is_no_glob(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "film [1]", ["0.png", "1.png"])
    assert len(list(open_frames(str(folder)))) == 2


@pytest.mark.parametrize(
    ("prepare", "source", "message"),
    [
        (lambda root: (root / "empty").mkdir(), "empty", "has no image"),
        (lambda root: write_folder(root / "seq" / "img", ["0.png"]), "seq", r"did you mean .*seq/img\?"),
        (lambda root: (root / "a.txt").write_text("x"), "*.txt", "1 files, none of them an image"),
        (lambda root: None, "*.jpg", "matches nothing"),
        (lambda root: None, "missing.png", "No such file"),
        (lambda root: (root / "a.png").write_bytes(b""), "a.png", r"empty \(0 bytes\)"),
        (lambda root: (root / "a.jpg").write_text("no image"), "a.jpg", "damaged or not an image"),
    ],
)
def test_what_holds_no_image_is_refused(tmp_path: Path, prepare: object, source: str, message: str) -> None:
    prepare(tmp_path)  # type: ignore[operator]
    with pytest.raises(VideoError, match=message):
        next(open_frames(str(tmp_path / source)))


def test_damaged_image_in_the_middle_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, ["0.png", "1.png", "2.png"])
    data = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(data[:20])
    with open_frames(folder) as source:
        assert next(source).index == 0
        with pytest.raises(VideoError, match=r"1\.png is damaged"):
            next(source)


def test_size_change_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "0.png", grey_image(0))
    write_image(tmp_path / "1.png", grey_image(0, 80, 60))
    with pytest.raises(FrameError, match=r"frame 1 is 80 x 60 pixels but the first was 64 x 48"):
        list(open_frames(tmp_path))


@pytest.mark.parametrize(
    "options",
    [
        {"start_s": -1},
        {"start_s": float("nan")},
        {"end_s": 0.0, "start_s": 0.0},
        {"start_s": 2, "end_s": 1},
        {"end_s": float("inf")},
        {"frame_rate": 0},
        {"frame_rate": -5.0},
        {"frame_rate": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        open_frames(write_folder(tmp_path / "film", ["0.png"]), **options)


def test_names_are_as_seen_from_the_common_folder(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        write_image(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    with open_frames(tmp_path / "a") as frames:
        assert frames.image_names == ["1.png", "2.png"]
        assert read_ahead(frames).image_names == ["1.png", "2.png"]
    with open_frames(f"{tmp_path}/*/1.png") as frames:
        assert frames.image_names == ["a/1.png", "b/1.png"]
    with open_frames(tmp_path / "b" / "1.png") as frames:
        assert frames.image_names == ["1.png"]
    with open_frames(np.zeros((2, 8, 8, 3), np.uint8)) as frames:
        assert list(frames.image_names) == []
