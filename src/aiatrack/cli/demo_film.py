"""The work of `aiatrack demo`: a synthetic film, tracked, with truth and result drawn into it."""

import time
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.cli.stopping import ignore_interrupts
from aiatrack.cli.terminal import frame_progress
from aiatrack.data.synthetic import SyntheticFrame, SyntheticWorld, SyntheticWorldSettings
from aiatrack.tracking import Tracker, TrackResult
from aiatrack.video import FilmWriter, Frame, open_film
from aiatrack.visualization import colour_of, draw_box, draw_result

_TRUTH_COLOR = (255, 255, 255)
_RESULT_COLOR = colour_of(0)


def open_demo_output(path: Path) -> FilmWriter:
    """Open the film; nothing is replaced before its first frame.

    Raises:
        OutputError: unknown ending, or not writable.
    """
    return open_film(path, frame_rate=SyntheticWorldSettings().frame_rate)


class DemoFilm:
    """The film, frame by frame, and what it adds up to.

    Args:
        tracker: that follows the target.
        world: what the film shows.
    """

    def __init__(self, tracker: Tracker, world: SyntheticWorldSettings) -> None:
        self._tracker = tracker
        self._world = SyntheticWorld(world)
        self._overlaps: list[float] = []
        self._tracked = 0
        self._tracking_seconds = 0.0

    def write(self, film: FilmWriter) -> None:
        """Render, track, draw and write, then close the film."""
        rate = self._world.settings.frame_rate
        legend = _draw_legend()
        with film, frame_progress() as progress, ExitStack() as stack:
            # A second Ctrl-C must not break off the closing of the film.
            stack.callback(ignore_interrupts)
            for frame in progress.track(self._world, description="demo"):
                result = self._find(frame)
                picture = frame.image.copy()
                # Beneath the boxes, which may be anywhere.
                picture[: legend.shape[0], : legend.shape[1]] = legend
                draw_box(picture, frame.boxes_xywh[0], color=_TRUTH_COLOR, style="dashed")
                draw_result(
                    picture,
                    result.box_xywh,
                    result.predicted_iou,
                    color=_RESULT_COLOR,
                    state=result.state.value,
                )
                film.write(Frame(picture, frame.index, frame.index / rate))

    @property
    def summary(self) -> str:
        """Mean overlap with the truth and speed of the tracker alone; the given first box is left out."""
        speed = f"tracking at {self._tracked / self._tracking_seconds:.1f} frames/s"
        if not self._overlaps:
            return f"the target cannot be seen after the first frame, {speed}"
        count = len(self._overlaps)
        mean = sum(self._overlaps) / count
        return f"mean overlap {mean:.3f} over the {count} frames where the target can be seen, {speed}"

    def _find(self, frame: SyntheticFrame) -> TrackResult:
        truth = frame.boxes_xywh[0]
        if frame.index == 0:
            return self._tracker.start(frame.image, truth)
        started = time.perf_counter()
        result = self._tracker.update(frame.image)
        self._tracking_seconds += time.perf_counter() - started
        self._tracked += 1
        if frame.present[0]:
            found = np.array(result.box_xywh)
            self._overlaps.append(float(box_iou(xywh_to_xyxy(found), xywh_to_xyxy(truth))))
        return result


def _draw_legend() -> npt.NDArray[np.uint8]:
    """A dark plate for the top left corner: what each kind of box is."""
    plate = np.full((46, 250, 3), 30, np.uint8)
    draw_box(plate, (8, 8, 20, 12), color=_TRUTH_COLOR, thickness=2, style="dashed")
    draw_box(plate, (8, 26, 20, 12), color=_RESULT_COLOR, thickness=2)
    for line, words in enumerate(("truth", "aiatrack, predicted overlap")):
        place = 36, 18 + 18 * line
        cv2.putText(plate, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (240, 240, 240), 1, cv2.LINE_AA)
    return plate
