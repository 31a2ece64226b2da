"""The paper's own numbers from the authors' raw results, by the right rule set and by others."""

from functools import cache
from pathlib import Path

import pytest

from aiatrack.evaluation.benchmark import check_benchmark, open_benchmark
from aiatrack.evaluation.explanation import explain_difference
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.results import read_annotations, read_results
from aiatrack.evaluation.rules import RULE_SETS
from aiatrack.evaluation.scoring import score_frames, score_metric


@cache
def load_table(published: Path, name: str) -> FrameTable:
    benchmark = open_benchmark(name, published / "annotations" / name)
    annotations = read_annotations(benchmark)
    return FrameTable(read_results(published / "results", benchmark, annotations).boxes, annotations)


@pytest.mark.parametrize(
    ("benchmark", "rules", "percents"),
    [
        ("otb100", "aiatrack", {"success_auc": 69.6}),
        ("uav123", "aiatrack", {"success_auc": 70.6}),
        ("uav123", "stark", {"success_auc": 69.3}),
        ("lasot", "lasot", {"success_auc": 69.0, "normalised_precision": 79.4, "precision": 73.8}),
        ("lasot", "aiatrack", {"success_auc": 70.6}),
    ],
)
def test_the_papers_numbers(published, benchmark, rules, percents):
    score = score_frames(load_table(published, benchmark), RULE_SETS[rules])
    assert len(score.sequence_names) == {"otb100": 100, "uav123": 123, "lasot": 280}[benchmark]
    for metric, percent in percents.items():
        assert 100 * score.overall(metric) == pytest.approx(percent, abs=0.05)


@pytest.mark.parametrize(
    ("benchmark", "first", "second", "percents"),
    [("lasot", "lasot", "aiatrack", (69.0, 70.6)), ("uav123", "aiatrack", "stark", (70.6, 69.3))],
)
def test_differences_are_due_to_the_denominator(published, benchmark, first, second, percents):
    explanation = explain_difference(load_table(published, benchmark), RULE_SETS[first], RULE_SETS[second])
    assert (100 * explanation.before, 100 * explanation.after) == pytest.approx(percents, abs=0.05)
    assert explanation.parts[0].rule == "denominator"
    assert explanation.parts[0].difference == pytest.approx(explanation.difference, abs=1e-5)
    assert sum(part.difference for part in explanation.parts) == pytest.approx(
        explanation.difference, abs=1e-9
    )


def test_annotation_of_every_published_sequence_is_complete(published):
    for name in ("otb100", "uav123", "lasot"):
        benchmark = open_benchmark(name, published / "annotations")
        assert all(check.complete for check in check_benchmark(benchmark))
        assert not benchmark.has_frames


def test_every_rule_set_scores_everything(published):
    frames = 0
    for name in ("otb100", "uav123", "lasot"):
        table = load_table(published, name)
        frames += len(table.sequence)
        for rules in RULE_SETS.values():
            assert 0.5 < score_metric(table, rules, "success_auc") < 0.8
            score_frames(table, rules)
    assert frames > 800_000
