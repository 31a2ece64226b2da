"""The work of `aiatrack track`: frames through the tracker, results to film and boxes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from aiatrack.cli.terminal import frame_progress
from aiatrack.tracking import Tracker, TrackResult
from aiatrack.video import (
    BoxRow,
    BoxWriter,
    FilmWriter,
    Frame,
    FrameSource,
    open_box_writer,
    open_film,
)
from aiatrack.video.output_path import check_output_path
from aiatrack.visualization import draw_result

_Sink = Callable[[Frame, TrackResult], None]


def default_output(source: str) -> Path:
    """Name of the film when none is given: after the film or folder, in the current folder."""
    path = Path(source).expanduser()
    if path.is_dir():
        return Path(f"{path.resolve().name}.tracked.mp4")
    return Path(f"{path.stem}.tracked.mp4" if path.is_file() else "tracked.mp4")


class Outputs:
    """Where results go; checked when built, touched when opened.

    Args:
        frames: the source, which lends its rate and its sound and is never overwritten.
        film: film to write, or None.
        boxes: file of boxes to write, or None.

    Raises:
        OutputError: an output cannot be written, or is the input.
    """

    def __init__(self, frames: FrameSource, *, film: Path | None, boxes: Path | None) -> None:
        self._inputs = [frames.path] if frames.path else []
        self._boxes = boxes
        self._film: FilmWriter | None = None
        if film is not None:
            # A film's file starts with its first frame: nothing is replaced yet.
            self._film = open_film(
                film,
                frame_rate=frames.frame_rate,
                audio_from=frames.path,
                pixel_aspect=frames.pixel_aspect,
            )
        if boxes is not None:
            check_output_path(boxes.expanduser(), self._inputs)
        self.names = " and ".join(str(path) for path in (film, boxes) if path is not None)

    def open(self, stack: ExitStack) -> list[_Sink]:
        """Open every output until `stack` is left; each takes a frame and its result."""
        sinks: list[_Sink] = []
        if self._boxes is not None:
            boxes = stack.enter_context(open_box_writer(self._boxes, inputs=self._inputs))
            sinks.append(lambda frame, result: _write_row(boxes, frame, result))
        if self._film is not None:
            film = stack.enter_context(self._film)
            sinks.append(lambda frame, result: _write_picture(film, frame, result))
        return sinks


def _write_row(boxes: BoxWriter, frame: Frame, result: TrackResult) -> None:
    boxes.write(BoxRow(frame.index, frame.time_s, result.box_xywh, result.score))


def _write_picture(film: FilmWriter, frame: Frame, result: TrackResult) -> None:
    picture = draw_result(frame.image.copy(), result.box_xywh, result.predicted_iou)
    film.write(Frame(picture, frame.index, frame.time_s))


class Following:
    """One target followed from a source's first frame to its end, or to Ctrl-C.

    Attributes:
        count: frames written.
    """

    def __init__(self, tracker: Tracker, frames: FrameSource, outputs: Outputs) -> None:
        self.count = 0
        self._tracker = tracker
        self._frames = frames
        self._outputs = outputs
        self._seconds = 0.0
        self._predicted_iou_sum = 0.0

    def run(self, first: Frame, box: Sequence[float]) -> bool:
        """Track and write; returns False if interrupted, with everything so far written and closed.

        Raises:
            AiATrackError: box, frames or outputs are at fault; what was written before stays.
        """
        # The first result comes before any file: a bad box must not replace an older output.
        first_result = self._tracker.start(first.image, box)
        with ExitStack() as stack:
            sinks = self._outputs.open(stack)
            try:
                self._follow(first, first_result, sinks)
            except KeyboardInterrupt:
                return False
        return True

    @property
    def summary(self) -> str:
        """How many frames, how fast, how sure, and where they went."""
        words = "1 frame" if self.count == 1 else f"{self.count} frames"
        if self.count > 1:
            # The first box was given, not found.
            mean = self._predicted_iou_sum / (self.count - 1)
            words += f" at {self.count / self._seconds:.1f} frames/s, mean predicted overlap {mean:.2f}"
        return f"{words}; wrote {self._outputs.names}" if self.count else f"{words}; nothing was written"

    def _follow(self, first: Frame, first_result: TrackResult, sinks: list[_Sink]) -> None:
        started = time.perf_counter()
        with frame_progress() as progress:
            task = progress.add_task("tracking", total=self._frames.frame_count)
            for frame, result in self._results(first, first_result):
                for sink in sinks:
                    sink(frame, result)
                self._predicted_iou_sum += result.predicted_iou if self.count else 0.0
                self.count += 1
                self._seconds = time.perf_counter() - started
                progress.advance(task)

    def _results(self, first: Frame, first_result: TrackResult) -> Iterator[tuple[Frame, TrackResult]]:
        yield first, first_result
        for frame in self._frames:
            yield frame, self._tracker.update(frame.image)
