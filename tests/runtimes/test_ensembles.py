"""Ensembles of one size: what fills them up counts zero."""

import pytest

from aiatrack.errors import TrackingError
from aiatrack.runtimes.ensembles import level_ensembles
from aiatrack.tracking import ReferenceSet


def test_smaller_ensembles_are_filled_up_with_what_counts_zero():
    references = [ReferenceSet("first", ["a", "b"], [2, 1]), ReferenceSet("first", ["c"], [3])]
    ensembles, counts = level_ensembles(references)
    assert ensembles == [["a", "b"], ["c", "c"]]
    assert counts.tolist() == [[2, 1], [3, 0]]


def test_ensembles_are_as_large_as_is_asked_for():
    ensembles, counts = level_ensembles([ReferenceSet("first", ["a"], [1])], smallest=3)
    assert ensembles == [["a", "a", "a"]]
    assert counts.tolist() == [[1, 0, 0]]


def test_empty_ensembles_stay_empty():
    ensembles, counts = level_ensembles([ReferenceSet("first", [], [])] * 2, smallest=3)
    assert ensembles == [[], []]
    assert counts.shape == (2, 0)


@pytest.mark.parametrize("smallest", [0, 3])
@pytest.mark.parametrize("order", [1, -1])
def test_empty_ensembles_beside_others_are_refused(smallest, order):
    references = [ReferenceSet("first", [], []), ReferenceSet("first", ["a"], [2])][::order]
    with pytest.raises(TrackingError, match=r"1 of 2 ensembles are empty: either all .* or none"):
        level_ensembles(references, smallest)
