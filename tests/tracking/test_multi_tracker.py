"""Many targets: added and removed at any frame, none disturbed by the others."""

import copy
import pickle
from threading import Thread

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.config import TrackingSettings
from aiatrack.crop import cut_regions
from aiatrack.errors import BoxError, FrameError, TrackingError
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import MultiTracker, Tracker

FRAMES = np.random.default_rng(3).integers(0, 256, (8, 90, 120, 3), dtype=np.uint8)
BOXES = [(10.0, 10.0, 20.0, 30.0), (60.0, 40.0, 25.0, 15.0), (90.0, 70.0, 20.0, 20.0)]
SETTINGS = TrackingSettings(min_score_to_remember=-1.0, memory_capacity=4)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return EagerNetwork(build_network(TINY_NETWORK).eval(), torch.device("cpu"))


def alone(network, box, frames):
    tracker = Tracker(network, SETTINGS)
    tracker.start(frames[0], box)
    return [tracker.update(frame).box_xywh for frame in frames[1:]]


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_targets_are_followed_as_if_each_were_alone(network, batch_size):
    tracker = MultiTracker(network, SETTINGS.replace(batch_size=batch_size))
    ids = [tracker.add(FRAMES[0], box) for box in BOXES]
    together = [tracker.update(frame) for frame in FRAMES[1:]]
    for id, box in zip(ids, BOXES, strict=True):
        boxes = [results[id].box_xywh for results in together]
        np.testing.assert_allclose(boxes, alone(network, box, FRAMES), atol=1e-3)


def test_references_of_a_batch_are_asked_for_in_its_order(network, monkeypatch):
    asked = []
    remember = network.remember
    monkeypatch.setattr(
        network,
        "remember",
        lambda memory, rows, boxes: asked.append(list(rows)) or remember(memory, rows, boxes),
    )
    tracker = MultiTracker(network, SETTINGS)
    for box in BOXES:
        tracker.add(FRAMES[0], box)
    tracker.update(FRAMES[1])
    assert asked[-1] == [0, 1, 2], "the whole batch, which need not be gathered then"


def test_targets_come_and_go(network):
    tracker = MultiTracker(network, SETTINGS)
    first = tracker.add(FRAMES[0], BOXES[0])
    tracker.update(FRAMES[1])
    tracker.update(FRAMES[2])
    late = tracker.add(FRAMES[2], BOXES[1], id="late")
    assert late == "late" and tracker.ids == [first, "late"]
    assert tracker.latest["late"].box_xywh == BOXES[1] and tracker.latest["late"].frame_index == 2
    results = [tracker.update(FRAMES[3])]
    tracker.remove(first)
    results += [tracker.update(frame) for frame in FRAMES[4:]]
    assert list(results[0]) == [first, "late"] and list(results[1]) == ["late"]
    assert results[-1]["late"].frame_index == 7
    boxes = [found["late"].box_xywh for found in results]
    np.testing.assert_allclose(boxes, alone(network, BOXES[1], FRAMES[2:]), atol=1e-3)


@pytest.mark.parametrize("pause", [False, True])
def test_the_first_frame_is_frame_0_whether_or_not_it_has_targets(network, pause):
    tracker = MultiTracker(network, SETTINGS)
    assert tracker.update(FRAMES[0]) == {}
    if pause:
        tracker = MultiTracker(network, SETTINGS).resume(tracker.state())
    id = tracker.add(FRAMES[0], BOXES[0])
    assert tracker.latest[id].frame_index == 0
    assert tracker.update(FRAMES[1])[id].frame_index == 1
    tracker.remove(id)
    tracker.update(FRAMES[2])
    late = tracker.add(FRAMES[2], BOXES[0])
    assert tracker.latest[late].frame_index == 2


