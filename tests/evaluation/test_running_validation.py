"""Validation on clips in memory, against numbers worked by hand."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from aiatrack.errors import DataError, TrackingError
from aiatrack.evaluation.running import Estimate, validate_tracker

NAN = [np.nan] * 4


@dataclass
class Clip:
    name: str
    boxes_xywh: np.ndarray
    length: int | None = None

    def frames(self) -> Iterator[np.ndarray]:
        count = len(self.boxes_xywh) if self.length is None else self.length
        return (np.full((4, 4, 3), index, np.uint8) for index in range(count))


def clip(name: str, *rows: list[float], length: int | None = None) -> Clip:
    return Clip(name, np.array(rows, np.float32), length)


class Still:
    """Stays where it began."""

    def __init__(self) -> None:
        self.starts: list[int] = []

    def start(self, frame: np.ndarray, box: list[float], /) -> None:
        self.starts.append(int(frame[0, 0, 0]))
        self.box = tuple(box)

    def update(self, frame: np.ndarray, /) -> Estimate:
        return Estimate(self.box)  # type: ignore[arg-type]


def test_success_worked_by_hand() -> None:
    """Overlaps 1, 0.5 and 0 after frame 0 pass 20, 10 and 0 of 21 thresholds; the absent one is left out."""
    box, half, away = [10.0, 10, 8, 8], [10.0, 10, 8, 16], [50.0, 50, 8, 8]
    found = validate_tracker(Still, [clip("a", box, box, half, NAN, away)])
    assert found.success_auc == pytest.approx((20 + 10 + 0) / 3 / 21)
    assert found.metrics["average_overlap"] == pytest.approx(0.5)
    assert found.metrics["success_at_50"] == pytest.approx(1 / 3)


def test_clips_weigh_the_same_however_long() -> None:
    box, away = [10.0, 10, 8, 8], [50.0, 50, 8, 8]
    found = validate_tracker(Still, [clip("perfect", box, box), clip("lost", box, away, away, away)])
    assert found.clip_success == {"perfect": pytest.approx(20 / 21), "lost": 0.0}
    assert found.success_auc == pytest.approx(10 / 21)


def test_the_first_frame_is_given_and_not_counted() -> None:
    trackers: list[Still] = []

    def build() -> Still:
        trackers.append(Still())
        return trackers[-1]

    box, away = [10.0, 10, 8, 8], [50.0, 50, 8, 8]
    found = validate_tracker(build, [clip("a", box, away), clip("b", box, away)])
    assert found.success_auc == 0.0
    assert [tracker.starts for tracker in trackers] == [[0, 0]]


def test_a_clip_without_target_after_its_start_counts_for_nothing() -> None:
    box = [10.0, 10, 8, 8]
    found = validate_tracker(Still, [clip("a", box, box), clip("b", box, NAN)])
    assert found.clip_success == {"a": pytest.approx(20 / 21)}


@pytest.mark.parametrize("length", [1, 3])
def test_frames_and_boxes_that_differ_in_number(length: int) -> None:
    box = [10.0, 10, 8, 8]
    with pytest.raises(DataError, match="not as many frames as boxes"):
        validate_tracker(Still, [clip("a", box, box, length=length)])


def test_no_clips_or_one_name_for_two_is_an_error() -> None:
    twice = clip("a", [10.0, 10, 8, 8], [10.0, 10, 8, 8])
    for clips in ([], [twice, twice]):
        with pytest.raises(DataError, match="names of their own"):
            validate_tracker(Still, clips)


def test_a_box_that_is_not_finite_is_an_error() -> None:
    class Lost(Still):
        def update(self, frame: np.ndarray, /) -> Estimate:
            return Estimate((np.nan, 0.0, 1.0, 1.0))

    with pytest.raises(TrackingError, match="frame 1 of a"):
        validate_tracker(Lost, [clip("a", [10.0, 10, 8, 8], [10.0, 10, 8, 8])])
