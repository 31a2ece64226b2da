"""Results as supervision.Detections: what its annotators are given."""

import builtins
from typing import Any

import numpy as np
import pytest

from aiatrack.errors import MissingExtraError, SettingsError
from aiatrack.integrations.supervision import to_detections
from aiatrack.tracking import TargetState, TrackResult

ONE = TrackResult((10.0, 20.5, 30.0, 40.0), 0.5, 3, False, 1)
UNSURE = TrackResult((50.0, 20.0, 8.0, 9.0), 0.0, 3, False, 4, 0.375, TargetState.UNCERTAIN)
LOST = TrackResult((70.0, 20.0, 8.0, 9.0), -0.5, 3, False, 9, 0.125, TargetState.LOST)
ALL = {result.id: result for result in (ONE, UNSURE, LOST)}


@pytest.fixture
def supervision():
    return pytest.importorskip("supervision")


def test_fields(supervision):
    found = to_detections(ALL, include_lost=True)
    assert isinstance(found, supervision.Detections)
    assert found.xyxy.tolist() == [[10, 20.5, 40, 60.5], [50, 20, 58, 29], [70, 20, 78, 29]]
    assert found.confidence.tolist() == [0.75, 0.375, 0.125]
    assert found.tracker_id.tolist() == [1, 4, 9]
    assert found.data["id"].tolist() == ["1", "4", "9"]
    assert found.data["state"].tolist() == ["tracked", "uncertain", "lost"]
    assert found.data["score"].tolist() == [0.5, 0.0, -0.5]


def test_the_lost_are_left_out(supervision):
    assert to_detections(ALL).tracker_id.tolist() == [1, 4]
    assert len(to_detections(LOST)) == 0
    assert len(to_detections({})) == 0


@pytest.mark.parametrize("results", [LOST, {}, []])
def test_without_a_target_the_fields_are_empty(supervision, results):
    found, of_one = to_detections(results), to_detections(ONE)
    assert found.is_empty()
    assert found.xyxy.shape == (0, 4)
    for name in ("xyxy", "confidence", "class_id", "tracker_id"):
        assert getattr(found, name).dtype == getattr(of_one, name).dtype
    assert {name: column.dtype.kind for name, column in found.data.items()} == {
        name: column.dtype.kind for name, column in of_one.data.items()
    }
    assert supervision.Detections.merge([found, of_one]).tracker_id.tolist() == [1]
    picture = np.zeros((80, 100, 3), np.uint8)
    assert not supervision.LabelAnnotator().annotate(picture, found).any()


def test_one_result_and_lists(supervision):
    assert to_detections(ONE).tracker_id.tolist() == [1]
    assert to_detections([UNSURE, ONE]).tracker_id.tolist() == [4, 1]


def test_names_need_numbers(supervision):
    named = TrackResult((1.0, 2.0, 3.0, 4.0), 0.5, 0, False, "car")
    with pytest.raises(SettingsError, match="'car'"):
        to_detections(named)
    found = to_detections(named, numbers={"car": 5})
    assert (found.tracker_id.tolist(), found.data["id"].tolist()) == ([5], ["car"])


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        ([], {"1": 1, "car": 1}),  # perhaps in another frame
        (["1", "car"], {"1": 1, "car": 1}),
        ([1, "car"], {"car": 1}),
        ([1, 2], {1: 2}),
    ],
)
def test_two_targets_do_not_share_a_number(supervision, ids, numbers):
    of_frame = [TrackResult((1.0, 2.0, 3.0, 4.0), 0.5, 0, False, id) for id in ids]
    with pytest.raises(SettingsError, match="both have tracker_id"):
        to_detections(of_frame, numbers=numbers)


def test_a_number_has_64_bits(supervision):
    large = TrackResult((1.0, 2.0, 3.0, 4.0), 0.5, 0, False, 2**63)
    for numbers in (None, {2**63: 2**64}):
        with pytest.raises(SettingsError, match=r"64 bits.*numbers"):
            to_detections(large, numbers=numbers)
    assert to_detections(large, numbers={2**63: np.int64(7)}).tracker_id.tolist() == [7]


def test_annotators_take_them(supervision):
    picture = np.zeros((80, 100, 3), np.uint8)
    drawn = supervision.BoxAnnotator(thickness=1).annotate(picture.copy(), to_detections(ALL))
    assert drawn[40, 10].any()
    assert not drawn[25, 70].any()
    supervision.LabelAnnotator().annotate(picture, to_detections(ALL))
    # Detections can be filtered, joined and sliced, with all that is kept of each.
    sure = (found := to_detections(ALL))[found.confidence > 0.5]
    assert sure.data["state"].tolist() == ["tracked"]
    assert len(supervision.Detections.merge([sure, found])) == 3


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    found = builtins.__import__

    def find(module: str, *rest: Any, **more: Any) -> Any:
        if module == "supervision":
            raise ImportError(module)
        return found(module, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", find)
    with pytest.raises(MissingExtraError, match=r"pip install 'aiatrack\[supervision\]'"):
        to_detections(ONE)
