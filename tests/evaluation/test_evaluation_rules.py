"""Every rule set, on tables small enough to work by hand."""

from dataclasses import replace

import numpy as np
import pytest

from aiatrack.errors import DataError, SettingsError
from aiatrack.evaluation.annotation import build_annotation
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.rules import RULE_FIELDS, RULE_SETS, AbsentErrors, Rounding, RuleSet, select_rules
from aiatrack.evaluation.scoring import METRICS, score_frames, score_metric
from aiatrack.evaluation.wording import METRIC_COLUMNS, METRIC_TITLES

NAN = float("nan")
BOX = (10.0, 10.0, 10.0, 10.0)
# Shifting a 10 x 10 box by s pixels leaves an overlap of (10 - s) / (10 + s).
SHIFT_2 = (12.0, 10.0, 10.0, 10.0)  # overlap 2/3, error 2 px, normalised 0.2
SHIFT_5 = (15.0, 10.0, 10.0, 10.0)  # overlap 1/3, error 5 px, normalised 0.5
FAR = (60.0, 10.0, 10.0, 10.0)  # overlap 0, error 50 px, normalised 5


def auc(overlaps: list[float], denominator: int) -> float:
    """Mean over t = 0, 0.05 ... 1 of the share of overlaps above t, counted by hand."""
    above = {1.0: 20, 2 / 3: 14, 1 / 3: 7, 0.0: 0}
    return sum(above[overlap] for overlap in overlaps) / 21 / denominator


def test_four_visible_frames_under_stark_rules(make_table):
    score = score_frames(make_table([BOX, SHIFT_2, SHIFT_5, FAR], [BOX] * 4), RULE_SETS["stark"])
    assert score.overall("success_auc") == pytest.approx(auc([1.0, 2 / 3, 1 / 3, 0.0], 4), abs=1e-12)
    assert score.overall("average_overlap") == pytest.approx((1 + 2 / 3 + 1 / 3) / 4)
    assert score.overall("success_at_50") == 0.5
    assert score.overall("success_at_75") == 0.25
    assert score.overall("precision") == 0.75
    assert score.overall("normalised_precision") == 0.5
    np.testing.assert_allclose(
        score.success_curves[0, [0, 6, 7, 13, 14, 19, 20]], [0.75, 0.75, 0.5, 0.5, 0.25, 0.25, 0]
    )
    np.testing.assert_allclose(
        score.precision_curves[0, [0, 1, 2, 4, 5, 49, 50]], [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1]
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stark", auc([1.0, 2 / 3], 5)),
        ("pytracking", auc([1.0], 5)),
        ("aiatrack", auc([1.0, 2 / 3], 2)),
        ("lasot", auc([1.0, 2 / 3], 5)),
        ("pysot", auc([1.0, 2 / 3], 4)),
        ("got10k_otb", auc([1.0, 2 / 3, 1.0], 4)),
        ("got10k", 2 / 3 / 2),
    ],
)
def test_each_rule_set_counts_its_own_frames(make_table, name, expected):
    """Frames: given; shifted at the left border; without box; flagged absent though boxed; of no size."""
    at_border, shifted = (0.0, 10.0, 10.0, 10.0), (2.0, 10.0, 10.0, 10.0)
    annotated = [BOX, at_border, [NAN] * 4, BOX, (10.0, 10.0, 0.0, 10.0)]
    predicted = [BOX, shifted, BOX, BOX, BOX]
    table = make_table(predicted, annotated, flagged_absent=[0, 0, 0, 1, 0])
    assert score_frames(table, RULE_SETS[name]).overall() == pytest.approx(expected, abs=1e-12)


