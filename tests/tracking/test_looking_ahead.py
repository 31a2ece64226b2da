"""Several frames of a film at once: what holds of them, and what has to be looked at again."""

from collections import deque

import numpy as np
import pytest
import torch
from scripted_following import BOX, CENTRED, FRAME, PLAIN, ScriptedNetwork
from tiny_network import TINY_NETWORK

from aiatrack.config import TrackingSettings
from aiatrack.crop import clip_to_frame, crop_window, cut_regions
from aiatrack.errors import FrameError, TrackingError
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import MultiTracker, TargetState, Tracker

FRAMES = np.random.default_rng(3).integers(0, 256, (12, 90, 120, 3), dtype=np.uint8)
BOXES = [(10.0, 10.0, 20.0, 30.0), (60.0, 40.0, 25.0, 15.0)]
NEVER = TrackingSettings(min_score_to_remember=1.0)
ALWAYS = TrackingSettings(min_score_to_remember=-1.0, memory_capacity=4)
MOVED = (0.4 + 3 / 32, 0.4, 0.2, 0.2)
"""Of the crop: three of its pixels, which are ten of the frame's, to the right of `CENTRED`."""


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return EagerNetwork(build_network(TINY_NETWORK).eval(), torch.device("cpu"))


def begin(network, settings, boxes=BOXES[:1]):
    tracker = MultiTracker(network, settings)
    for box in boxes:
        tracker.add(FRAMES[0], box)
    return tracker


def follow(tracker, frames, count):
    """All frames, so many at a time: results, and how many each call gave."""
    results, given = [], []
    while len(frames):
        found = tracker.update_ahead(frames[:count])
        given.append(len(found))
        results += found
        frames = frames[len(found) :]
    return results, given


def boxes_of(results):
    return np.array([[result.box_xywh for result in found.values()] for found in results])


def scripted(script, **settings):
    network = ScriptedNetwork(list(script))
    tracker = MultiTracker(network, TrackingSettings(**{"search_factor": 5.0} | settings))
    tracker.add(FRAME, BOX)
    return tracker, network


@pytest.mark.parametrize("presence", ["off", "judge"])
@pytest.mark.parametrize("boxes", [BOXES[:1], BOXES])
def test_one_frame_ahead_is_an_update(network, boxes, presence):
    settings = ALWAYS.replace(presence=presence)
    ahead, one_by_one = (begin(network, settings, boxes) for _ in range(2))
    for frame in FRAMES[1:]:
        assert ahead.update_ahead([frame]) == [one_by_one.update(frame)]
    assert ahead.latest == one_by_one.latest


@pytest.mark.parametrize("boxes", [BOXES[:1], BOXES])
def test_where_no_shift_is_allowed_boxes_are_those_of_updates(network, boxes):
    settings = NEVER.replace(max_shift_ahead=0)
    results, given = follow(begin(network, settings, boxes), FRAMES[1:], 4)
    one_by_one = begin(network, settings, boxes)
    np.testing.assert_allclose(
        boxes_of(results), boxes_of([one_by_one.update(frame) for frame in FRAMES[1:]]), atol=1e-3
    )
    assert len(given) > 3, "random weights jump: most frames are looked at again"


def test_all_frames_are_looked_at_where_the_target_was_found_before_them(network):
    """Worked out anew, frame by frame: the region and the references of the first one for all."""
    tracker = begin(network, NEVER)
    tracker._are_near = lambda wanted, looked: True
    target = tracker._targets[1]
    window = crop_window(np.array(BOXES[0]), NEVER.search_factor, network.crop_size)
    expected = []
    for frame in FRAMES[1:]:
        search = network.encode(*cut_regions([frame], [window]))
        found = network.locate(search, [target.memory.references]).boxes_xywh[0]
        box = window.to_frame(found.astype(np.float64))
        expected.append(clip_to_frame(box, frame_width=120, frame_height=90, margin_px=NEVER.clip_margin_px))
    results = tracker.update_ahead(FRAMES[1:])
    np.testing.assert_allclose(boxes_of(results)[:, 0], expected, atol=1e-3)
    assert [found[1].frame_index for found in results] == list(range(1, 12))


@pytest.mark.parametrize(("share", "frames"), [(0.09, 2), (0.1, 4)])
def test_a_target_that_moved_too_far_is_looked_for_where_it_is(share, frames):
    # 100 px of the frame are searched, of which the second frame's find is 9.4 to the right, rounded.
    tracker, network = scripted(
        [[(CENTRED, 0), (MOVED, 0), (CENTRED, 0), (CENTRED, 0)]], max_shift_ahead=share
    )
    results = tracker.update_ahead([FRAME] * 4)
    assert [found[1].frame_index for found in results] == list(range(1, frames + 1))
    assert len(network.windows) == 2, "one for the mark, one for all"
    network.script = [[(CENTRED, 0)]]
    tracker.update(FRAME)
    left = network.windows[-1][0].left - network.windows[-2][0].left
    assert left == (9 if frames == 2 else 0)


