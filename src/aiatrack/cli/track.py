"""`aiatrack track`: follow a target through a film and write what was found."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

import typer

from aiatrack.cli.terminal import (
    STOPPED_EXIT_CODE,
    console,
    frame_progress,
    interrupted_by_termination,
)
from aiatrack.errors import BoxError, SettingsError
from aiatrack.tracking import Tracker, TrackResult
from aiatrack.video import BoxRow, Frame, FrameSource, open_box_writer, open_film, open_frames
from aiatrack.visualization import draw_result

_FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


def track(
    source: Annotated[
        str, typer.Argument(help="Film, folder or glob of images, camera number, or stream address.")
    ],
    box: Annotated[
        str | None, typer.Option(help="Target in the first frame: X,Y,WIDTH,HEIGHT in pixels.")
    ] = None,
    select: Annotated[bool, typer.Option("--select", help="Draw the box in a window instead.")] = False,
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a weights file.")] = "lite",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Film with the box drawn: .mp4, .mov or .mkv.")
    ] = None,
    save_boxes: Annotated[
        Path | None, typer.Option(help="Boxes: .txt (x,y,w,h), .csv or .jsonl (with time and score).")
    ] = None,
    start: Annotated[float | None, typer.Option(help="Begin at this time, in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="Stop before this time, in seconds.")] = None,
    frame_rate: Annotated[
        float | None, typer.Option(help="Frames per second of images, which have no time of their own.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Use the paper's tracking settings for a benchmark, such as lasot.")
    ] = None,
) -> None:
    """Follow one target through a film, folder, camera or stream.

    Everything is written as it comes: stop with Ctrl-C, and what was tracked is there.

    **Examples**

    A film with the box drawn: `aiatrack track street.mp4 --box 120,80,64,48 -o out.mp4`

    Boxes only, as CSV: `aiatrack track street.mp4 --box 120,80,64,48 --save-boxes boxes.csv`

    Ten seconds of a film, box drawn by hand: `aiatrack track street.mp4 --select --start 5 --end 15`

    A folder of images: `aiatrack track frames/ --box 120,80,64,48 --save-boxes boxes.txt`

    A camera, until Ctrl-C: `aiatrack track 0 --select -o out.mkv`
    """
    if (box is None) != select:
        raise SettingsError("mark the target, either with --box X,Y,WIDTH,HEIGHT or with --select")
    given_box = None if box is None else parse_box(box)
    from aiatrack.api import load_tracker

    tracker = load_tracker(model, device, benchmark=benchmark)
    with open_frames(source, start_s=start, end_s=end, frame_rate=frame_rate) as frames:
        if output is None and save_boxes is None:
            output = _default_output(frames)
        first = next(frames)
        if given_box is None:
            from aiatrack.cli.selection import select_box

            given_box = select_box(first.image)
        job = _Job(tracker, frames, first, given_box)
        with interrupted_by_termination():
            finished = job.run(output, save_boxes)
    written = " and ".join(str(path) for path in (output, save_boxes) if path)
    console.print(
        f"{'' if finished else 'stopped: '}{job.count} frames at {job.frames_per_second:.1f} frames/s, "
        f"mean predicted overlap {job.mean_predicted_iou:.2f}; wrote {written}",
        highlight=False,
        soft_wrap=True,
    )
    if not finished:
        raise typer.Exit(STOPPED_EXIT_CODE)


def parse_box(text: str) -> tuple[float, float, float, float]:
    """Read `X,Y,WIDTH,HEIGHT`.

    Raises:
        BoxError: not four numbers.
    """
    try:
        x, y, width, height = (float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise BoxError(
            f"--box takes X,Y,WIDTH,HEIGHT in pixels, such as 120,80,64,48; got {text!r}"
        ) from error
    return x, y, width, height


class _Sink(Protocol):
    """Takes each tracked frame."""

    def __call__(self, frame: Frame, result: TrackResult) -> None: ...


@dataclass
class _Job:
    """One film followed from its first frame to its end or to Ctrl-C."""

    tracker: Tracker
    frames: FrameSource
    first: Frame
    box: Sequence[float]
    count: int = 0
    seconds: float = 0.0
    predicted_iou_sum: float = field(default=0.0, repr=False)

    def run(self, output: Path | None, save_boxes: Path | None) -> bool:
        """Track and write; returns False if interrupted."""
        # The first result comes before any file: a bad box must not replace an older output.
        first_result = self.tracker.start(self.first.image, self.box)
        with ExitStack() as stack:
            sinks = self._open_sinks(stack, output, save_boxes)
            try:
                self._follow(first_result, sinks)
            except KeyboardInterrupt:
                return False
        return True

    def _follow(self, first_result: TrackResult, sinks: list[_Sink]) -> None:
        started = time.perf_counter()
        with frame_progress() as progress:
            task = progress.add_task("tracking", total=self.frames.frame_count)
            for frame, result in self._results(first_result):
                for sink in sinks:
                    sink(frame, result)
                self.count += 1
                self.seconds = time.perf_counter() - started
                self.predicted_iou_sum += result.predicted_iou
                progress.advance(task)

    def _results(self, first_result: TrackResult) -> Iterator[tuple[Frame, TrackResult]]:
        yield self.first, first_result
        for frame in self.frames:
            yield frame, self.tracker.update(frame.image)

    def _open_sinks(self, stack: ExitStack, output: Path | None, save_boxes: Path | None) -> list[_Sink]:
        sinks: list[_Sink] = []
        inputs = [self.frames.path] if self.frames.path else []
        if save_boxes is not None:
            boxes = stack.enter_context(open_box_writer(save_boxes, inputs=inputs))
            sinks.append(
                lambda frame, result: boxes.write(
                    BoxRow(frame.index, frame.time_s, result.box_xywh, result.score)
                )
            )
        if output is not None:
            film = stack.enter_context(
                open_film(
                    output,
                    frame_rate=self.frames.frame_rate,
                    audio_from=self.frames.path,
                    pixel_aspect=self.frames.pixel_aspect,
                )
            )

            def draw(frame: Frame, result: TrackResult) -> None:
                picture = draw_result(frame.image.copy(), result.box_xywh, result.predicted_iou)
                film.write(Frame(picture, frame.index, frame.time_s))

            sinks.append(draw)
        return sinks

    @property
    def frames_per_second(self) -> float:
        """Of everything: reading, tracking, drawing, writing."""
        return self.count / self.seconds if self.seconds else 0.0

    @property
    def mean_predicted_iou(self) -> float:
        """Over all frames written, the first included."""
        return self.predicted_iou_sum / self.count if self.count else 0.0


def _default_output(frames: FrameSource) -> Path:
    stem = Path(frames.name).stem if frames.path else "tracked"
    return Path(f"{stem}.tracked.mp4" if frames.path else "tracked.mp4")
