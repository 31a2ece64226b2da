"""Pixels by image id, out of the flat files that the store made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from aiatrack.data.index import SourceIndex

Image = npt.NDArray[np.uint8]


class ImageBank(Protocol):
    """Whatever gives an image for its id."""

    def read(self, image: int) -> Image:
        """Return `(H, W, 3)` RGB or `(H, W, 4)` RGBA, uint8; not to be written to."""
        ...


class FlatImages:
    """Images of several sources, mapped into memory from their flat files; ids run through all sources."""

    def __init__(self, files: Sequence[Path], indexes: Sequence[SourceIndex]) -> None:
        self.files = tuple(files)
        lengths = [int(_end(index)) for index in indexes]
        self.file_start = np.cumsum([0, *lengths])
        """`(len(files) + 1,)` where each file begins if all were one."""
        self._file = np.concatenate([np.full(len(x.image_offset), i) for i, x in enumerate(indexes)])
        self._local = np.concatenate([index.image_offset for index in indexes])
        self.offset = self._local + self.file_start[self._file]
        """`(N,)` first byte of each image if all files were one."""
        self.size = np.concatenate([index.image_size for index in indexes]).astype(np.int64)
        self.channels = np.concatenate([index.image_channels for index in indexes]).astype(np.int64)
        self._maps = self._open()

    def _open(self) -> list[Image]:
        lengths = np.diff(self.file_start)
        return [
            np.memmap(path, dtype=np.uint8, mode="r") if length else np.zeros(0, dtype=np.uint8)
            for path, length in zip(self.files, lengths, strict=True)
        ]

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_maps"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._maps = self._open()

    def read(self, image: int) -> Image:
        """Return `(H, W, 3)` RGB or `(H, W, 4)` RGBA, uint8, without copying."""
        width, height = self.size[image].tolist()
        channels, start = int(self.channels[image]), int(self._local[image])
        pixels = self._maps[int(self._file[image])][start : start + width * height * channels]
        return np.asarray(pixels).reshape(height, width, channels)

    def read_all(self) -> Image:
        """Return the bytes of all files in a row, addressed by `offset`; as large as the whole store."""
        return np.concatenate([np.asarray(pixels) for pixels in self._maps])


def _end(index: SourceIndex) -> int:
    if not len(index.image_offset):
        return 0
    sizes = index.image_size.astype(np.int64).prod(axis=1) * index.image_channels
    return int((index.image_offset + sizes).max())
