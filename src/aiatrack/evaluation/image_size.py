"""Width and height of a picture, upright as it is tracked in, mostly without decoding it."""

import struct
from pathlib import Path
from typing import BinaryIO

import cv2

from aiatrack.errors import DataError
from aiatrack.image_files import png_chunks

_JPEG_SIGNATURE = b"\xff\xd8"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF_MARKER = 0xE1
_JPEG_LONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})


def read_image_size(path: Path) -> tuple[int, int]:
    """Read width and height in pixels; from the header of JPEG and PNG files without EXIF, else by decoding.

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
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path} is not a picture that can be read")
    return image.shape[1], image.shape[0]


def _size_from_header(stream: BinaryIO) -> tuple[int, int] | None:
    try:
        if stream.read(2) == _JPEG_SIGNATURE:
            return _jpeg_size(stream)
        stream.seek(0)
        return _png_size(stream)
    except struct.error:  # cut short: let the decoder say what is wrong
        return None


def _png_size(stream: BinaryIO) -> tuple[int, int] | None:
    """Of the first chunk; none for other files, and if EXIF, which may turn it, comes before the pixels."""
    size = None
    for kind, _ in png_chunks(stream):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", stream.read(8))
            size = width, height
        if kind in (b"eXIf", b"IDAT"):
            return size if kind == b"IDAT" else None
    return None


def _jpeg_size(stream: BinaryIO) -> tuple[int, int] | None:
    """Walk from marker to marker up to the one that starts a frame; none if EXIF is met before it."""
    while True:
        mark, kind = struct.unpack(">BB", stream.read(2))
        while kind == 0xFF:  # markers may be padded
            (kind,) = struct.unpack(">B", stream.read(1))
        if mark != 0xFF or kind == _EXIF_MARKER:
            return None
        if kind in _JPEG_LONE_MARKERS:
            continue
        (length,) = struct.unpack(">H", stream.read(2))
        if kind in _JPEG_FRAME_MARKERS:
            _, height, width = struct.unpack(">BHH", stream.read(5))
            return width, height
        stream.seek(length - 2, 1)
