"""One tracker over one sequence: a box, a score and a time for every frame."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiatrack.errors import DataError, TrackingError
from aiatrack.evaluation.annotation import FloatArray
from aiatrack.evaluation.benchmark import Benchmark, BenchmarkSequence
from aiatrack.evaluation.running.tracker import Box, SequenceTracker
from aiatrack.paths import is_file
from aiatrack.video.image_source import read_image


@dataclass(frozen=True)
class SequenceTask:
    """All that a worker needs to know of a sequence.

    Attributes:
        name: of the sequence.
        frame_paths: T frame files in order.
        first_box: of the target in frame 0, xywh in px.
    """

    name: str
    frame_paths: tuple[Path, ...]
    first_box: Box

    def __len__(self) -> int:
        return len(self.frame_paths)

    def digest_frames(self) -> str:
        """SHA-256 of the names and sizes in bytes of the frame files; it does not matter where they lie."""
        files = [(path.name, path.stat().st_size if is_file(path) else None) for path in self.frame_paths]
        return hashlib.sha256(repr(files).encode()).hexdigest()


@dataclass(frozen=True)
class SequenceRun:
    """What came of a sequence.

    Attributes:
        name: of the sequence.
        boxes_xywh: `(T, 4)` px; the first is the given one.
        scores: `(T,)`, NaN where the tracker gave none; 1 in frame 0.
        frame_seconds: `(T,)` spent in the tracker.
        decoding_seconds: spent reading frames.
        total_seconds: wall time of all.
    """

    name: str
    boxes_xywh: FloatArray
    scores: FloatArray
    frame_seconds: FloatArray
    decoding_seconds: float
    total_seconds: float


def build_task(sequence: BenchmarkSequence, benchmark: Benchmark) -> SequenceTask:
    """Look up a sequence's frames and first box.

    Raises:
        DataError: no frames, a frame is missing, as many rows of annotation as do not fit, or no target in
            frame 0.
    """
    annotation = sequence.read_annotation()
    frames = sequence.frame_paths
    if not frames:
        raise DataError(f"{sequence.name} has no frames below {benchmark.root}: a tracker needs to see it")
    if benchmark.description.annotated_frames == "all" and len(frames) != len(annotation):
        raise DataError(f"{sequence.name} has {len(frames)} frames but {len(annotation)} annotated rows")
    missing = sequence.missing_frames
    if missing:
        raise DataError(
            f"{sequence.name} lacks {len(missing)} of {len(frames)} frames, the first {missing[0]}: "
            "copy them from the benchmark"
        )
    if not annotation.visible[0]:
        raise DataError(f"{sequence.name} has no target in frame 0: nothing can be tracked")
    left, top, width, height = annotation.boxes_xywh[0].tolist()
    return SequenceTask(sequence.name, frames, (left, top, width, height))


def run_sequence(
    tracker: SequenceTracker, task: SequenceTask, before_frame: Callable[[int], None]
) -> SequenceRun:
    """Run a tracker over a sequence from its first frame to its last.

    Args:
        tracker: started here; what it did before does not matter.
        task: the sequence.
        before_frame: called with 0, 1, ... before each frame is read; it may raise to stop.

    Raises:
        VideoError: a frame is missing or damaged.
        TrackingError: the tracker returned something that is no box, or no score.
    """
    boxes = np.empty((len(task), 4))
    scores, seconds = np.ones(len(task)), np.empty(len(task))
    boxes[0] = task.first_box
    started = time.perf_counter()
    decoding = 0.0
    for index, path in enumerate(task.frame_paths):
        before_frame(index)
        before = time.perf_counter()
        frame = read_image(path)
        decoded = time.perf_counter()
        if index == 0:
            tracker.start(frame, task.first_box)
        else:
            found = tracker.update(frame)
            boxes[index] = check_box(found.box_xywh, task.name, index)
            scores[index] = np.nan if found.score is None else check_score(found.score, task.name, index)
        seconds[index] = time.perf_counter() - decoded
        decoding += decoded - before
    return SequenceRun(task.name, boxes, scores, seconds, decoding, time.perf_counter() - started)


def check_box(box_xywh: Sequence[float], sequence: str, frame: int) -> FloatArray:
    """Return a tracker's box as `(4,)` float64.

    Raises:
        TrackingError: not four finite numbers with sides of at least 0; such a row would ruin a result file.
    """
    box = np.asarray(box_xywh, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] < 0).any():
        raise TrackingError(
            f"the tracker returned {box.tolist()} in frame {frame} of {sequence}: four finite numbers x, y, "
            "width, height with sides of at least 0 were expected"
        )
    return box


def check_score(score: float, sequence: str, frame: int) -> float:
    """Return a tracker's score.

    Raises:
        TrackingError: not a finite number; a tracker that has no scores says None.
    """
    if not np.isfinite(score):
        raise TrackingError(
            f"the tracker returned the score {score} in frame {frame} of {sequence}: a finite number was "
            "expected, or None where there is none"
        )
    return score
