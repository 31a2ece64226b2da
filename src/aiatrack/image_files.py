"""Image files: which they are, order and numbers, size and parts by their headers, pixels upright.

The same for videos, benchmarks and training data.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".jp2"}
)
"""Endings, in lower case, of files that count as images."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF_MARKER = 0xE1
_JPEG_LONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})


def select_images(paths: Iterable[Path]) -> list[Path]:
    """Keep the image files among `paths`, hidden ones left out, in natural order: `img2` before `img10`."""
    return sorted(
        (path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")),
        key=_natural_key,
    )


def frame_number(path: Path) -> int | None:
    """The number that an image's name ends with; None if it ends otherwise."""
    digits = re.search(r"[0-9]{1,18}$", path.stem)
    return int(digits[0]) if digits else None


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length in bytes of each chunk of a PNG, up to the one that its pixels begin in.

    The file stands at the chunk's content, of which as much may be read as is wanted. There are none in any
    other file.
    """
    if file.read(len(_PNG_SIGNATURE)) != _PNG_SIGNATURE:
        return
    kind = b""
    while kind != b"IDAT" and len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        content = file.tell()
        yield kind, length
        file.seek(content + length + 4)  # behind the check sum


def decode_upright(coded: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    """Decode what an image file holds as `(H, W, 3)` uint8 RGB, turned as its EXIF says.

    Grey, palette, 16-bit and transparent images become 8-bit RGB as well.

    Returns:
        None if it is damaged or no image.

    Raises:
        cv2.error: there is nothing to decode, or more than OpenCV decodes.
    """
    image = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_upright(path: Path) -> npt.NDArray[np.uint8] | None:
    """Read an image file as `decode_upright`.

    Returns:
        None if the file is missing, damaged or no image.
    """
    try:
        # Read by Python: on Windows OpenCV's own reading knows few letters.
        return decode_upright(np.frombuffer(path.read_bytes(), np.uint8))
    except (OSError, ValueError, cv2.error):  # ValueError: a null character in the path
        return None


def read_image_size(path: Path) -> tuple[int, int]:
    """Read width and height in pixels of a picture, upright as it is tracked in.

    It is decoded where there is no header to read: JPEG and PNG files have one, but EXIF, which may turn the
    picture, has to be applied.

    Raises:
        DataError: the file is missing or no picture.
    """
    try:
        with path.open("rb") as file:
            size = _size_in_header(file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    if size is not None:
        return size
    image = read_upright(path)
    if image is None:
        raise DataError(f"{path} is not a picture that can be read")
    return image.shape[1], image.shape[0]


def _size_in_header(file: BinaryIO) -> tuple[int, int] | None:
    try:
        if file.read(2) == _JPEG_SIGNATURE:
            return _jpeg_size(file)
        file.seek(0)
        return _png_size(file)
    except struct.error:  # cut short: let the decoder say what is wrong
        return None


def _png_size(file: BinaryIO) -> tuple[int, int] | None:
    """Of the first chunk; none for other files, and if EXIF, which may turn it, comes before the pixels."""
    size = None
    for kind, _ in png_chunks(file):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", file.read(8))
            size = width, height
        if kind in (b"eXIf", b"IDAT"):
            return size if kind == b"IDAT" else None
    return None


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Walk from marker to marker up to the one that starts a frame; none if EXIF is met before it."""
    while True:
        mark, kind = struct.unpack(">BB", file.read(2))
        while kind == 0xFF:  # markers may be padded
            (kind,) = struct.unpack(">B", file.read(1))
        if mark != 0xFF or kind == _EXIF_MARKER:
            return None
        if kind in _JPEG_LONE_MARKERS:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if kind in _JPEG_FRAME_MARKERS:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)


def _natural_key(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]