def test_trackingnet_rounds_includes_equality_and_integrates_by_trapezoid(make_table):
    """Rounded, frame 1 overlaps by exactly 0.25: 6 thresholds reached with >=, 5 passed with >."""
    annotated = [BOX, (10.2, 9.8, 10.1, 10.4)]
    predicted = [(0.0, 0.0, 5.0, 5.0), (15.9, 9.6, 10.3, 9.9)]
    score = score_frames(make_table(predicted, annotated), RULE_SETS["trackingnet"])
    curve = np.array([(i <= 20) + (i <= 5) for i in range(21)]) / 2
    np.testing.assert_allclose(score.success_curves[0], curve)
    assert score.overall() == pytest.approx((curve.sum() - (curve[0] + curve[-1]) / 2) * 0.05, abs=1e-12)
    # Centre error 6 px: hit at 7.5, 10, ... 50 (18 of 21 thresholds); normalised 0.6: never.
    assert score.overall("precision") == pytest.approx((20 + 17.5) / 20 / 2)
    assert score.overall("normalised_precision") == pytest.approx(0.5)


def test_truncating_boxes_to_integers_is_a_rule_of_its_own(make_table):
    annotated = [BOX, (10.0, 10.0, 10.0, 10.0)]
    predicted = [BOX, (10.9, 10.9, 10.9, 10.9)]
    table = make_table(predicted, annotated)
    assert score_frames(table, RULE_SETS["pytracking_integer"]).overall("average_overlap") == 1.0
    assert score_frames(table, RULE_SETS["pytracking"]).overall("average_overlap") < 0.9


def test_got10k_drops_the_given_frame_and_clips_to_the_image(make_table):
    predicted = [FAR, (90.0, 90.0, 20.0, 20.0)]
    annotated = [BOX, (90.0, 90.0, 10.0, 10.0)]
    clipped = score_frames(make_table(predicted, annotated, image_size=(100, 100)), RULE_SETS["got10k"])
    assert clipped.overall() == 1.0
    assert clipped.notes == ()
    unclipped = score_frames(make_table(predicted, annotated), RULE_SETS["got10k"])
    assert unclipped.overall() == 0.25
    assert "not clipped in 1 sequence:" in unclipped.notes[0]


def test_got10k_pools_frames_and_balances_classes(make_table):
    boxes = {"short": np.array([BOX, BOX]), "long": np.array([BOX, FAR, FAR, FAR])}
    truth = {name: build_annotation(np.array([BOX] * len(found))) for name, found in boxes.items()}
    pooled = score_frames(make_table(boxes, truth), RULE_SETS["got10k"])
    assert pooled.overall() == 0.25
    assert pooled.class_balanced({"short": "cat", "long": "dog"}) == 0.5
    assert (
        score_frames(make_table(boxes, truth), RULE_SETS["stark"]).overall("average_overlap")
        == (1 + 0.25) / 2
    )


def test_got10k_otb_normalises_by_at_least_one_pixel_and_averages_the_curve(make_table):
    annotated = [BOX, (10.0, 10.0, 0.5, 10.0)]
    predicted = [BOX, (10.1, 10.0, 0.5, 10.0)]
    table = make_table(predicted, annotated)
    # Error 0.1 / max(0.5, 1): hit from threshold 0.1 or 0.11 on (0.1 is not exact), of 51.
    curve = score_frames(table, RULE_SETS["got10k_otb"]).normalised_precision_curves[0]
    np.testing.assert_array_equal(curve[[9, 11]], [0.5, 1.0])
    # By 0.2, that is 0.1 / 0.5, without the floor.
    np.testing.assert_array_equal(
        score_frames(table, RULE_SETS["stark"]).normalised_precision_curves[0][[19, 21]], [0.5, 1]
    )


def test_absent_frames_push_precision_over_one_only_under_the_flag(make_table):
    annotated = [BOX, BOX, *[[NAN] * 4] * 4]
    table = make_table([BOX, BOX, BOX, BOX, FAR, FAR], annotated)
    assert score_frames(table, select_rules("aiatrack")).overall("normalised_precision") == 1.0
    flagged = score_frames(table, select_rules("aiatrack", AbsentErrors.NORMALISED))
    assert flagged.overall("normalised_precision") == 3.0
    assert flagged.overall("precision") == 1.0
    assert score_frames(table, select_rules("aiatrack", AbsentErrors.BOTH)).overall("precision") == 3.0


