"""Adding and removing happen at once: for other threads, for handlers of signals, and when interrupted."""

from threading import Thread

import numpy as np
import pytest
from numbered_handle import Handle

from aiatrack.config import TrackingSettings
from aiatrack.tracking import MultiTracker, Tracker, multi_tracker

FRAME = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
BOXES = [(10.0, 10.0, 20.0, 30.0), (60.0, 40.0, 25.0, 15.0)]


class Saving:
    """A network whose references can be saved, and which does something else meanwhile once."""

    crop_size = 32

    def __init__(self):
        self.meanwhile = None

    def encode(self, crops, padding):
        return "memory"

    def remember(self, memory, rows, boxes_xywh):
        return [Handle(row) for row in rows]

    def locate(self, search, references):
        raise AssertionError("nothing is updated")

    def to_arrays(self, handle):
        if self.meanwhile is not None:
            other, self.meanwhile = Thread(target=self.meanwhile), None
            other.start()
            other.join()
        return (np.zeros((1, 1), np.float32),)

    def from_arrays(self, arrays):
        return "handle"


def followed(network=None):
    tracker = MultiTracker(network or Saving(), TrackingSettings())
    for box in BOXES:
        tracker.add(FRAME, box)
    return tracker


@pytest.mark.parametrize("call", ["add", "remove", "close"])
def test_a_state_is_that_before_what_another_thread_does_meanwhile(call):
    network = Saving()
    tracker = followed(network)
    network.meanwhile = {
        "add": lambda: tracker.add(FRAME, BOXES[0]),
        "remove": lambda: tracker.remove(2),
        "close": tracker.close,
    }[call]
    assert list(tracker.state().targets) == [1, 2]
    assert tracker.ids == list(tracker.latest) == {"add": [1, 2, 3], "remove": [1], "close": []}[call]


def test_an_interrupted_add_has_not_been(monkeypatch):
    tracker = followed()

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(multi_tracker, "to_box", interrupt)
        tracker.add(FRAME, BOXES[0])
    assert tracker.ids == list(tracker.latest) == list(tracker.state().targets) == [1, 2]
    assert tracker.add(FRAME, BOXES[0]) == 3


def test_a_signals_handler_may_save_in_the_midst_of_add(monkeypatch):
    tracker, saved = followed(), []
    to_box = multi_tracker.to_box
    monkeypatch.setattr(multi_tracker, "to_box", lambda box: saved.append(tracker.state()) or to_box(box))
    tracker.add(FRAME, BOXES[0], "late")
    assert list(saved[0].targets) == [1, 2] and tracker.ids == [1, 2, "late"]


def test_a_start_that_fails_leaves_the_old_target():
    tracker = Tracker(Saving(), TrackingSettings())
    tracker.start(FRAME, BOXES[0])
    before = tracker.state().targets[1].box_xywh
    with pytest.raises(Exception, match="outside the 120 x 90 frame"):
        tracker.start(FRAME, (500, 500, 10, 10))
    np.testing.assert_array_equal(tracker.state().targets[1].box_xywh, before)
