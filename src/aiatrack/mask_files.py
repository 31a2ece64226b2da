"""Mask images: which object each pixel belongs to. The same for benchmarks and training data."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.image_files import png_chunks
from aiatrack.paths import exists

_UNUSED = "its image is used without a mask"


def read_mask_of(path: Path, width: int, height: int) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """Read the mask of an image of a known size.

    Returns:
        The mask as `read_mask`, or None; and what is wrong with it, in words, empty if nothing is.
    """
    if problem := missing_mask(path):
        return None, problem
    mask = read_mask(path)
    if mask is None or mask.shape != (height, width):
        return None, f"{path}: not a mask of {width} x {height} pixels; {_UNUSED}"
    return mask, ""


def missing_mask(path: Path) -> str:
    """Say in words that a mask is not there; empty if something is."""
    return "" if exists(path) else f"{path}: missing; {_UNUSED}"


def read_mask(path: Path) -> npt.NDArray[np.uint8] | None:
    """Read the values of a mask, `(H, W)`: indices of a PNG with a palette, else grey levels.

    As boxes are, masks are in the coordinates of the image turned upright.

    Returns:
        None if the file is missing or damaged.
    """
    return _read(path, _decode_grey)


def read_voc_mask(path: Path) -> npt.NDArray[Any] | None:
    """Read the object numbers of a mask, `(H, W)`, that may have been saved without its palette.

    Indices of a PNG with a palette, else grey levels of up to 16 bits, else what the colours of VOC and DAVIS
    stand for.

    Returns:
        None if the file is missing or damaged.
    """
    return _read(path, _decode_voc)


def _read(
    path: Path, decode_plain: Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any] | None]
) -> npt.NDArray[Any] | None:
    """Read a mask by its palette, or, where it has none, by `decode_plain`."""
    try:
        data = path.read_bytes()
        if not data:
            return None
        palette, coded = _read_palette(io.BytesIO(data)), np.frombuffer(data, dtype=np.uint8)
        if palette is None:
            return decode_plain(coded)
        colours = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        return None if colours is None else _indices(colours[..., ::-1], palette)
    except (OSError, ValueError, cv2.error):  # ValueError: a null character in the path, or half a palette
        return None


def _read_palette(file: BinaryIO) -> npt.NDArray[np.uint8] | None:
    """The `(N, 3)` RGB colours of a PNG's palette: OpenCV gives the colours, and not the indices."""
    for kind, length in png_chunks(file):
        if kind == b"IHDR" and file.read(length)[9:10] != b"\x03":  # not of colours from a palette
            return None
        if kind == b"PLTE":
            return np.frombuffer(file.read(length), np.uint8).reshape(-1, 3)
    return None


def _indices(colours_rgb: npt.NDArray[Any], palette: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Where a colour is in the palette twice, as the black of unused entries often is, the first counts."""
    known, first = np.unique(_packed(palette), return_index=True)
    places = np.searchsorted(known, _packed(colours_rgb))
    return np.asarray(first[np.minimum(places, len(known) - 1)], dtype=np.uint8)


def _packed(colours: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.asarray(colours.astype(np.int64) @ (65536, 256, 1))


def _decode_grey(coded: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | None:
    mask = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    return None if mask is None else np.asarray(mask, dtype=np.uint8)


def _decode_voc(coded: npt.NDArray[np.uint8]) -> npt.NDArray[Any] | None:
    mask = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)
    return mask if mask is None or mask.ndim == 2 else _voc_index(mask[..., :3].astype(np.int64))


def _voc_index(colours_bgr: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Invert the colour map of VOC and DAVIS: each channel holds every third bit of the index."""
    index = np.zeros(colours_bgr.shape[:2], np.int64)
    for channel, shift in ((2, 0), (1, 1), (0, 2)):
        plane = colours_bgr[..., channel]
        for place in range(8):
            bit = (plane >> (7 - place)) & 1
            index |= bit << (3 * place + shift)
    return index
