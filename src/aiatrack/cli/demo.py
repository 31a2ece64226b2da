"""`aiatrack demo`: render the synthetic film, track it, and say how well and how fast."""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.cli.terminal import (
    STOPPED_EXIT_CODE,
    console,
    frame_progress,
    interrupted_by_termination,
)
from aiatrack.data.synthetic import SyntheticFrame, SyntheticWorld, SyntheticWorldSettings
from aiatrack.tracking import Tracker, TrackResult
from aiatrack.video import Frame, open_film
from aiatrack.visualization import draw_box, draw_result

_TRUTH_COLOR = (255, 255, 255)


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Film to write.")] = Path("demo.mp4"),
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a weights file.")] = "lite",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Another number, another film.")] = 0,
    frames: Annotated[int, typer.Option(min=2, help="Length of the film.")] = 240,
) -> None:
    """Render a short synthetic film, follow its target, and compare with the exact truth.

    The film has a textured target, things of the same look, occluders, zoom, blur and a moving camera. The
    white dashed box is the truth, the coloured one is what the tracker found.

    **Examples**

    `aiatrack demo`

    `aiatrack demo --seed 7 --frames 600 -o seven.mp4`
    """
    from aiatrack.api import load_tracker

    tracker = load_tracker(model, device)
    world = SyntheticWorld(SyntheticWorldSettings(seed=seed, frames=frames))
    run = _DemoRun(tracker, world)
    try:
        with interrupted_by_termination():
            run.film(output)
    except KeyboardInterrupt:
        console.print(f"stopped: {len(run.overlaps)} frames; {output} plays up to there")
        raise typer.Exit(STOPPED_EXIT_CODE) from None
    console.print(
        f"model {model}: mean overlap {np.mean(run.overlaps):.3f} over {len(run.overlaps)} frames where the "
        f"target can be seen, tracking at {run.tracked / run.tracking_seconds:.1f} frames/s; wrote {output}",
        highlight=False,
        soft_wrap=True,
    )


class _DemoRun:
    """The film, frame by frame, and what it adds up to."""

    def __init__(self, tracker: Tracker, world: SyntheticWorld) -> None:
        self.overlaps: list[float] = []
        """IoU with the truth wherever the target can be seen, the given first box left out."""
        self.tracked = 0
        self.tracking_seconds = 0.0
        self._tracker = tracker
        self._world = world

    def film(self, output: Path) -> None:
        """Render, track, draw and write."""
        rate = self._world.settings.frame_rate
        with open_film(output, frame_rate=rate) as film, frame_progress() as progress:
            for frame in progress.track(self._world, description="demo"):
                result = self._find(frame)
                truth = frame.boxes_xywh[0]
                picture = frame.image.copy()
                draw_box(picture, truth, color=_TRUTH_COLOR, style="dashed")
                draw_result(picture, result.box_xywh, result.predicted_iou)
                film.write(Frame(picture, frame.index, frame.index / rate))

    def _find(self, frame: SyntheticFrame) -> TrackResult:
        truth = frame.boxes_xywh[0]
        if frame.index == 0:
            return self._tracker.start(frame.image, truth)
        started = time.perf_counter()
        result = self._tracker.update(frame.image)
        self.tracking_seconds += time.perf_counter() - started
        self.tracked += 1
        if frame.present[0]:
            found = np.array(result.box_xywh)
            self.overlaps.append(float(box_iou(xywh_to_xyxy(found), xywh_to_xyxy(truth))))
        return result
