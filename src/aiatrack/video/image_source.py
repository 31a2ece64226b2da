"""Frames from image files: a folder, a glob or one picture."""

import os
from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import VideoError
from aiatrack.image_files import decode_upright, select_images
from aiatrack.video.frames import DEFAULT_FRAME_RATE, Frame, FrameSource, Image
from aiatrack.video.time_span import TimeSpan


class ImageSource(FrameSource):
    """Image files as frames, each read when its turn comes; frame `i` is shown at `i / frame_rate`.

    Grey, palette, 16-bit and transparent pictures become 8-bit RGB and EXIF rotation is applied.

    Args:
        paths: the files in order.
        name: what to call them together.
        span: the part asked for, by the times above.
        frame_rate: frames per second; None means 30.

    Raises:
        VideoError: while iterating, where a file cannot be read; a silently skipped one would shift every
            later line of a result against its picture.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        name: str,
        span: TimeSpan,
        *,
        frame_rate: Fraction | float | None = None,
    ) -> None:
        super().__init__(name, span)
        self.frame_rate = frame_rate or DEFAULT_FRAME_RATE
        self.can_read_ahead = True
        times = [float(index / Fraction(self.frame_rate)) for index in range(len(paths))]
        self._numbered = [
            (index, time_s, path)
            for index, (time_s, path) in enumerate(zip(times, paths, strict=True))
            if not (span.is_before(time_s) or span.is_over(time_s))
        ]
        self._is_cut_by_span = bool(times) and span.is_over(times[-1])
        self.frame_count = len(self._numbered)
        self.image_names = _names_below_their_folder(paths)
        self._files = tuple(paths)
        self._why = f"its {len(paths)} images last {len(paths) / float(self.frame_rate):g} s"

    @property
    def files(self) -> Sequence[Path]:
        """See `FrameSource`; images outside the span are none to be replaced either."""
        return self._files

    def _release(self) -> None:
        self._numbered = []

    def _why_no_frame(self) -> str:
        return self._why

    def _read(self) -> Generator[Frame, None, None]:
        for index, time_s, path in self._numbered:
            yield Frame(image=read_image(path), index=index, time_s=time_s)


def read_image(path: Path) -> Image:
    """Read an image file as upright `(H, W, 3)` uint8 RGB.

    Raises:
        VideoError: the file is missing, empty or no image.
    """
    data = read_image_file(path)
    try:
        image = decode_upright(data)
    except cv2.error as error:
        raise VideoError(f"image {path} cannot be decoded: {error.err}") from error
    if image is None:
        raise VideoError(f"image {path} is damaged or not an image: remove it or copy it again")
    return image


def read_image_file(path: Path) -> npt.NDArray[np.uint8]:
    """Read the bytes of an image file.

    Raises:
        VideoError: the file is missing or empty.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise VideoError(f"cannot read image {path}: {getattr(error, 'strerror', error)}") from error
    if data.size == 0:
        raise VideoError(f"image {path} is empty (0 bytes): remove it or copy it again")
    return data


def list_images(folder: Path) -> list[Path]:
    """Image files of a folder in natural order: `img2` before `img10`.

    Raises:
        VideoError: the folder cannot be listed or has no image.
    """
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise VideoError(f"cannot list folder {folder}: {error.strerror}") from error
    images = select_images(entries)
    if not images:
        # `glob` finds nothing in what is no folder, or may not be looked into.
        inside = [entry.name for entry in entries if select_images(entry.glob("*"))]
        hint = f"; did you mean {folder / sorted(inside)[0]}?" if inside else ""
        raise VideoError(f"folder {folder} has no image (.jpg, .png, .bmp, .webp, .tif, ...){hint}")
    return images


def _names_below_their_folder(paths: Sequence[Path]) -> list[str]:
    folder = os.path.commonpath([path.parent for path in paths]) if paths else ""
    return [path.relative_to(folder).as_posix() for path in paths]
