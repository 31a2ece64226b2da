"""Which files of a folder are images, and in what order: the same for videos and for benchmarks."""

import re
from collections.abc import Iterable
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".jp2"}
)
"""Endings, in lower case, of files that count as images."""


def select_images(paths: Iterable[Path]) -> list[Path]:
    """Keep the image files among `paths`, hidden ones left out, in natural order: `img2` before `img10`."""
    return sorted(
        (path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")),
        key=_natural_key,
    )


def _natural_key(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", str(path))
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]
