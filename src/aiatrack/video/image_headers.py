"""Which image files hold several pictures: animated PNG and WebP, TIFF of several pages.

Headers are read here rather than by `cv2.imcount`, which crashes on file names that are not UTF-8, and knows
no animation before OpenCV 4.11.
"""

import struct
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from aiatrack.image_files import png_chunks

MIN_SHOWN_MS, DEFAULT_SHOWN_MS = 11, 100
"""Browsers show a picture for the second where its file says less than the first."""


def is_animated_png(path: Path) -> bool:
    """Whether a file is a PNG with an animation of more than one picture."""
    with path.open("rb") as file:
        return any(
            kind == b"acTL" and int.from_bytes(file.read(4), "big") > 1 for kind, _ in png_chunks(file)
        )


def read_webp_durations_s(path: Path) -> list[Fraction]:
    """How long each picture of an animated WebP is shown, in seconds; empty for any other file."""
    durations = []
    with path.open("rb") as file:
        form = file.read(12)
        if form[:4] != b"RIFF" or form[8:] != b"WEBP":
            return []
        while len(header := file.read(8)) == 8:
            size = int.from_bytes(header[4:], "little")
            end = file.tell() + size + size % 2
            if header[:4] == b"ANMF":
                shown_ms = int.from_bytes(file.read(15)[12:], "little")
                durations.append(Fraction(shown_ms if shown_ms >= MIN_SHOWN_MS else DEFAULT_SHOWN_MS, 1000))
            file.seek(end)
    return durations


def count_tiff_pages(path: Path) -> int:
    """How many pages a TIFF or BigTIFF has; 0 for any other file."""
    with path.open("rb") as file:
        form = file.read(4)
        if form in (b"II*\0", b"MM\0*"):
            return _count_directories(file, "<" if form[:1] == b"I" else ">", "H", 12, "I")
        if form in (b"II+\0", b"MM\0+"):
            file.seek(4, 1)
            return _count_directories(file, "<" if form[:1] == b"I" else ">", "Q", 20, "Q")
    return 0


def _count_directories(file: BinaryIO, order: str, count: str, entry_bytes: int, offset: str) -> int:
    """Follow the chain of page directories: a count of entries, the entries, the offset of the next."""
    seen: set[int] = set()
    while (place := _unpack(file, order + offset)) and place not in seen:
        seen.add(place)
        file.seek(place)
        file.seek(_unpack(file, order + count) * entry_bytes, 1)
    return len(seen)


def _unpack(file: BinaryIO, kind: str) -> int:
    """One number, or 0 where the file has ended."""
    data = file.read(struct.calcsize(kind))
    return int(struct.unpack(kind, data)[0]) if len(data) == struct.calcsize(kind) else 0