def test_what_is_remembered_becomes_a_reference_in_its_turn():
    script = [[(CENTRED, 0.9), (CENTRED, 0.0), (CENTRED, 0.8)], [(CENTRED, 0.9)]]
    tracker, network = scripted(script)
    results = tracker.update_ahead([FRAME] * 3)
    assert [found[1].remembered for found in results] == [True, False, True]
    assert [len(asked) for asked in network.asked] == [3]
    entries = tracker._targets[1].memory.entries
    assert [number for _, number in entries] == [1, 2 + 1 + 0, 2 + 1 + 2], "frame 0, and two rows of a batch"
    tracker.update(FRAME)
    assert network.asked[-1][0].short_term == [entries[0], entries[1], entries[2]]


@pytest.mark.parametrize(("batch_size", "targets", "frames"), [(3, 1, 3), (3, 2, 1), (4, 2, 2), (1, 2, 1)])
def test_only_as_many_frames_as_fit_into_a_batch(network, batch_size, targets, frames):
    settings = NEVER.replace(batch_size=batch_size, max_shift_ahead=0.5)
    still = [FRAMES[0]] * 8
    # Its own box again and again, whatever the network's weights.
    tracker = begin(network, settings, BOXES[:targets])
    tracker._are_near = lambda wanted, looked: True
    assert len(tracker.update_ahead(still)) == frames


def test_without_targets_frames_are_counted(network):
    tracker = MultiTracker(network, NEVER)
    assert tracker.update_ahead(FRAMES[:3]) == [{}] * 3
    tracker.add(FRAMES[2], BOXES[0])
    assert tracker.latest[1].frame_index == 2


def test_a_target_that_is_searched_for_takes_its_frames_one_by_one(tmp_path):
    (tmp_path / "plain.yaml").write_text(PLAIN, encoding="utf-8")
    settings = {
        "presence": "on", "calibration": str(tmp_path / "plain.yaml"), "frames_to_lose": 2,
        "frames_to_suspect": 0,
    }  # fmt: skip
    gone = (CENTRED, -6.0)
    tracker, network = scripted([[gone] * 4, [gone], [gone], [gone]], **settings)
    results = tracker.update_ahead([FRAME] * 4)
    assert [found[1].state for found in results] == [TargetState.UNCERTAIN, TargetState.LOST]
    assert len(tracker.update_ahead([FRAME] * 4)) == 1
    assert len(network.windows[-1]) > 1, "several places of one frame"


def test_what_a_search_would_look_at_is_not_passed_over(tmp_path):
    """A target is lost among frames that were looked at together: the search begins at its beginning."""
    (tmp_path / "plain.yaml").write_text(PLAIN, encoding="utf-8")
    settings = {
        "presence": "on", "calibration": str(tmp_path / "plain.yaml"), "frames_to_lose": 2,
        "frames_to_suspect": 0, "search_growth_steps": 0, "search_budget": 2, "min_score_to_remember": 1.0,
    }  # fmt: skip
    gone = (CENTRED, -6.0)
    large, searched = np.zeros((480, 640, 3), np.uint8), []
    for count in (1, 4):
        network = ScriptedNetwork([[gone] * 4 for _ in range(8)])
        tracker = MultiTracker(network, TrackingSettings(**settings))
        tracker.add(large, BOX)
        follow(tracker, [large] * 5, count)
        tiles = [windows[1] for windows in network.windows if len(windows) > 1]
        searched.append([(tile.left, tile.top, tile.side) for tile in tiles])
    assert searched[0] == searched[1] and len(set(searched[0])) == 3


def test_frames_may_wait_in_any_sequence(network):
    tracker, other = begin(network, NEVER), begin(network, NEVER)
    assert tracker.update_ahead(deque(FRAMES[1:4])) == other.update_ahead(tuple(FRAMES[1:4]))


def test_a_single_frame_is_no_sequence_of_frames(network):
    with pytest.raises(FrameError, match=r"\[frame\]"):
        begin(network, NEVER).update_ahead(FRAMES[1])


@pytest.mark.parametrize("bad", [FRAMES[1][:80], FRAMES[1].astype(np.float32), None])
def test_a_bad_frame_is_refused_in_its_turn(network, bad):
    tracker = begin(network, NEVER.replace(max_shift_ahead=0.5))
    good = [FRAMES[0]]
    assert len(tracker.update_ahead([*good, bad, *good])) == 1
    before = tracker.latest
    with pytest.raises(FrameError):
        tracker.update_ahead([bad, *good])
    assert tracker.latest is before


@pytest.mark.parametrize("frames", [[], FRAMES[:0]])
def test_no_frame_is_an_error(network, frames):
    with pytest.raises(FrameError, match="at least one"):
        begin(network, NEVER).update_ahead(frames)


def test_a_call_that_failed_has_not_been(network, monkeypatch):
    whole, broken = begin(network, ALWAYS), begin(network, ALWAYS)

    def fail(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(network, "remember", fail)
        broken.update_ahead(FRAMES[1:5])
    assert broken.update_ahead(FRAMES[1:5]) == whole.update_ahead(FRAMES[1:5])


def test_a_tracker_of_one_target_looks_ahead_as_well(network):
    tracker, many = Tracker(network, ALWAYS), begin(network, ALWAYS)
    with pytest.raises(TrackingError, match="update_ahead"):
        tracker.update_ahead(FRAMES[:1])
    tracker.start(FRAMES[0], BOXES[0])
    for _ in range(3):
        assert tracker.update_ahead(FRAMES[1:5]) == [found[1] for found in many.update_ahead(FRAMES[1:5])]
