"""Differences between rule sets: parts sum to the whole and go to the rules that cause them."""

from itertools import permutations

import numpy as np
import pytest

from aiatrack.errors import SettingsError
from aiatrack.evaluation.annotation import build_annotation
from aiatrack.evaluation.explanation import explain_difference
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.rules import RULE_SETS
from aiatrack.evaluation.scoring import METRICS

NAN = float("nan")
BOX = (10.0, 10.0, 10.0, 10.0)


@pytest.fixture
def table() -> FrameTable:
    random = np.random.default_rng(11)
    truth, boxes = {}, {}
    for name, frames in (("a", 30), ("b", 45), ("c", 12)):
        annotated = np.concatenate(
            (random.uniform(-3, 50, (frames, 2)), random.uniform(5, 30, (frames, 2))), axis=1
        )
        predicted = annotated + random.normal(0, 3, annotated.shape).clip(-4, 4)
        annotated[7::11] = NAN
        truth[name] = build_annotation(
            annotated, flagged_absent=np.arange(frames) % 9 == 5, image_size=(70, 60)
        )
        boxes[name] = predicted
    return FrameTable(boxes, truth)


@pytest.mark.parametrize(("first", "second"), list(permutations(RULE_SETS, 2)))
def test_parts_sum_to_the_whole_for_any_two_rule_sets(table, first, second):
    explanation = explain_difference(table, RULE_SETS[first], RULE_SETS[second])
    assert sum(part.difference for part in explanation.parts) == pytest.approx(
        explanation.difference, abs=1e-9
    )
    assert explanation.difference == pytest.approx(explanation.after - explanation.before, abs=0)
    words_first, words_second = RULE_SETS[first].describe(), RULE_SETS[second].describe()
    for part in explanation.parts:
        assert (part.before, part.after) == (words_first[part.rule], words_second[part.rule])
        assert part.before != part.after


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_explained(table, metric):
    for second in RULE_SETS.values():
        explanation = explain_difference(table, RULE_SETS["aiatrack"], second, metric)
        assert sum(part.difference for part in explanation.parts) == pytest.approx(
            explanation.difference, abs=1e-9
        )


def test_a_single_cause_gets_the_whole_difference():
    """Half of the frames have no box: the denominator alone halves the score, from 20/21 to 10/21."""
    truth = {"only": build_annotation(np.array([BOX, BOX, [NAN] * 4, [NAN] * 4]))}
    table = FrameTable({"only": np.array([BOX] * 4)}, truth)
    explanation = explain_difference(table, RULE_SETS["aiatrack"], RULE_SETS["stark"])
    assert [part.rule for part in explanation.parts] == ["denominator"]
    assert explanation.parts[0].difference == pytest.approx(-10 / 21)


def test_two_interacting_rules_share_what_neither_does_alone():
    """Worked by hand, each frame twice: one visible, hit; one flagged absent with a hit; one without box.

    aiatrack 1/1; all frames counted 2/2; all frames divided by 1/3; both 2/3. Shapley: counting gets
    ((1 - 1) + (2/3 - 1/3)) / 2 = 1/6, dividing ((1/3 - 1) + (2/3 - 1)) / 2 = -1/2, in mean overlap.
    """
    annotated = np.repeat(np.array([BOX, BOX, [NAN] * 4]), 2, axis=0)
    truth = {"only": build_annotation(annotated, flagged_absent=[0, 0, 1, 1, 0, 0])}
    table = FrameTable({"only": np.array([BOX] * 6)}, truth)
    explanation = explain_difference(
        table, RULE_SETS["aiatrack"], RULE_SETS["trackingnet"], "average_overlap"
    )
    parts = {part.rule: part.difference for part in explanation.parts}
    assert parts["counted"] == pytest.approx(1 / 6)
    assert parts["denominator"] == pytest.approx(-1 / 2)
    assert parts["rounding"] == pytest.approx(0)


def test_equal_rule_sets_differ_in_nothing(table):
    explanation = explain_difference(table, RULE_SETS["stark"], RULE_SETS["stark"])
    assert explanation.parts == ()
    assert explanation.difference == 0


def test_an_unknown_metric_is_refused(table):
    with pytest.raises(SettingsError, match="success_auc"):
        explain_difference(table, RULE_SETS["stark"], RULE_SETS["lasot"], "accuracy")
