"""From per-frame measures to curves and numbers, by a rule set.

Letters: N frames of all sequences, S sequences, K thresholds.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import BoolArray, FloatArray
from aiatrack.evaluation.checks import check_choice
from aiatrack.evaluation.measurement import FrameTable, IntArray
from aiatrack.evaluation.rules import (
    AbsentErrors,
    Curve,
    Denominator,
    Pooling,
    Reading,
    RuleSet,
    ThresholdTest,
)
from aiatrack.evaluation.wording import count_sequences

METRICS = (
    "success_auc",
    "precision",
    "normalised_precision",
    "average_overlap",
    "success_at_50",
    "success_at_75",
)
"""Numbers in every `Score`. `success_auc` is the headline; by GOT-10k rules it is the mean overlap."""


@dataclass(frozen=True)
class Score:
    """Results of one tracker on one benchmark under one rule set; shares in [0, 1]."""

    rules: RuleSet
    sequence_names: tuple[str, ...]
    values: dict[str, FloatArray]
    """`(S,)` per metric of `METRICS`: each sequence's own number."""
    weights: FloatArray
    """`(S,)`: what a sequence weighs in the whole; 1 each, or its frames where frames are pooled."""
    success_curves: FloatArray
    """`(S, K)`: share of frames over each overlap threshold."""
    precision_curves: FloatArray
    """`(S, K)`: share of frames within each centre error."""
    normalised_precision_curves: FloatArray
    """`(S, K)`: share of frames within each normalised centre error."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know: rules that could not be applied, sequences left out."""

    def overall(self, metric: str = "success_auc") -> float:
        """The benchmark's number for a metric of `METRICS`.

        Raises:
            SettingsError: unknown metric.
        """
        check_metric(metric)
        return float(np.average(self.values[metric], weights=self.weights))

    def overall_curve(self, curves: FloatArray) -> FloatArray:
        """The benchmark's curve, `(K,)`, from one of this score's `(S, K)` families."""
        mean: FloatArray = np.average(curves, axis=0, weights=self.weights)
        return mean

    def class_balanced(self, classes: dict[str, str], metric: str = "average_overlap") -> float:
        """Mean over object classes of the mean over each class; of the mean overlap, GOT-10k's mAO.

        Args:
            classes: object class by sequence name, for all sequences of this score.
            metric: one of `METRICS`.

        Raises:
            SettingsError: unknown metric.
            DataError: a sequence of this score has no class.
        """
        check_metric(metric)
        missing = [name for name in self.sequence_names if name not in classes]
        if missing:
            raise DataError(
                f"no object class of {count_sequences(len(missing))} ({', '.join(missing)}): "
                "give one for each sequence of the score"
            )
        groups: dict[str, list[float]] = {}
        for name, value in zip(self.sequence_names, self.values[metric], strict=True):
            groups.setdefault(classes[name], []).append(float(value))
        return float(np.mean([np.mean(values) for values in groups.values()]))

    def subset(self, selection: BoolArray | IntArray) -> "Score":
        """The same score for some of the sequences, at least one.

        Args:
            selection: `(S,)`, which to keep; or their positions, in the order wanted.
        """
        return replace(
            self,
            sequence_names=tuple(self.sequence_names[i] for i in np.arange(len(self.weights))[selection]),
            values={metric: values[selection] for metric, values in self.values.items()},
            weights=self.weights[selection],
            success_curves=self.success_curves[selection],
            precision_curves=self.precision_curves[selection],
            normalised_precision_curves=self.normalised_precision_curves[selection],
        )


def check_metric(metric: str) -> None:
    """Make sure that a metric is one of `METRICS`.

    Raises:
        SettingsError: it is not.
    """
    check_choice("metric", metric, METRICS)


def curve_thresholds(curve: Curve) -> FloatArray:
    """The thresholds of a curve, `(K,)`, from 0 to its stop."""
    return np.linspace(0.0, curve.stop, curve.points)


def score_frames(table: FrameTable, rules: RuleSet) -> Score:
    """Score all sequences of a table by a rule set; those in which nothing is to be predicted are left out.

    Raises:
        DataError: no sequence has a frame after its first that the rules count.
    """
    scorer = _Scorer(table, rules)
    score = Score(
        rules,
        table.names,
        {metric: scorer.values(metric) for metric in METRICS},
        scorer.weights,
        scorer.success_curves,
        scorer.precision_curves,
        scorer.normalised_precision_curves,
        scorer.notes(),
    )
    return score if scorer.is_predicted.all() else score.subset(scorer.is_predicted)


def score_metric(table: FrameTable, rules: RuleSet, metric: str) -> float:
    """One number of `score_frames` alone, without the cost of the others; a metric of `METRICS`.

    Raises:
        SettingsError: unknown metric.
        DataError: no sequence has a frame after its first that the rules count.
    """
    check_metric(metric)
    scorer = _Scorer(table, rules)
    kept = scorer.is_predicted
    return float(np.average(scorer.values(metric)[kept], weights=scorer.weights[kept]))


