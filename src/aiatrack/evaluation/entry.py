"""One tracker on one benchmark: everything that scores, explanations and reports are made from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aiatrack.evaluation.attributes import group_by_attribute
from aiatrack.evaluation.benchmark import Benchmark
from aiatrack.evaluation.explanation import Explanation
from aiatrack.evaluation.intervals import bootstrap_interval
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.results import BenchmarkAnnotations, Results, read_results
from aiatrack.evaluation.rules import RuleSet
from aiatrack.evaluation.scoring import METRICS, Score, score_frames
from aiatrack.paths import AnyPath, expand_home


@dataclass(frozen=True)
class Entry:
    """A tracker's results on a benchmark, read and checked."""

    tracker: str
    benchmark: Benchmark
    annotations: BenchmarkAnnotations
    results: Results

    @cached_property
    def table(self) -> FrameTable:
        """Boxes of all sound sequences, laid end to end."""
        return FrameTable(self.results.boxes, self.annotations)

    def score(self, rules: RuleSet) -> Score:
        """Score all sound sequences by a rule set."""
        return score_frames(self.table, rules)

    def score_attributes(self, score: Score) -> dict[str, Score]:
        """The parts of a score by challenge: the benchmark's own names and those measured from boxes."""
        groups = group_by_attribute({name: self.annotations[name] for name in score.sequence_names})
        members = {
            attribute: np.array([name in names for name in score.sequence_names])
            for attribute, names in groups.items()
        }
        return {attribute: score.subset(keep) for attribute, keep in members.items()}

    def object_classes(self) -> dict[str, str] | None:
        """Object class by sequence, or None if some sequence has none."""
        classes = {s.name: s.description.object_class for s in self.benchmark.sequences}
        known = {name: found for name, found in classes.items() if found is not None}
        return known if len(known) == len(classes) else None


def open_entry(
    folder: AnyPath,
    benchmark: Benchmark,
    annotations: BenchmarkAnnotations,
    *,
    tracker: str | None = None,
    partial: bool = False,
) -> Entry:
    """Read a tracker's results on a benchmark.

    Args:
        folder: of result files.
        benchmark: opened.
        annotations: of the same benchmark, from `read_annotations`.
        tracker: what to call the tracker; the folder's name if None.
        partial: leave out sequences whose results are missing or damaged instead of refusing all.

    Raises:
        DataError: see `read_results`.
    """
    results = read_results(folder, benchmark, annotations, partial=partial)
    return Entry(tracker or expand_home(folder).resolve().name, benchmark, annotations, results)


def tabulate_entry(
    entry: Entry, score: Score, explanations: list[Explanation] | None = None
) -> dict[str, Any]:
    """All numbers of an entry as plain data, ready for JSON; shares in [0, 1]."""
    names = score.sequence_names
    classes = entry.object_classes()
    return {
        "tracker": entry.tracker,
        "benchmark": entry.benchmark.name,
        "rules": {"name": score.rules.name, "source": score.rules.source, **score.rules.describe()},
        "overall": {metric: _with_interval(score, metric) for metric in METRICS},
        "class_balanced_overlap": None if classes is None else score.class_balanced(classes),
        "attributes": {
            attribute: {"sequences": len(part.sequence_names), "success_auc": part.overall()}
            for attribute, part in entry.score_attributes(score).items()
        },
        "sequences": {
            name: {metric: float(score.values[metric][index]) for metric in METRICS}
            for index, name in enumerate(names)
        },
        "curves": {
            "success": score.overall_curve(score.success_curves).tolist(),
            "precision": score.overall_curve(score.precision_curves).tolist(),
            "normalised_precision": score.overall_curve(score.normalised_precision_curves).tolist(),
        },
        "frames_per_second": entry.results.frames_per_second,
        "left_out": {item.sequence: item.problem for item in entry.results.problems},
        "notes": [*entry.results.notes, *score.notes],
        "explanations": [tabulate_explanation(explanation) for explanation in explanations or ()],
    }


def tabulate_explanation(explanation: Explanation) -> dict[str, Any]:
    """An explanation as plain data, ready for JSON; its parts sum to its difference."""
    return {
        "metric": explanation.metric,
        "from": explanation.first,
        "to": explanation.second,
        "before": explanation.before,
        "after": explanation.after,
        "difference": explanation.difference,
        "parts": [vars(part) for part in explanation.parts],
    }


def _with_interval(score: Score, metric: str) -> dict[str, float | None]:
    interval = bootstrap_interval(score, metric)
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return {"value": score.overall(metric), "low": low, "high": high}
