"""Pixels by image id, out of the flat files that the store made, or out of files of their own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import Annotations
from aiatrack.data.index import SourceIndex
from aiatrack.errors import DataError
from aiatrack.image_files import decode_upright

Image = npt.NDArray[np.uint8]

_EXIF_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF")
"""In JPEG, PNG and WebP files that may say how the camera was held."""


class ImageBank(Protocol):
    """Whatever gives an image for its id."""

    def read(self, image: int) -> Image:
        """Return `(H, W, 3)` RGB or `(H, W, 4)` RGBA, uint8; not to be written to."""
        ...


class FlatImages:
    """Images of several sources, mapped into memory from their flat files; ids run through all sources."""

    def __init__(self, files: Sequence[Path], indexes: Sequence[SourceIndex]) -> None:
        """Map the files.

        Args:
            files: one flat file for each source.
            indexes: of the same sources.
        """
        self.files = tuple(files)
        self.size = np.concatenate([index.image_size for index in indexes]).astype(np.int64)
        """`(N, 2)` width and height, px."""
        self._channels = np.concatenate([index.image_channels for index in indexes]).astype(np.int64)
        self._file = np.concatenate([np.full(len(x.image_offset), i) for i, x in enumerate(indexes)])
        self._offset = np.concatenate([index.image_offset for index in indexes])
        self._maps = self._open()

    def _open(self) -> list[Image]:
        # an empty file cannot be mapped
        return [
            np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.zeros(0, dtype=np.uint8)
            for path in self.files
        ]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_maps"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._maps = self._open()

    def read(self, image: int) -> Image:
        """Return `(H, W, 3)` RGB or `(H, W, 4)` RGBA, uint8, without copying."""
        width, height = self.size[image].tolist()
        channels, start = int(self._channels[image]), int(self._offset[image])
        pixels = self._maps[int(self._file[image])][start : start + width * height * channels]
        return np.asarray(pixels).reshape(height, width, channels)


class FileImages:
    """Images of one source, decoded from their own files whenever they are read."""

    def __init__(self, annotations: Annotations) -> None:
        self._clips = tuple(clip.images for clip in annotations.clips)
        self._start = np.cumsum([0, *(len(images) for images in self._clips)])

    def read(self, image: int) -> Image:
        """Return `(H, W, 3)` RGB or `(H, W, 4)` RGBA, uint8.

        Raises:
            DataError: the file is missing or damaged; the message names it.
        """
        clip = int(np.searchsorted(self._start, image, "right")) - 1
        path = self._clips[clip][image - int(self._start[clip])]
        pixels = read_image(path)
        if pixels is None:
            raise DataError(f"{path}: missing or not an image")
        return pixels


class JoinedImages:
    """Images of several banks, ids running through all of them."""

    def __init__(self, banks: Sequence[ImageBank], counts: Sequence[int]) -> None:
        """Join banks that hold `counts` images each."""
        self._banks, self._start = tuple(banks), np.cumsum([0, *counts])

    def read(self, image: int) -> Image:
        """Return `(H, W, 3)` RGB or `(H, W, 4)` RGBA, uint8."""
        bank = int(np.searchsorted(self._start, image, "right")) - 1
        return self._banks[bank].read(image - int(self._start[bank]))


def read_image(path: Path) -> Image | None:
    """Read an image file: as RGB, upright, or, where some of it is transparent, as RGBA.

    Returns:
        None if the file is missing or damaged.
    """
    try:
        data = path.read_bytes()
        return _decode(data) if data else None
    except (OSError, ValueError, cv2.error):  # ValueError: a null character in the path
        return None


def _decode(data: bytes) -> Image | None:
    coded = np.frombuffer(data, dtype=np.uint8)
    image = cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8 or image.ndim != 3:
        return decode_upright(coded)
    # An alpha channel without a transparent pixel, as screenshots have, makes no cut-out.
    if image.shape[2] == 4 and bool((image[..., 3] < 255).any()):
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), dtype=np.uint8)
    # OpenCV turns images upright only where colours are all that is asked for.
    if any(mark in data for mark in _EXIF_MARKS):
        return decode_upright(coded)
    return np.asarray(cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2RGB), dtype=np.uint8)
