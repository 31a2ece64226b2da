"""What every source of frames shares: the frame, the iterator, and the checks on both."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from aiatrack.errors import FrameError, VideoError
from aiatrack.video.time_span import TimeSpan

Image = npt.NDArray[np.uint8]
"""RGB image, `(H, W, 3)` uint8, rows contiguous in memory."""

DEFAULT_FRAME_RATE = Fraction(30)
"""Frames per second assumed where a source has no time of its own (folders, iterables without times)."""

UNUSED_RATE = "a film has times of its own: the frame rate of {:g} is not used"
"""What a film or animation warns of where a frame rate is given."""


class VideoWarning(UserWarning):
    """A source or output is usable but not whole: frames damaged, a film cut short, audio left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        image: RGB, `(H, W, 3)` uint8, upright.
        index: 0-based place in the source, counted from the source's first frame even where the first frames
            were skipped by `start_s`; cameras and streams count from the first frame received.
        time_s: presentation time in seconds from the start of the source.
    """

    image: Image
    index: int
    time_s: float


class FrameSource(ABC):
    """Iterator of `Frame` and context manager; one pass, holding no frame once it is delivered.

    Attributes:
        name: what to call the source in messages; passwords in addresses are left out.
        frame_rate: nominal frames per second, or None where nobody knows (some cameras).
        frame_count: best estimate of how many frames will be delivered; None for live sources.
        live: True where frames come when they come: cameras and endless streams.
        has_own_times: True where the source says when each frame is shown, and `frame_rate` is no more than a
            hint: films, streams, animations and cameras. Elsewhere it is `frame_rate` that says it.
        can_read_ahead: True where frames lie in files, to be read whenever one likes; see `read_ahead`.
        image_names: of image files, by the index of their frame, as seen from the folder that holds them
            all; empty for every other kind.
        path: the film file, which also holds the audio; None for every other kind.
        pixel_aspect: width of a pixel over its height. Frames are delivered in stored pixels, never
            resampled, so that boxes mean pixels; pass this on to `open_film` and the film looks alike.
        truncated: True once a film turned out to end before its header says.
    """

    name: str
    frame_rate: Fraction | float | None = None
    frame_count: int | None = None
    live: bool = False
    has_own_times: bool = False
    can_read_ahead: bool = False
    image_names: Sequence[str] = ()
    path: Path | None = None
    pixel_aspect: Fraction = Fraction(1)
    truncated: bool = False

    def __init__(self, name: str, span: TimeSpan) -> None:
        self.name = name
        self._span = span
        self._frames: Generator[Frame, None, None] | None = None
        self._closed = False
        self._delivered = 0
        self._came_to_its_end = False
        self._is_cut_by_span = False
        self._size: tuple[int, int] | None = None

    @abstractmethod
    def _read(self) -> Generator[Frame, None, None]:
        """Yield the frames inside the span, in order of presentation."""

    @abstractmethod
    def _release(self) -> None:
        """Give back files and devices; called once."""

    @abstractmethod
    def _why_no_frame(self) -> str:
        """The reason, for the error of a source that came to its end without a frame."""

    @property
    def _is_broken(self) -> bool:
        """Whether reading failed, so that what follows, and whether anything does, is unknown."""
        return False

    @property
    def files(self) -> Sequence[Path]:
        """Every file that frames are read from, none of which an output may replace."""
        return () if self.path is None else (self.path,)

    @property
    def goes_on(self) -> bool:
        """Whether there are frames after the last one that was delivered, as far as anybody knows."""
        if self._came_to_its_end:
            return self._is_cut_by_span
        if self.frame_count is None:
            # It was left before its end. What comes live is gone with it, the rest is there to be looked at.
            return not self.live
        return self._delivered < self.frame_count

    def _is_over(self, time_s: float) -> bool:
        """Whether the span ends before a frame of this time, which there is."""
        self._is_cut_by_span = self._span.is_over(time_s)
        return self._is_cut_by_span

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        """Return the next frame.

        Raises:
            VideoError: the source cannot be read, or came to its end without a single frame.
            FrameError: the frame is not an image, or its size differs from the first frame's.
        """
        if self._closed:
            raise StopIteration
        if self._frames is None:
            self._frames = self._read()
        frame = next(self._frames, None)
        if frame is None:
            self._finish()
            raise StopIteration
        self._check_size(frame)
        self._delivered += 1
        return frame

    def _finish(self) -> None:
        self._came_to_its_end = True
        why = None if self._delivered else self._why_no_frame()
        self.close()
        if why is None:
            return
        span = f" {self._span}" if self._span.is_limited else ""
        advice = "; widen the range" if self._span.is_limited and not self._is_broken else ""
        raise VideoError(f"{self.name} has no frame{span}: {why}{advice}")

    def _check_size(self, frame: Frame) -> None:
        height, width = frame.image.shape[:2]
        if self._size is None:
            self._size = (width, height)
        elif self._size != (width, height):
            first_width, first_height = self._size
            raise FrameError(
                f"{self.name}: frame {frame.index} is {width} x {height} pixels but the first was "
                f"{first_width} x {first_height}; one source has one size: split it where the size changes"
            )

    def close(self) -> None:
        """Give back files and devices; iteration ends. Closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        if self._frames is not None:
            self._frames.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check_image(image: Any, what: str) -> Image:
    """Return `image` as an RGB frame after checking that it is one.

    Args:
        image: `(H, W, 3)` uint8 RGB. Grey `(H, W)` or `(H, W, 1)` is repeated over the three channels and the
            alpha of `(H, W, 4)` is dropped; both only as uint8. A Pillow image of up to 8 bits a channel is
            converted, whatever its mode. Its EXIF orientation is not applied: one that was turned in memory
            still carries it.
        what: which frame, for the error message.

    Returns:
        `(H, W, 3)` uint8, contiguous; the very array where it already was.

    Raises:
        FrameError: no array, another type of number, another shape, or no pixel.
    """
    expected = "expected an (H, W, 3) uint8 RGB array"
    try:
        array = _to_array(image)
    except (OSError, RuntimeError, SyntaxError, TypeError, ValueError) as error:
        # Those of NumPy, PyTorch and, where a file is damaged, Pillow.
        kind = type(image).__name__
        raise FrameError(f"{what}: {expected}, got a {kind} that cannot be made one: {error}") from error
    if array.dtype != np.uint8:
        raise FrameError(
            f"{what}: {expected}, got {array.dtype} of shape {array.shape}{_dtype_advice(array)}"
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise FrameError(f"{what}: {expected}, got shape {array.shape}; channels come last")
    if array.size == 0:
        raise FrameError(f"{what}: {expected}, got shape {array.shape}, which has no pixel")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    elif array.shape[2] == 4:
        array = array[..., :3]
    return np.ascontiguousarray(array)


def _to_array(image: Any) -> npt.NDArray[Any]:
    mode = getattr(image, "mode", None)
    # As they are stored, Pillow's pixels may be numbers of a palette, inks or hues. Those of more than 8 bits
    # (I, I;16, F) are left to the check of arrays, since Pillow would cut off what exceeds 255.
    if isinstance(mode, str) and hasattr(image, "convert") and not mode.startswith(("I", "F")):
        image = image.convert("RGB")
    return np.asarray(image)


def _dtype_advice(array: npt.NDArray[Any]) -> str:
    if array.dtype == object:
        return ": this is not an image"
    if np.issubdtype(array.dtype, np.floating) and np.isnan(array).any():
        return " with NaN in it: mend the numbers, scale to 0..255 and convert with .astype(np.uint8)"
    return ": scale to 0..255 and convert with .astype(np.uint8)"
