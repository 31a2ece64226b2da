"""The one door to frames: look at what was given and open the fitting source."""

import glob
import math
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np

from aiatrack.errors import SettingsError, VideoError
from aiatrack.image_files import IMAGE_SUFFIXES, select_images
from aiatrack.paths import exists, expand_home, is_folder
from aiatrack.video.animation_source import AnimationSource
from aiatrack.video.camera_source import CameraSource
from aiatrack.video.film_source import FilmSource
from aiatrack.video.frames import FrameSource
from aiatrack.video.image_headers import count_tiff_pages, is_animated_png, read_webp_durations_s
from aiatrack.video.image_source import ImageSource, list_images
from aiatrack.video.iterable_source import IterableSource
from aiatrack.video.real_numbers import check_real
from aiatrack.video.stream_source import StreamSource
from aiatrack.video.time_span import TimeSpan

SourceLike = str | os.PathLike[str] | int | np.integer[Any] | Iterable[Any]
"""What `open_frames` takes."""

_CAMERA = re.compile(r"(?:camera:)?(\d{1,255})")
"""More digits than a name may have letters are left to whatever opens files: Python reads no such number."""

_LEAST_FRAME_RATE = 1e-9
"""A picture in thirty years; of still lower ones, times no longer fit their type."""


def open_frames(
    source: SourceLike,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    frame_rate: Fraction | float | None = None,
) -> FrameSource:
    """Open anything that gives frames.

    Args:
        source: path of a film, animation or image; folder or glob of images (natural order); camera as `0`,
            `"0"` or `"camera:0"`; address (`rtsp://`, `rtmp://`, `http://`, `https://`, ...); or a Python
            iterable of frames, see `IterableSource`. `"-"` is a film from standard input.
        start_s: skip frames before this time in seconds; indices still count from the source's first frame.
        end_s: stop before the first frame at or after this time in seconds.
        frame_rate: frames per second for sources without time stamps of their own (default 30), the wish for
            a camera; films and streams with time stamps do not use it, and warn.

    Returns:
        A context manager and iterator of `Frame`. Nothing is decoded before the first frame is asked for.

    Raises:
        VideoError: the source is missing, empty, unreadable or of no known kind.
        FrameError: an array of another shape than `(T, H, W, 3)`.
        SettingsError: a time or the frame rate is no number or out of range.
    """
    span = TimeSpan(start_s, end_s)
    if frame_rate is not None:
        frame_rate = check_real(frame_rate, "frame_rate")
        if not (math.isfinite(frame_rate) and frame_rate >= _LEAST_FRAME_RATE):
            raise SettingsError(
                f"frame_rate must be a positive number of frames per second; got {frame_rate}"
            )
    if isinstance(source, int | np.integer) and not isinstance(source, bool):
        return CameraSource(int(source), span, frame_rate=frame_rate)
    if isinstance(source, str | os.PathLike):
        return _open_named(os.fspath(source), span, frame_rate)
    if isinstance(source, Iterable) and not isinstance(source, bytes | bytearray | dict):
        return IterableSource(source, span, frame_rate=frame_rate)
    raise VideoError(
        f"cannot take frames from a {type(source).__name__}: give a path, a camera number, an address, "
        "or an iterable of (H, W, 3) uint8 arrays"
    )


def _open_named(name: str, span: TimeSpan, frame_rate: Fraction | float | None) -> FrameSource:
    if not name.strip():
        raise VideoError("the source is an empty string: give a path, a camera number or an address")
    if name.lower().startswith("file://"):
        return _open_path(_path_of_file_address(name), span, frame_rate)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name):
        return StreamSource(name, span, frame_rate=frame_rate)
    path = expand_home(name)
    if name == "-" and not exists(path):
        if sys.platform == "win32":
            raise VideoError("films from standard input are not read on Windows: save it to a file first")
        return _open_path(Path("/dev/stdin"), span, frame_rate)
    camera = _CAMERA.fullmatch(name)
    if camera and not exists(path):
        return CameraSource(int(camera[1]), span, frame_rate=frame_rate)
    if glob.has_magic(name) and not exists(path):
        return _open_glob(str(path), span, frame_rate)
    return _open_path(path, span, frame_rate)


def _path_of_file_address(address: str) -> Path:
    try:
        return Path(url2pathname(urlsplit(address).path))
    except ValueError as error:
        raise VideoError(f"{address} is no address of a file ({error}): give its path instead") from error


def _open_path(path: Path, span: TimeSpan, frame_rate: Fraction | float | None) -> FrameSource:
    if is_folder(path):
        return ImageSource(list_images(path), str(path), span, frame_rate=frame_rate)
    if path.suffix.lower() in IMAGE_SUFFIXES and exists(path):
        return _open_image(path, span, frame_rate)
    return FilmSource(path, span, frame_rate=frame_rate)


def _open_image(path: Path, span: TimeSpan, frame_rate: Fraction | float | None) -> FrameSource:
    # A file that cannot be read is refused once its frame is asked for, as one in a folder is. Damaged ones
    # may lead to places that no file has.
    with suppress(OSError, ValueError, OverflowError):
        if is_animated_png(path):
            return FilmSource(path, span, frame_rate=frame_rate)
        if len(read_webp_durations_s(path)) > 1 or count_tiff_pages(path) > 1:
            return AnimationSource(path, span, frame_rate=frame_rate)
    return ImageSource([path], str(path), span, frame_rate=frame_rate)


def _open_glob(pattern: str, span: TimeSpan, frame_rate: Fraction | float | None) -> FrameSource:
    folder = Path(pattern).parent
    if is_folder(folder):
        # Brackets in its name, as those of `clip[1]`, are meant as they are.
        pattern = str(Path(glob.escape(str(folder)), Path(pattern).name))
    # `Path.glob` takes no absolute pattern.
    found = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    images = select_images(found)
    if not images:
        got = f"{len(found)} files, none of them an image" if found else "nothing"
        raise VideoError(f"the pattern {pattern} matches {got}: give a pattern such as 'folder/*.jpg'")
    return ImageSource(images, pattern, span, frame_rate=frame_rate)