def test_a_box_is_the_callers_to_change(network):
    tracker = MultiTracker(network, SETTINGS)
    buffer = np.empty(4)
    ids = []
    for box in BOXES:
        buffer[:] = box
        ids.append(tracker.add(FRAMES[0], buffer))
    state = tracker.state()
    buffer[:] = 0
    found = tracker.update(FRAMES[1])
    for id, box in zip(ids, BOXES, strict=True):
        assert state.targets[id].box_xywh.tolist() == list(box)
        np.testing.assert_allclose(found[id].box_xywh, alone(network, box, FRAMES[:2])[0], atol=1e-3)


@pytest.mark.parametrize("id", [1.5, "", True, [1], (1, 2), b"car"])
def test_an_id_is_a_number_or_a_name(network, id):
    tracker = MultiTracker(network, SETTINGS)
    tracker.add(FRAMES[0], BOXES[0])
    for call in (lambda: tracker.add(FRAMES[0], BOXES[1], id=id), lambda: tracker.remove(id)):
        with pytest.raises(TrackingError, match="whole number or a name"):
            call()
    assert tracker.ids == [1]
    assert type(tracker.add(FRAMES[0], BOXES[1], id=np.int64(7))) is int
    tracker.remove(np.int64(7))


def test_ids_are_numbered_from_one_and_never_used_twice(network):
    tracker = MultiTracker(network, SETTINGS)
    assert tracker.add(FRAMES[0], BOXES[0]) == 1
    assert tracker.add(FRAMES[0], BOXES[1], id=2) == 2
    assert tracker.add(FRAMES[0], BOXES[2]) == 3
    tracker.remove(3)
    assert tracker.add(FRAMES[0], BOXES[2]) == 4


def test_what_cannot_be_is_refused_and_changes_nothing(network):
    tracker = MultiTracker(network, SETTINGS)
    assert tracker.update(FRAMES[0]) == {}
    tracker.add(FRAMES[0], BOXES[0], id="a")
    with pytest.raises(TrackingError, match="'a' is followed already"):
        tracker.add(FRAMES[0], BOXES[1], id="a")
    with pytest.raises(TrackingError, match="no target 'b' is followed; those that are: 'a'"):
        tracker.remove("b")
    with pytest.raises(BoxError):
        tracker.add(FRAMES[0], (500, 500, 10, 10))
    with pytest.raises(FrameError, match="120 x 90") as refused:
        tracker.add(FRAMES[0][:50], BOXES[1])
    assert "start()" not in str(refused.value), "it has none"
    assert tracker.ids == ["a"] and list(tracker.update(FRAMES[1])) == ["a"]


def test_another_size_is_fine_once_nothing_is_followed(network):
    tracker = MultiTracker(network, SETTINGS)
    tracker.remove(tracker.add(FRAMES[0], BOXES[0]))
    id = tracker.add(FRAMES[0][:60, :80], BOXES[0])
    assert list(tracker.update(FRAMES[1][:60, :80])) == [id]


class Cropping:
    """Cuts regions itself, as a GPU would, and keeps what it was handed."""

    def __init__(self, network):
        self.network, self.handed = network, []
        self.crop_size, self.remember, self.locate = network.crop_size, network.remember, network.locate

    def encode(self, crops, padding):
        raise AssertionError("the tracker cut the crops")

    def encode_regions(self, frames, windows, color):
        self.handed += [(frame, len(windows), color) for frame in frames]
        return self.network.encode(*cut_regions(frames, windows, color))


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_a_network_that_crops_is_handed_the_frame_itself(network, color):
    frames = list(FRAMES) if color == "rgb" else [np.ascontiguousarray(frame[..., ::-1]) for frame in FRAMES]
    cropping = Cropping(network)
    tracker = MultiTracker(cropping, SETTINGS, color=color)
    ids = [tracker.add(frames[0], box) for box in BOXES]
    together = [tracker.update(frame) for frame in frames[1:]]
    assert [count for _, count, _ in cropping.handed] == [1, 1, 1] + [3] * 7
    assert cropping.handed[-1][0] is frames[-1] and cropping.handed[-1][2] == color
    for id, box in zip(ids, BOXES, strict=True):
        boxes = [results[id].box_xywh for results in together]
        np.testing.assert_allclose(boxes, alone(network, box, FRAMES), atol=1e-3)


