"""Names that are taken as they are, or refused in our own words: `~`, null characters, long numbers."""

import sys
from nturl2path import url2pathname as windows_path
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.errors import AiATrackError, DataError, OutputError, VideoError
from aiatrack.video import (
    BoxRow,
    FilmFacts,
    Frame,
    finish_box_document,
    open_box_writer,
    open_film,
    open_frames,
    read_boxes_txt,
    sources,
)

NULL = "a\0b"
ROW = BoxRow(0, 0.0, (1.0, 2.0, 3.0, 4.0), 1.0)
DOCUMENT = "~no such user.cvat.xml"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_boxes_whose_name_begins_with_a_tilde(here: Path) -> None:
    with open_box_writer("~no such user.txt") as writer:
        writer.write(ROW)
    assert read_boxes_txt("~no such user.txt").tolist() == [list(ROW.box_xywh)]
    open_box_writer(DOCUMENT, film=FilmFacts("a", 9, 9)).write(ROW)  # killed
    assert finish_box_document(f"{DOCUMENT}.journal") == Path(DOCUMENT)


def test_images_and_films_whose_name_begins_with_a_tilde(here: Path) -> None:
    image = np.full((16, 16, 3), 7, np.uint8)
    cv2.imwrite("~no such user.png", image)
    with open_film("~no such user.mp4", frame_rate=30) as film:
        film.write(Frame(image, 0, 0.0))
    for source in ("~no such user.png", "~no such user.mp4", ["~no such user.png"]):
        assert [frame.image.shape for frame in open_frames(source)] == [(16, 16, 3)]


def test_images_of_an_iterable_lie_at_home(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    cv2.imwrite("a.png", np.zeros((8, 8, 3), np.uint8))
    assert len(list(open_frames(["~/a.png", Path("~/a.png")]))) == 2


@pytest.mark.parametrize(
    "source", [f"{NULL}.mp4", f"{NULL}.png", f"{NULL}*.png", "file:///a%00b.mp4", [f"{NULL}.png"]]
)
def test_null_characters_in_sources(source: str | list[str]) -> None:
    with pytest.raises(VideoError):
        list(open_frames(source))


@pytest.mark.parametrize("name", ["csv", "txt", "mot.txt", "cvat.xml"])
def test_null_characters_in_files_of_boxes(name: str) -> None:
    with pytest.raises(OutputError, match="null"):
        open_box_writer(f"{NULL}.{name}", film=FilmFacts("a", 9, 9))


def test_null_characters_in_films_journals_and_annotations() -> None:
    with pytest.raises(OutputError, match="null"):
        open_film(f"{NULL}.mp4", frame_rate=30)
    with pytest.raises(DataError, match="null"):
        finish_box_document(f"{NULL}.cvat.xml.journal")
    with pytest.raises(DataError, match="null"):
        read_boxes_txt(f"{NULL}.txt")


@pytest.mark.parametrize("source", ["20231126153000", "camera:2147483648", 2**40, np.int64(2**40)])
def test_a_number_that_no_camera_can_have(source: str | int | np.integer) -> None:
    with pytest.raises(VideoError, match=r"no camera \d+, and no file or folder of that name"):
        open_frames(source)


def test_a_number_that_is_too_long_to_be_read() -> None:
    with pytest.raises(VideoError, match="name too long"):
        open_frames("9" * 5000)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:///C:/my%20films/a.mp4", r"C:\\my films\\a\.mp4"),
        ("file:///C|/a.mp4", r"C:\\a\.mp4"),
    ],
)
def test_file_addresses_on_windows(monkeypatch: pytest.MonkeyPatch, address: str, path: str) -> None:
    monkeypatch.setattr(sources, "url2pathname", windows_path)
    with pytest.raises(VideoError, match=f"cannot open {path}: "):
        open_frames(address)


def test_file_address_with_half_a_host() -> None:
    with pytest.raises(VideoError, match="no address of a file"):
        open_frames("file://[::1/a.mp4")


def test_standard_input_on_windows(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(AiATrackError, match="standard input are not read on Windows"):
        open_frames("-")
