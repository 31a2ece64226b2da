"""Bootstrap intervals and paired comparisons."""

import numpy as np
import pytest

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import build_annotation
from aiatrack.evaluation.intervals import bootstrap_interval, paired_difference
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.rules import RULE_SETS
from aiatrack.evaluation.scoring import Score, score_frames


def score_shifts(shifts: dict[str, float], rules: str = "stark") -> Score:
    """One two-frame sequence a shift: the second box is off by that many pixels of ten."""
    box = np.array([10.0, 10.0, 10.0, 10.0])
    truth = {name: build_annotation(np.array([box, box])) for name in shifts}
    boxes = {name: np.array([box, np.add(box, (shift, 0, 0, 0))]) for name, shift in shifts.items()}
    return score_frames(FrameTable(boxes, truth), RULE_SETS[rules])


def test_equal_sequences_leave_no_doubt():
    score = score_shifts({f"s{i}": 2.0 for i in range(20)})
    interval = bootstrap_interval(score)
    assert interval.low == pytest.approx(score.overall())
    assert interval.high == pytest.approx(score.overall())


@pytest.mark.parametrize("rules", ["stark", "got10k"])
def test_interval_matches_the_normal_theory_of_the_mean(rules):
    random = np.random.default_rng(0)
    score = score_shifts({f"s{i}": float(s) for i, s in enumerate(random.uniform(0, 10, 400))}, rules)
    values = score.values["average_overlap"]
    error = 1.96 * values.std() / np.sqrt(len(values))
    interval = bootstrap_interval(score, "average_overlap", resamples=4000)
    assert interval.low == pytest.approx(score.overall("average_overlap") - error, rel=0.02)
    assert interval.high == pytest.approx(score.overall("average_overlap") + error, rel=0.02)
    assert bootstrap_interval(score, seed=1) == bootstrap_interval(score, seed=1)


def test_pairing_finds_a_small_difference_that_intervals_alone_would_hide():
    shifts = {f"s{i}": i / 10 for i in range(60)}
    first = score_shifts(shifts)
    second = score_shifts({name: shift + 0.4 for name, shift in shifts.items()})
    assert bootstrap_interval(second).high > first.overall() > second.overall()
    comparison = paired_difference(first, second)
    assert comparison.significant
    assert comparison.interval.low > 0
    assert comparison.p_value < 0.01
    assert comparison.difference == pytest.approx(first.overall() - second.overall())
    assert paired_difference(second, first).difference == pytest.approx(-comparison.difference)


def test_a_single_sequence_has_no_interval():
    score = score_shifts({"a": 2.0})
    assert bootstrap_interval(score) is None
    found = paired_difference(score, score_shifts({"a": 5.0, "b": 1.0}))
    assert found.difference > 0
    assert (found.interval, found.p_value, found.significant) == (None, None, False)


def test_noise_is_not_significant():
    random = np.random.default_rng(4)
    first = score_shifts({f"s{i}": float(s) for i, s in enumerate(random.uniform(0, 10, 40))})
    names = list(first.sequence_names)
    second = score_shifts({n: float(s) for n, s in zip(names, random.uniform(0, 10, 40), strict=True)})
    comparison = paired_difference(first, second)
    assert not comparison.significant
    assert comparison.p_value > 0.05


def test_only_common_sequences_are_compared():
    first = score_shifts({"a": 0.0, "b": 5.0, "x": 9.0})
    second = score_shifts({"b": 5.0, "a": 0.0, "y": 1.0})
    assert paired_difference(first, second).difference == 0
    with pytest.raises(DataError, match="common"):
        paired_difference(score_shifts({"a": 0}), score_shifts({"b": 0}))
