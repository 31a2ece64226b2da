"""What image files say before they are decoded: which they are, their order and numbers, parts of a PNG.

The same for videos, benchmarks and training data.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".jp2"}
)
"""Endings, in lower case, of files that count as images."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


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


def _natural_key(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]