def call_from_another_thread(call):
    """What it raised, or returned."""

    def keep():
        try:
            found.append(call())
        except TrackingError as error:
            found.append(error)

    found = []
    other = Thread(target=keep)
    other.start()
    other.join()
    return found[0]


@pytest.mark.parametrize("verb", ["encode", "locate", "remember"])
def test_two_threads_that_use_one_tracker_at_once_are_told(network, monkeypatch, verb):
    tracker, undisturbed = MultiTracker(network, SETTINGS), MultiTracker(network, SETTINGS)
    for one in (tracker, undisturbed):
        one.add(FRAMES[0], BOXES[0])
    saved = tracker.state()
    others = {
        "update": lambda: tracker.update(FRAMES[2]),
        "add": lambda: tracker.add(FRAMES[0], BOXES[1]),
        "remove": lambda: tracker.remove(1),
        "resume": lambda: tracker.resume(saved),
        "close": tracker.close,
        "state": tracker.state,
    }
    found, answer = {}, getattr(network, verb)

    def call_others_first(*arguments):
        monkeypatch.setattr(network, verb, answer)
        found.update({name: call_from_another_thread(call) for name, call in others.items()})
        return answer(*arguments)

    monkeypatch.setattr(network, verb, call_others_first)
    assert tracker.update(FRAMES[1]) == undisturbed.update(FRAMES[1])
    assert (found["state"].frame_index, list(found["state"].targets)) == (0, [1]), "that before the frame"
    del found["state"]
    assert len(found) == 5
    for error in found.values():
        assert isinstance(error, TrackingError) and "two threads use one tracker at once" in str(error)
    assert tracker.update(FRAMES[2]) == undisturbed.update(FRAMES[2])


def test_a_tracker_of_one_target_tells_as_well(network, monkeypatch):
    tracker, undisturbed = Tracker(network, SETTINGS), Tracker(network, SETTINGS)
    for one in (tracker, undisturbed):
        one.start(FRAMES[0], BOXES[0])
    saved = tracker.state()
    encode = network.encode
    found = []

    def call_others_first(*arguments):
        monkeypatch.setattr(network, "encode", encode)
        for call in (
            lambda: tracker.update(FRAMES[2]),
            lambda: tracker.start(FRAMES[2], BOXES[1]),
            lambda: tracker.resume(saved),
            tracker.close,
        ):
            found.append(call_from_another_thread(call))
        return encode(*arguments)

    monkeypatch.setattr(network, "encode", call_others_first)
    assert tracker.update(FRAMES[1]) == undisturbed.update(FRAMES[1])
    assert len(found) == 4
    for error in found:
        assert isinstance(error, TrackingError) and "at once" in str(error)
    assert tracker.update(FRAMES[2]) == undisturbed.update(FRAMES[2])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_call_that_was_interrupted_is_over(network, monkeypatch, error):
    tracker = MultiTracker(network, SETTINGS)
    tracker.add(FRAMES[0], BOXES[0])

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(network, "locate", fail)
        tracker.update(FRAMES[1])
    assert call_from_another_thread(lambda: tracker.update(FRAMES[1]))[1].frame_index == 1


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", [Tracker, MultiTracker])
def test_trackers_are_not_pickled_or_copied_but_their_state_is(network, kind, copying):
    tracker = kind(network, SETTINGS)
    getattr(tracker, "start" if kind is Tracker else "add")(FRAMES[0], BOXES[0])
    with pytest.raises(TrackingError, match=r"pickle its state\(\) and resume\(\) there"):
        copying(tracker)
    copying(tracker.state())
