"""Sizes from headers equal sizes from decoding."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.errors import DataError
from aiatrack.image_files import read_image_size


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (17, 300), (641, 480)])
def test_size_equals_what_was_written(tmp_path: Path, suffix: str, width: int, height: int):
    path = tmp_path / f"picture{suffix}"
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))
    assert read_image_size(path) == (width, height)


def test_paths_of_any_letters_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On Windows OpenCV opens no path with letters that the system's code page lacks."""
    path = tmp_path / "\u00e4\u8f66.bmp"
    path.write_bytes(cv2.imencode(".bmp", np.zeros((40, 50, 3), np.uint8))[1].tobytes())
    monkeypatch.setattr(cv2, "imread", lambda *_: None)
    assert read_image_size(path) == (50, 40)


def test_progressive_jpegs_with_long_headers_are_read(tmp_path: Path):
    path = tmp_path / "picture.jpg"
    cv2.imwrite(str(path), np.zeros((40, 50, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    content = path.read_bytes()
    comment = b"\xff\xff\xfe" + (60_002).to_bytes(2, "big") + b"\xff\xc0" * 30_000
    path.write_bytes(content[:2] + comment + content[2:])
    assert read_image_size(path) == (50, 40)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n\x00", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "picture.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a picture"):
        read_image_size(path)
    with pytest.raises(DataError, match="cannot read"):
        read_image_size(tmp_path / "nothing.jpg")
