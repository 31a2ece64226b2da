"""Score a tracker on clips in memory, by the same scorer as on benchmarks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from aiatrack.crop import Image
from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import FloatArray, build_annotation
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.rules import Denominator, FirstFrame, FrameTest, RuleSet
from aiatrack.evaluation.running.sequence_run import check_box
from aiatrack.evaluation.running.tracker import SequenceTracker
from aiatrack.evaluation.scoring import METRICS, score_frames

VALIDATION_RULES = RuleSet(
    name="validation",
    source="training: only frames in which there is something to be found",
    first_frame=FirstFrame.DROPPED,
    counted=FrameTest(positive_size=True, visible=True),
    denominator=Denominator.COUNTED,
)
"""Success over 21 thresholds; frame 0 and frames without target left out, boxes not rounded."""


class AnnotatedClip(Protocol):
    """A target in a clip; `aiatrack.data.validation.ValidationClip` is one."""

    @property
    def name(self) -> str:
        """Of its own among the clips."""

    @property
    def boxes_xywh(self) -> npt.NDArray[np.floating[Any]]:
        """`(T, 4)` px; NaN where the target is absent, which it is not in frame 0."""

    def frames(self) -> Iterable[Image]:
        """T frames, `(H, W, 3)` uint8 RGB."""


@dataclass(frozen=True)
class Validation:
    """What came of it.

    Attributes:
        success_auc: mean over clips, in [0, 1].
        metrics: all numbers of the scorer by name, `success_auc` among them, means over clips.
        clip_success: success AUC by name of each clip.
    """

    success_auc: float
    metrics: Mapping[str, float]
    clip_success: Mapping[str, float]


def validate_tracker(
    build_tracker: Callable[[], SequenceTracker], clips: Sequence[AnnotatedClip]
) -> Validation:
    """Run a tracker over clips, one after another, and score it by `VALIDATION_RULES`.

    Args:
        build_tracker: called once; `aiatrack.Tracker` fits.
        clips: at least one; their names differ.

    Raises:
        DataError: no clips, clips of one name, frames and boxes that differ in number, or no target to be
            found after frame 0 in any of them.
        TrackingError: the tracker returned something that is no box.
    """
    annotations = {
        clip.name: build_annotation(np.asarray(clip.boxes_xywh, np.float64), origin=clip.name)
        for clip in clips
    }
    if not clips or len(annotations) < len(clips):
        raise DataError(f"validation needs clips with names of their own; got {len(clips)} clips")
    tracker = build_tracker()
    predictions = {clip.name: _track_clip(tracker, clip) for clip in clips}
    score = score_frames(FrameTable(predictions, annotations), VALIDATION_RULES)
    return Validation(
        score.overall(),
        {metric: score.overall(metric) for metric in METRICS},
        dict(zip(score.sequence_names, score.values["success_auc"].tolist(), strict=True)),
    )


def _track_clip(tracker: SequenceTracker, clip: AnnotatedClip) -> FloatArray:
    boxes: list[FloatArray] = []
    for index, frame in enumerate(_counted_frames(clip)):
        if index == 0:
            first = np.asarray(clip.boxes_xywh[0], np.float64)
            tracker.start(frame, first.tolist())
            boxes.append(first)
        else:
            boxes.append(check_box(tracker.update(frame).box_xywh, clip.name, index))
    return np.array(boxes)


def _counted_frames(clip: AnnotatedClip) -> Iterator[Image]:
    try:
        for _, frame in zip(clip.boxes_xywh, clip.frames(), strict=True):
            yield frame
    except ValueError as error:
        raise DataError(f"clip {clip.name} has not as many frames as boxes: {error}") from error
