"""The got10k toolkit as judge, where it is installed: its own functions on the same boxes."""

from pathlib import Path

import numpy as np
import pytest

from aiatrack.evaluation.annotation import build_annotation
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.rules import RULE_SETS
from aiatrack.evaluation.scoring import score_frames

metrics = pytest.importorskip("got10k.utils.metrics", reason="install got10k to compare with its toolkit")


def make_sequences() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    random = np.random.default_rng(8)
    annotated, predicted = {}, {}
    for name, frames in (("a", 40), ("b", 25), ("c", 90)):
        sides = random.uniform(4, 40, (frames, 2))
        annotated[name] = np.concatenate((random.uniform(-5, 90, (frames, 2)), sides), axis=1).round(1)
        noise = random.normal(0, 4, (frames, 4)).clip(-3.5, 20)
        predicted[name] = (annotated[name] + noise).round(1)
    return predicted, annotated


def test_success_and_precision_equal_the_toolkit_on_otb():
    experiments = pytest.importorskip("got10k.experiments")
    judge = experiments.ExperimentOTB.__new__(experiments.ExperimentOTB)
    judge.nbins_iou, judge.nbins_ce = 21, 51
    predicted, annotated = make_sequences()
    table = FrameTable(predicted, {name: build_annotation(boxes) for name, boxes in annotated.items()})
    score = score_frames(table, RULE_SETS["got10k_otb"])
    for index, name in enumerate(score.sequence_names):
        boxes = predicted[name].copy()
        boxes[0] = annotated[name][0]
        curves = judge._calc_curves(*judge._calc_metrics(boxes, annotated[name]))
        np.testing.assert_allclose(score.success_curves[index], curves[0], atol=1e-12)
        np.testing.assert_allclose(score.precision_curves[index], curves[1], atol=1e-12)


def test_average_overlap_equals_the_toolkit_on_got10k():
    experiments = pytest.importorskip("got10k.experiments")
    judge = experiments.ExperimentGOT10k.__new__(experiments.ExperimentGOT10k)
    predicted, annotated = make_sequences()
    size = (80, 70)
    cover = {name: np.arange(len(boxes)) % 5 for name, boxes in annotated.items()}
    truth = {
        name: build_annotation(boxes, flagged_absent=cover[name] == 0, image_size=size)
        for name, boxes in annotated.items()
    }
    overlaps = [
        metrics.rect_iou(predicted[name][1:].copy(), annotated[name][1:].copy(), bound=size)[
            cover[name][1:] > 0
        ]
        for name in annotated
    ]
    average, success_rate, _, curve = judge._evaluate(np.concatenate(overlaps), np.ones(1))
    score = score_frames(FrameTable(predicted, truth), RULE_SETS["got10k"])
    assert score.overall() == pytest.approx(average, abs=1e-12)
    assert score.overall("success_at_50") == pytest.approx(success_rate, abs=1e-12)
    np.testing.assert_allclose(score.overall_curve(score.success_curves), curve, atol=1e-12)


def test_published_results_equal_the_toolkit(published: Path):
    from aiatrack.evaluation.benchmark import open_benchmark
    from aiatrack.evaluation.results import read_annotations, read_results

    benchmark = open_benchmark("uav123", published / "annotations")
    annotations = read_annotations(benchmark)
    boxes = read_results(published / "results", benchmark, annotations).boxes
    score = score_frames(FrameTable(boxes, annotations), RULE_SETS["got10k_otb"])
    for index, name in enumerate(score.sequence_names):
        valid = ~np.isnan(annotations[name].boxes_xywh).any(axis=1)
        truth, found = annotations[name].boxes_xywh[valid], boxes[name][valid]
        found[0] = truth[0]
        overlap = metrics.rect_iou(found, truth)
        expected = (overlap[:, None] > np.linspace(0, 1, 21)).mean(axis=0)
        np.testing.assert_allclose(score.success_curves[index], expected, atol=1e-12)