def test_a_sequence_without_counted_frames_is_left_out_and_named(make_table):
    truth = {"seen": build_annotation(np.array([BOX, BOX])), "gone": build_annotation(np.full((2, 4), NAN))}
    boxes = {name: np.array([BOX, SHIFT_2]) for name in truth}
    score = score_frames(make_table(boxes, truth), RULE_SETS["aiatrack"])
    assert score.sequence_names == ("seen",)
    assert "gone" in score.notes[0]
    with pytest.raises(DataError, match="no sequence has a frame"):
        score_frames(make_table({"gone": boxes["gone"]}, {"gone": truth["gone"]}), RULE_SETS["aiatrack"])


@pytest.mark.parametrize("rules", RULE_SETS.values(), ids=lambda rules: rules.name)
def test_a_sequence_of_the_given_frame_alone_is_left_out_and_named(make_table, rules: RuleSet):
    boxes = {"film": np.array([BOX, SHIFT_2]), "glimpse": np.array([BOX])}
    truth = {name: build_annotation(np.array([BOX] * len(found))) for name, found in boxes.items()}
    score = score_frames(make_table(boxes, truth), rules)
    assert score.sequence_names == ("film",)
    assert "1 sequence (glimpse)" in score.notes[-1]
    with pytest.raises(DataError, match="no sequence has a frame after its first"):
        score_frames(make_table({"glimpse": boxes["glimpse"]}, truth), rules)


def test_a_target_that_is_gone_after_its_first_frame_is_left_out_where_absent_frames_are(make_table):
    boxes = {"film": np.array([BOX, FAR]), "gone": np.array([BOX, FAR])}
    truth = {"film": build_annotation(np.array([BOX, BOX]))}
    truth["gone"] = build_annotation(np.array([BOX, [NAN] * 4]))
    counted = score_frames(make_table(boxes, truth), RULE_SETS["aiatrack"])
    assert (counted.sequence_names, counted.overall("precision")) == (("film",), 0.5)
    # Rules that divide by all frames judge what was predicted without a target.
    assert score_frames(make_table(boxes, truth), RULE_SETS["stark"]).sequence_names == ("film", "gone")


@pytest.mark.parametrize("rules", RULE_SETS.values(), ids=lambda rules: rules.name)
def test_perfect_results_score_as_high_as_the_rules_allow(make_table, rules: RuleSet):
    boxes = np.array([BOX] * 5) + np.arange(5)[:, None]
    score = score_frames(make_table(boxes, boxes), rules)
    best = 20 / 21 if rules.success.reading.value.startswith("mean of") else 1.0
    assert score.overall() == pytest.approx(best)
    assert score.overall("precision") == pytest.approx(1.0)
    assert score.overall("average_overlap") == pytest.approx(1.0)


@pytest.mark.parametrize("rules", RULE_SETS.values(), ids=lambda rules: rules.name)
def test_sequences_scored_together_equal_sequences_scored_one_by_one(make_table, rules: RuleSet):
    random = np.random.default_rng(3)
    truth, boxes = {}, {}
    for name, frames in (("a", 5), ("b", 17), ("c", 1 + 40)):
        annotated = np.concatenate(
            (random.uniform(0, 50, (frames, 2)), random.uniform(5, 30, (frames, 2))), axis=1
        )
        truth[name] = build_annotation(
            annotated, flagged_absent=np.arange(frames) % 4 == 3, image_size=(70, 60)
        )
        boxes[name] = annotated + random.normal(0, 3, annotated.shape).clip(-4, 4)
    together = score_frames(make_table(boxes, truth), rules)
    for index, name in enumerate(truth):
        alone = score_frames(make_table({name: boxes[name]}, {name: truth[name]}), rules)
        for metric in METRICS:
            assert alone.overall(metric) == pytest.approx(together.values[metric][index], abs=1e-12)
            assert score_metric(make_table(boxes, truth), rules, metric) == together.overall(metric)