class _Scorer:
    """One table under one rule set: frames tallied by sequence, curves drawn when they are asked for."""

    def __init__(self, table: FrameTable, rules: RuleSet) -> None:
        self.table = table
        self.rules = rules
        self.measures = table.measure(rules)
        passed = table.passed(rules)
        self.counted = passed & table.counted(rules.counted)
        self.absent = passed & ~self.counted
        divided_by = self.counted if rules.denominator is Denominator.COUNTED else passed
        frames = np.bincount(table.sequence[divided_by], minlength=len(table.names))
        # Frame 0 is given: a sequence that is judged in no other has full marks, whatever the tracker.
        predicted = table.sequence[divided_by & ~table.is_first]
        self.is_predicted: BoolArray = np.bincount(predicted, minlength=len(table.names)) > 0
        if not self.is_predicted.any():
            raise DataError(
                f"no sequence has a frame after its first that the rule set {rules.name!r} counts: "
                "check the annotation"
            )
        self.denominator: FloatArray = np.maximum(frames, 1).astype(np.float64)

    @property
    def weights(self) -> FloatArray:
        pooled = self.rules.pooling is Pooling.FRAMES
        return self.denominator if pooled else np.ones(len(self.denominator))

    @cached_property
    def success_curves(self) -> FloatArray:
        """A frame that passes k thresholds passes the first k, so one histogram gives a whole curve."""
        side: Literal["left", "right"] = "left" if self.rules.test is ThresholdTest.ABOVE else "right"
        passes = np.searchsorted(curve_thresholds(self.rules.success), self.measures.overlap, side=side)
        return self._shares(passes, self.rules.success, self.counted)

    @cached_property
    def precision_curves(self) -> FloatArray:
        hits = self.rules.absent_errors is AbsentErrors.BOTH
        return self._shares_within(self.measures.centre_error_px, self.rules.precision, absent_hits=hits)

    @cached_property
    def normalised_precision_curves(self) -> FloatArray:
        hits = self.rules.absent_errors is not AbsentErrors.MISS
        return self._shares_within(
            self.measures.normalised_error, self.rules.normalised_precision, absent_hits=hits
        )

    @cached_property
    def mean_overlap(self) -> FloatArray:
        return self._mean(self.measures.overlap)

    def values(self, metric: str) -> FloatArray:
        """`(S,)`: each sequence's own number."""
        rules = self.rules
        if metric == "success_auc":
            overlap_only = rules.success.reading is Reading.MEAN_OVERLAP
            return self.mean_overlap if overlap_only else _read(self.success_curves, rules.success)
        if metric == "precision":
            return _read(self.precision_curves, rules.precision)
        if metric == "normalised_precision":
            return _read(self.normalised_precision_curves, rules.normalised_precision)
        if metric == "average_overlap":
            return self.mean_overlap
        threshold = {"success_at_50": 0.5, "success_at_75": 0.75}[metric]
        return self._mean(_reaches(self.measures.overlap, threshold, rules.test).astype(np.float64))

    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.rules.clip_to_image and not self.table.sizes_known:
            unknown = int((~np.isfinite(self.table.image_sizes[:, 0])).sum())
            notes.append(
                f"boxes not clipped in {count_sequences(unknown)}: the size of their images is not known"
            )
        empty = [name for name, kept in zip(self.table.names, self.is_predicted, strict=True) if not kept]
        if empty:
            notes.append(
                "left out, nothing to predict in a frame after the first that these rules count: "
                f"{count_sequences(len(empty))} ({', '.join(empty)})"
            )
        return tuple(notes)

    def _mean(self, values: FloatArray) -> FloatArray:
        kept = self.counted
        sums = np.bincount(self.table.sequence[kept], values[kept], minlength=len(self.denominator))
        return sums / self.denominator

    def _shares_within(self, errors: FloatArray, curve: Curve, *, absent_hits: bool) -> FloatArray:
        passes = curve.points - np.searchsorted(curve_thresholds(curve), errors, side="left")
        if not absent_hits:
            return self._shares(passes, curve, self.counted)[:, ::-1]
        passes = np.where(self.absent, curve.points, passes)
        return self._shares(passes, curve, self.counted | self.absent)[:, ::-1]

    def _shares(self, passes: IntArray, curve: Curve, frames: BoolArray) -> FloatArray:
        """`(S, K)`: share of frames that pass at least 1, 2, ... K thresholds."""
        width = curve.points + 1
        sequences = len(self.denominator)
        cells = self.table.sequence[frames] * width + passes[frames]
        histogram = np.bincount(cells, minlength=sequences * width).reshape(sequences, width)
        at_least = histogram[:, ::-1].cumsum(axis=1)[:, ::-1]
        shares: FloatArray = at_least[:, 1:] / self.denominator[:, None]
        return shares


def _reaches(overlap: FloatArray, threshold: float, test: ThresholdTest) -> BoolArray:
    return overlap > threshold if test is ThresholdTest.ABOVE else overlap >= threshold


def _read(curves: FloatArray, curve: Curve) -> FloatArray:
    if curve.reading is Reading.VALUE:
        nearest = int(np.argmin(np.abs(curve_thresholds(curve) - (curve.at or 0.0))))
        return curves[:, nearest]
    if curve.reading is Reading.MEAN:
        mean: FloatArray = curves.mean(axis=1)
        return mean
    ends = (curves[:, 0] + curves[:, -1]) / 2
    area: FloatArray = (curves.sum(axis=1) - ends) / (curve.points - 1)
    return area
