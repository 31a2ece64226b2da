"""The work of `aiatrack attention`: frames through a watched tracker, sheets to a picture or a film."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.api.attention import AttentionView, WatchedTracker
from aiatrack.atomic_files import replace_file
from aiatrack.cli.stopping import ignore_interrupts
from aiatrack.cli.terminal import frame_progress
from aiatrack.errors import DataError, OutputError, SettingsError
from aiatrack.video import FilmWriter, Frame, FrameSource, film_rate, open_film
from aiatrack.video.film_writer import FILM_ENDINGS
from aiatrack.video.output_path import check_output_path

_PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


class AttentionOutput:
    """Sheets of every frame to a film, or of the last one to a picture.

    Args:
        path: of either.
        film: that it is, or None for a picture.
        point: of the token that is shown, as shares of the found box.
    """

    def __init__(self, path: Path, film: FilmWriter | None, point: Sequence[float]) -> None:
        self._path = path
        self._film = film
        self._point = point
        self._last: AttentionView | None = None
        self._picture_written = False
        self._first_frame = 0

    def write(self, tracker: WatchedTracker, first: Frame, frames: FrameSource) -> bool:
        """Follow to the end, or to Ctrl-C, which gives False; what was seen till then is written.

        Args:
            tracker: that was started in the first frame.
            first: the first frame, by whose index the others are called.
            frames: the rest of the source.

        Raises:
            AiATrackError: frames or output are at fault.
        """
        self._first_frame = first.index
        finished = True
        with ExitStack() as stack:
            if self._film is not None:
                stack.enter_context(self._film)
            else:
                stack.callback(self._write_picture)
            stack.callback(ignore_interrupts)
            try:
                self._follow(tracker, frames)
            except KeyboardInterrupt:
                finished = False
        if self._last is None and finished:
            raise DataError(
                f"{frames.name} has one frame from there on, in which the box is given and nothing is looked "
                "for: choose an earlier --start or a later --end"
            )
        return finished

    @property
    def is_written(self) -> bool:
        """Whether there is anything to look at."""
        return self._picture_written if self._film is None else self._film.frames_written > 0

    @property
    def summary(self) -> str:
        """What there is to look at."""
        if not self.is_written:
            return "nothing was written"
        if self._film is not None:
            return f"{self._film.frames_written} frames; wrote {self._path}"
        assert self._last is not None
        frame_index = self._first_frame + self._last.result.frame_index
        overlap = self._last.result.predicted_iou
        return f"frame {frame_index}, predicted overlap {overlap:.2f}; wrote {self._path}"

    def _follow(self, tracker: WatchedTracker, frames: FrameSource) -> None:
        with frame_progress() as progress:
            total = None if frames.frame_count is None else frames.frame_count - 1
            task = progress.add_task("watching", total=total)
            for frame in frames:
                self._last = tracker.update(frame.image)
                if self._film is not None:
                    self._film.write(Frame(self._draw(self._last), frame.index, frame.time_s))
                progress.advance(task)

    def _draw(self, view: AttentionView) -> npt.NDArray[np.uint8]:
        return view.draw(self._point, first_frame=self._first_frame)

    def _write_picture(self) -> None:
        if self._last is not None:
            picture = self._draw(self._last)
            done, coded = cv2.imencode(self._path.suffix, picture[..., ::-1])
            if not done:
                height, width = picture.shape[:2]
                raise OutputError(
                    f"cannot write {self._path}: the format holds no picture of {width} x {height} pixels; "
                    "choose .png, or a smaller ensemble_size"
                )
            with replace_file(self._path) as temporary:
                temporary.write_bytes(coded.tobytes())
            self._picture_written = True


def parse_point(text: str) -> tuple[float, float]:
    """Read `X,Y`, shares of a box.

    Raises:
        SettingsError: not two finite numbers.
    """
    try:
        x, y = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise SettingsError(f"--point takes X,Y as shares of the box, such as 0.5,0.5; got {text!r:.80}")
    return x, y


def open_attention_output(path: Path, frames: FrameSource, point: Sequence[float]) -> AttentionOutput:
    """Check where sheets go; nothing is replaced yet.

    Args:
        path: its ending says whether it is a picture or a film.
        frames: the source, which lends a film its rate; none of its files is overwritten.
        point: of the token that is shown, as shares of the found box.

    Raises:
        OutputError: unknown ending, not writable, or an input.
    """
    ending = path.suffix.lower()
    if ending in _PICTURE_ENDINGS:
        check_output_path(path, frames.files)
        return AttentionOutput(path, None, point)
    if ending not in FILM_ENDINGS:
        raise OutputError(
            f"cannot write {path}: the name must end in {', '.join(_PICTURE_ENDINGS)} for a picture of the "
            f"last frame, or in {', '.join(FILM_ENDINGS)} for a film of all"
        )
    film = open_film(path, frame_rate=film_rate(frames), inputs=frames.files)
    return AttentionOutput(path, film, point)
