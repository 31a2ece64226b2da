"""Width and height of a picture without decoding it."""

import struct
from pathlib import Path
from typing import BinaryIO

import cv2

from aiatrack.errors import DataError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_LONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})


def read_image_size(path: Path) -> tuple[int, int]:
    """Read width and height in pixels; from the header of JPEG and PNG files, else by decoding.

    Raises:
        DataError: the file is missing or no picture.
    """
    try:
        with path.open("rb") as stream:
            size = _size_from_header(stream)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    if size is not None:
        return size
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DataError(f"{path} is not a picture that can be read")
    return image.shape[1], image.shape[0]


def _size_from_header(stream: BinaryIO) -> tuple[int, int] | None:
    start = stream.read(8)
    try:
        if start == _PNG_SIGNATURE:
            width, height = struct.unpack(">II", stream.read(16)[8:])
            return width, height
        if start.startswith(_JPEG_SIGNATURE):
            stream.seek(2)
            return _jpeg_size(stream)
    except struct.error:  # cut short: let the decoder say what is wrong
        return None
    return None


def _jpeg_size(stream: BinaryIO) -> tuple[int, int] | None:
    """Walk from marker to marker up to the one that starts a frame."""
    while True:
        mark, kind = struct.unpack(">BB", stream.read(2))
        while kind == 0xFF:  # markers may be padded
            (kind,) = struct.unpack(">B", stream.read(1))
        if mark != 0xFF:
            return None
        if kind in _JPEG_LONE_MARKERS:
            continue
        (length,) = struct.unpack(">H", stream.read(2))
        if kind in _JPEG_FRAME_MARKERS:
            _, height, width = struct.unpack(">BHH", stream.read(5))
            return width, height
        stream.seek(length - 2, 1)
