"""From boxes to per-frame overlap and centre error, for many sequences at once.

Letters: N frames of all sequences one after another, S sequences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, BoolArray, FloatArray
from aiatrack.evaluation.checks import to_numbers
from aiatrack.evaluation.rules import FirstFrame, FrameTest, Passed, Rounding, RuleSet

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FrameMeasures:
    """What boxes alone decide, before frames are counted; NaN annotation gives overlap 0, errors inf."""

    overlap: FloatArray
    """`(N,)` intersection over union, 0 to 1."""
    centre_error_px: FloatArray
    """`(N,)` distance of centres."""
    normalised_error: FloatArray
    """`(N,)` distance of centres, each axis divided by the annotated side."""


class FrameTable:
    """Predicted and annotated boxes of many sequences, laid end to end; measures are kept once asked for."""

    def __init__(self, predictions: Mapping[str, FloatArray], annotations: Mapping[str, Annotation]) -> None:
        """Lay sequences end to end.

        Args:
            predictions: `(T, 4)` xywh by sequence name, as many rows as annotated.
            annotations: ground truth of at least the same sequences.

        Raises:
            DataError: no sequence, one without annotation, or not one box for each annotated frame; or boxes
                that are not plain numbers.
        """
        rows = _checked_rows(predictions, annotations)
        self.names: tuple[str, ...] = tuple(predictions)
        truths = [annotations[name] for name in self.names]
        lengths = [len(truth) for truth in truths]
        self.sequence: IntArray = np.repeat(np.arange(len(truths)), lengths)
        self.is_first: BoolArray = np.concatenate([np.arange(length) == 0 for length in lengths])
        self.predicted = np.concatenate(rows)
        self.annotated = np.concatenate([truth.boxes_xywh for truth in truths])
        self.visible = np.concatenate([truth.visible for truth in truths])
        self.flagged = np.concatenate(
            [np.zeros(len(t), bool) if t.flagged_absent is None else t.flagged_absent for t in truths]
        )
        self.finite: BoolArray = np.isfinite(self.annotated).all(axis=1)
        self.image_sizes = _image_sizes(truths)
        self._measure = lru_cache(maxsize=16)(self._measure_uncached)

    @property
    def sizes_known(self) -> bool:
        """Whether every sequence knows the size of its images."""
        return bool(np.isfinite(self.image_sizes).all())

    def measure(self, rules: RuleSet) -> FrameMeasures:
        """Overlaps and errors of every frame under the geometric rules of a rule set."""
        return self._measure(rules.rounding, rules.clip_to_image, rules.least_normaliser_px)

    def passed(self, rules: RuleSet) -> BoolArray:
        """`(N,)`: the frames that reach the scorer at all."""
        passed = (
            ~self.is_first if rules.first_frame is FirstFrame.DROPPED else np.ones(len(self.finite), bool)
        )
        return passed & ~self.flagged if rules.passed_in is Passed.UNFLAGGED else passed

    def counted(self, test: FrameTest) -> BoolArray:
        """`(N,)`: the frames that satisfy a rule set's test of the annotation."""
        counted = self.finite.copy()
        if test.positive_size or test.positive_corner:
            counted &= (self.annotated[:, 2:] > 0).all(axis=1)
        if test.positive_corner:
            counted &= (self.annotated[:, :2] > 0).all(axis=1)
        return counted & self.visible if test.visible else counted

    def _measure_uncached(self, rounding: Rounding, clip: bool, least_side: float) -> FrameMeasures:
        annotated = np.round(self.annotated) if rounding is Rounding.ROUND_BOTH else self.annotated
        predicted = _round_predictions(self.predicted, rounding)
        predicted = np.where(self.is_first[:, None], annotated, predicted)
        normalised, distance = _centre_errors(predicted, annotated, least_side)
        if clip:
            limits = self.image_sizes[self.sequence]
            predicted, annotated = _clip(predicted, limits), _clip(annotated, limits)
        overlap = _overlap(predicted, annotated)
        return FrameMeasures(
            np.where(self.finite, overlap, 0.0),
            np.where(self.finite, distance, np.inf),
            np.where(self.finite, normalised, np.inf),
        )


def _checked_rows(
    predictions: Mapping[str, FloatArray], annotations: Mapping[str, Annotation]
) -> list[FloatArray]:
    """`(T, 4)` of each sequence."""
    if not predictions:
        raise DataError("there is no sequence to score: give the boxes of one at least")
    rows = []
    for name, boxes in predictions.items():
        if name not in annotations:
            raise DataError(f"sequence {name} has boxes but no annotation: score it on its own benchmark")
        rows.append(to_numbers(boxes, f"sequence {name}"))
        if rows[-1].shape != (len(annotations[name]), 4):
            expected = f"({len(annotations[name])}, 4)"
            raise DataError(f"sequence {name}: boxes of shape {expected} were expected, got {rows[-1].shape}")
    return rows


def _round_predictions(boxes: FloatArray, rounding: Rounding) -> FloatArray:
    if rounding is Rounding.TRUNCATE_PREDICTIONS:
        boxes = np.trunc(boxes)
    elif rounding is Rounding.ROUND_BOTH:
        boxes = np.round(boxes)
    return boxes


def _image_sizes(truths: Sequence[Annotation]) -> FloatArray:
    return np.array(
        [(np.nan, np.nan) if truth.image_size is None else truth.image_size for truth in truths], np.float64
    )


def _overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    low = np.maximum(a[:, :2], b[:, :2])
    sides = np.maximum(np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]) - low, 0)
    intersection = sides[:, 0] * sides[:, 1]
    union = a[:, 2] * a[:, 3] + b[:, 2] * b[:, 3] - intersection
    overlap: FloatArray = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    # Equal boxes can come out a rounding error above 1, which is the last threshold.
    return np.minimum(overlap, 1.0)


def _centre_errors(
    predicted: FloatArray, annotated: FloatArray, least_side: float
) -> tuple[FloatArray, FloatArray]:
    offsets = predicted[:, :2] - annotated[:, :2] + (predicted[:, 2:] - annotated[:, 2:]) / 2
    sides = np.maximum(annotated[:, 2:], least_side)
    # A side of 0 has no normalised error: such a frame can be no hit.
    shares = np.divide(offsets, sides, out=np.full_like(offsets, np.inf), where=sides > 0)
    normalised: FloatArray = np.hypot(shares[:, 0], shares[:, 1])
    distance: FloatArray = np.hypot(offsets[:, 0], offsets[:, 1])
    return normalised, distance


def _clip(boxes: FloatArray, limits: FloatArray) -> FloatArray:
    """Clip to the image; where its size is unknown (NaN) boxes stay as they are."""
    top_left = np.clip(boxes[:, :2], 0, limits)
    sides = np.clip(boxes[:, 2:], 0, limits - top_left)
    return np.where(np.isfinite(limits[:, :1]), np.concatenate((top_left, sides), axis=1), boxes)
