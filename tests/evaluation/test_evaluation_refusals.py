"""What users get wrong in a call is refused by an error of the tree, before anything comes of it."""

from pathlib import Path

import numpy as np
import pytest

from aiatrack.errors import DataError, SettingsError
from aiatrack.evaluation import (
    DIALECTS,
    FrameTable,
    Score,
    bootstrap_interval,
    build_annotation,
    open_benchmark,
    paired_difference,
    score_frames,
    score_metric,
    select_dialect,
    select_rules,
    write_results,
)
from aiatrack.evaluation.rules import RULE_SETS

BOXES = np.array([[10.0, 10.0, 20.0, 20.0]] * 5)
NAMES = ("cat", "dog")
RULES = RULE_SETS["stark"]
RAGGED = [[1, 2, 3, 4], [1, 2]]
WORDS = [["a", "b", "c", "d"]] * 5
NUMERALS = [["1", "2", "3", "4"]] * 5
MASKED = np.ma.masked_array(BOXES, BOXES > 15)
UNSOUND = [RAGGED, WORDS, NUMERALS, MASKED, list(MASKED), BOXES + 1j, [[10**400] * 4] * 5]
UNSOUND_IDS = ["ragged", "words", "numerals", "masked", "masked rows", "complex", "too large"]


def lay_table() -> FrameTable:
    """Two sequences, the second tracked less well."""
    boxes = {name: BOXES + offset for offset, name in enumerate(NAMES, start=1)}
    return FrameTable(boxes, dict.fromkeys(NAMES, build_annotation(BOXES)))


@pytest.fixture
def score() -> Score:
    return score_frames(lay_table(), RULES)


@pytest.mark.parametrize("metric", ["x", [], None])
@pytest.mark.parametrize(
    "call",
    [
        lambda score, metric: score.overall(metric),
        lambda score, metric: score.class_balanced(dict.fromkeys(NAMES, "animal"), metric),
        lambda score, metric: score_metric(lay_table(), RULES, metric),
        bootstrap_interval,
        lambda score, metric: bootstrap_interval(score.subset(np.array([0])), metric),
        lambda score, metric: paired_difference(score, score, metric),
    ],
    ids=["overall", "class_balanced", "score_metric", "interval", "interval of one", "difference"],
)
def test_unknown_metrics_are_refused_everywhere(score, call, metric):
    with pytest.raises(SettingsError, match=r"there is no metric .*: choose one of success_auc, precision"):
        call(score, metric)


def test_classes_are_wanted_of_every_sequence(score):
    with pytest.raises(DataError, match=r"no object class of 1 sequence \(dog\)"):
        score.class_balanced({"cat": "animal"})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("level", [2, 0, 1, -0.5, float("nan"), "x", None]),
        ("resamples", [0, -1, 2.5, "x", None]),
        ("seed", [-1, 0.5, "x", None]),
    ],
)
def test_impossible_bootstraps_are_refused(score, name, values):
    for value in values:
        for call in (bootstrap_interval, lambda *given, **more: paired_difference(*given, *given, **more)):
            with pytest.raises(SettingsError, match=f"{name} .*got {value!r}"):
                call(score, **{name: value})


def test_numbers_of_numpy_will_do_for_a_bootstrap(score):
    given = {"level": np.float32(0.5), "resamples": np.int64(20), "seed": np.uint8(3)}
    assert bootstrap_interval(score, **given) == bootstrap_interval(score, level=0.5, resamples=20, seed=3)


@pytest.mark.parametrize("boxes", UNSOUND, ids=UNSOUND_IDS)
def test_boxes_that_are_no_plain_numbers_are_refused(tmp_path: Path, boxes):
    truth = {"cat": build_annotation(BOXES)}
    with pytest.raises(DataError, match="film: plain numbers were expected"):
        build_annotation(boxes, origin="film")
    with pytest.raises(DataError, match="sequence cat: plain numbers were expected"):
        FrameTable({"cat": boxes}, truth)
    with pytest.raises(DataError, match="sequence cat: plain numbers were expected"):
        write_results({"dog": BOXES, "cat": boxes}, tmp_path, DIALECTS["plain"])
    assert not list(tmp_path.iterdir())


def test_lists_and_unmasked_arrays_are_plain_numbers():
    truth = build_annotation(BOXES.astype(int).tolist())
    table = FrameTable({"cat": np.ma.masked_array(BOXES, BOXES > 99)}, {"cat": truth})
    assert table.predicted.dtype == table.annotated.dtype == np.float64
    np.testing.assert_array_equal(table.predicted, truth.boxes_xywh)
    assert type(table.predicted) is type(truth.boxes_xywh) is np.ndarray


@pytest.mark.parametrize("flags", [["0", "0", "1", "0", "0"], ["no"] * 5, np.ma.masked_array([0, 1] * 2, 1)])
def test_flags_that_are_no_plain_numbers_are_refused(flags):
    with pytest.raises(DataError, match="annotation, flags of absence: plain numbers were expected"):
        build_annotation(BOXES, flagged_absent=flags)


@pytest.mark.parametrize("kind", [bool, int, float, np.uint8])
def test_flags_are_truth_values_of_any_kind_of_number(kind):
    flags = [kind(value) for value in (0, 0, 1, 0, 0)]
    assert build_annotation(BOXES, flagged_absent=flags).visible.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (np.where(BOXES > 15, np.nan, BOXES), "sequence cat: 5 rows are not finite, first row 1"),
        ([[1, 2, 3, 4], [1, 2, np.inf, 4]], "sequence cat: 1 rows are not finite, first row 2"),
        ([[1, 2, 3]], r"sequence cat: one row of x, y, w, h a frame .* shape \(1, 3\)"),
        ([1, 2, 3, 4], r"sequence cat: one row of x, y, w, h a frame .* shape \(4,\)"),
    ],
)
def test_results_that_could_not_be_read_back_are_not_written(tmp_path: Path, dialect, boxes, message):
    with pytest.raises(DataError, match=message):
        write_results({"dog": BOXES, "cat": boxes}, tmp_path, dialect)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [[], {}, None, 3])
def test_names_of_another_type_are_refused(name):
    with pytest.raises(SettingsError, match="there is no rule set"):
        select_rules(name)
    with pytest.raises(SettingsError, match="there is no dialect"):
        select_dialect(name)


def test_a_root_may_be_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "groundtruth.txt").write_text("1,2,3,4\n")
    assert open_benchmark("folders", str(tmp_path)) == open_benchmark("folders", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert open_benchmark("folders", f"~/{tmp_path.name}").root == tmp_path