def test_curves_agree_with_their_definition_frame_by_frame(make_table):
    random = np.random.default_rng(5)
    annotated = np.concatenate((random.uniform(1, 50, (60, 2)), random.uniform(5, 30, (60, 2))), axis=1)
    predicted = annotated + random.normal(0, 6, annotated.shape).clip(-4.5, 30)
    table = make_table(predicted, annotated)
    for rules in RULE_SETS.values():
        measures, score = table.measure(rules), score_frames(table, rules)
        kept = table.passed(rules)
        thresholds = np.linspace(0, 1, rules.success.points)
        overlap = measures.overlap[kept, None]
        above = overlap >= thresholds if rules.test.value == ">=" else overlap > thresholds
        np.testing.assert_allclose(score.success_curves[0], above.mean(axis=0))
        errors = measures.centre_error_px[kept, None]
        within = (errors <= np.linspace(0, 50, rules.precision.points)).mean(axis=0)
        np.testing.assert_allclose(score.precision_curves[0], within)


def test_every_rule_is_described_in_words():
    for rules in RULE_SETS.values():
        words = rules.describe()
        assert tuple(words) == RULE_FIELDS
        assert all(words.values())
    assert (
        replace(RULE_SETS["stark"], rounding=Rounding.ROUND_BOTH).describe()["rounding"].startswith("round")
    )


def test_unknown_rule_sets_and_vot_are_refused_by_name():
    with pytest.raises(SettingsError, match="aiatrack, lasot"):
        select_rules("paper")
    with pytest.raises(SettingsError, match="VOT toolkit"):
        select_rules("vot")


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({}, "no sequence to score"),
        ({"other": np.zeros((2, 4))}, "other has boxes but no annotation"),
        ({"only": np.zeros((1, 4))}, r"shape \(2, 4\) were expected, got \(1, 4\)"),
        ({"only": np.zeros((3, 4))}, r"shape \(2, 4\) were expected, got \(3, 4\)"),
        ({"only": np.zeros((2, 5))}, r"shape \(2, 4\) were expected, got \(2, 5\)"),
    ],
)
def test_boxes_that_do_not_match_their_annotation_are_never_scored(predictions, message):
    annotations = {"only": build_annotation(np.array([BOX, BOX]))}
    with pytest.raises(DataError, match=message):
        FrameTable(predictions, annotations)


def test_equal_boxes_overlap_by_exactly_one_at_most(make_table):
    """In floating point some equal boxes would overlap by a little more than 1, the last threshold."""
    random = np.random.default_rng(1)
    corners, sides = random.uniform(0, 900, (2000, 2)), random.uniform(1, 300, (2000, 2))
    boxes = np.concatenate((corners, sides), axis=1).round(1)
    table = make_table(boxes, boxes)
    assert table.measure(RULE_SETS["stark"]).overlap.max() == 1.0
    assert score_frames(table, RULE_SETS["stark"]).success_curves[0, -1] == 0


def test_frames_that_never_reach_the_scorer_are_no_hits_even_under_the_flag(make_table):
    """PySOT is not handed frames that are flagged absent: of three, one is counted and one lacks its box."""
    table = make_table([BOX, BOX, BOX], [BOX, BOX, [NAN] * 4], flagged_absent=[0, 1, 0])
    score = score_frames(table, select_rules("pysot", AbsentErrors.BOTH))
    assert score.overall("precision") == 1.0
    assert score_frames(table, select_rules("pysot")).overall("precision") == 0.5


def test_a_subset_is_chosen_by_flags_or_by_positions_in_any_order(make_table):
    boxes = {name: np.array([[1.0, 1, 4, 4]] * 3) + index for index, name in enumerate("abc")}
    truth = {name: build_annotation(np.array([[1.0, 1, 4, 4]] * 3)) for name in "abc"}
    score = score_frames(make_table(boxes, truth), RULE_SETS["aiatrack"])
    by_flags = score.subset(np.array([True, False, True]))
    by_positions = score.subset(np.array([2, 0]))
    assert (by_flags.sequence_names, by_positions.sequence_names) == (("a", "c"), ("c", "a"))
    for metric in METRICS:
        np.testing.assert_array_equal(by_positions.values[metric], by_flags.values[metric][::-1])
    np.testing.assert_array_equal(by_positions.success_curves, by_flags.success_curves[::-1])


def test_every_metric_has_its_titles():
    assert tuple(METRIC_TITLES) == tuple(METRIC_COLUMNS) == METRICS
