"""A tracker with OpenCV's calls: what fits `cv2.TrackerMIL` must fit ours."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

import aiatrack
from aiatrack.errors import BoxError, FrameError, SettingsError, TrackingError
from aiatrack.tracking import TargetState

FRAMES = [np.full((64, 96, 3), 60 + index, np.uint8) for index in range(4)]
for number, frame in enumerate(FRAMES):
    frame[20:40, 20 + number : 40 + number] = (40, 180, 230)


def follow(create: Callable[[], Any]) -> list[tuple[bool, tuple[int, int, int, int]]]:
    """A program written for OpenCV's trackers."""
    tracker = create()
    assert tracker.init(FRAMES[0], (20, 20, 20, 20)) is None
    found = []
    for frame in FRAMES[1:]:
        ok, box = tracker.update(frame)
        x, y, width, height = box
        cv2.rectangle(frame.copy(), (x, y), (x + width, y + height), (0, 255, 0))  # takes whole numbers only
        found.append((ok, box))
    return found


def test_program_for_opencv_runs(tiny_weights):
    for ok, box in follow(lambda: aiatrack.OpenCVTracker(tiny_weights, "cpu")):
        assert isinstance(ok, bool)
        assert isinstance(box, tuple)
        assert [type(value) for value in box] == [int] * 4


@pytest.mark.skipif(not hasattr(cv2, "TrackerMIL_create"), reason="this OpenCV has no MIL tracker")
def test_same_shapes_as_opencv(tiny_weights):
    ours = follow(lambda: aiatrack.OpenCVTracker(tiny_weights, "cpu"))
    theirs = follow(cv2.TrackerMIL_create)
    for (our_ok, our_box), (their_ok, their_box) in zip(ours, theirs, strict=True):
        assert type(our_ok) is type(their_ok)
        assert [type(value) for value in our_box] == [type(value) for value in their_box]


def test_same_boxes_as_the_api(tiny_weights):
    tracker = aiatrack.load_tracker(tiny_weights, "cpu", color="bgr")
    tracker.start(FRAMES[0], (20, 20, 20, 20))
    expected = [tracker.update(frame).box_xywh for frame in FRAMES[1:]]
    found = [box for _, box in follow(lambda: aiatrack.OpenCVTracker(tiny_weights, "cpu"))]
    assert found == [tuple(round(value) for value in box) for box in expected]


def test_ok_follows_the_predicted_overlap(tiny_weights):
    tracker = aiatrack.OpenCVTracker(tiny_weights, "cpu", min_predicted_iou=0.0)
    tracker.init(FRAMES[0], np.array([20, 20, 20, 20]))
    assert tracker.update(FRAMES[1])[0]
    assert tracker.result is not None
    strict = np.nextafter(tracker.result.predicted_iou, 1)
    tracker = aiatrack.OpenCVTracker(tiny_weights, "cpu", min_predicted_iou=strict)
    tracker.init(FRAMES[0], (20, 20, 20, 20))
    assert not tracker.update(FRAMES[1])[0]


def test_a_lost_target_is_not_ok(tiny_weights):
    losing = {
        "presence": "on",
        "frames_to_lose": 1,
        "max_presence_to_lose": 1.0,
        "min_presence_to_track": 1.0,
    }
    tracker = aiatrack.OpenCVTracker(tiny_weights, "cpu", min_predicted_iou=0.0, **losing)
    tracker.init(FRAMES[0], (20, 20, 20, 20))
    ok, _ = tracker.update(FRAMES[1])
    assert tracker.result is not None
    assert tracker.result.state is TargetState.LOST
    assert not ok


def test_tracking_settings(tiny_weights):
    with pytest.raises(SettingsError, match="ensemble_size"):
        aiatrack.OpenCVTracker(tiny_weights, "cpu", ensemble_size=-1)


def test_frames_are_bgr(tiny_weights):
    with pytest.raises(SettingsError, match="OpenCV's frames are BGR"):
        aiatrack.OpenCVTracker(tiny_weights, "cpu", color="rgb")


def test_benchmark_that_is_no_name(tiny_weights):
    with pytest.raises(SettingsError, match=r"no tracking settings for \['lasot'\]"):
        aiatrack.OpenCVTracker(tiny_weights, "cpu", benchmark=["lasot"])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "x", None, [0.5]])
def test_threshold_out_of_range(share, tiny_weights):
    with pytest.raises(SettingsError, match=r"lies in \[0, 1\]"):
        aiatrack.OpenCVTracker(tiny_weights, "cpu", min_predicted_iou=share)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_there_are_no_copies(duplicate, tiny_weights):
    with pytest.raises(TrackingError, match="OpenCVTracker is neither copied nor pickled"):
        duplicate(aiatrack.OpenCVTracker(tiny_weights, "cpu"))


def test_misuse(tiny_weights):
    tracker = aiatrack.OpenCVTracker(tiny_weights, "cpu")
    with pytest.raises(TrackingError, match=r"before init\(image, box\)"):
        tracker.update(FRAMES[0])
    with pytest.raises(BoxError):
        tracker.init(FRAMES[0], (0, 0, 0, 0))  # what cv2.selectROI returns when it is cancelled
    with pytest.raises(FrameError):
        tracker.init(FRAMES[0][..., 0], (20, 20, 20, 20))


@pytest.mark.parametrize(
    ("frame", "advice"),
    [
        (FRAMES[0].transpose(2, 0, 1), r"channels come last: frame.transpose\(1, 2, 0\)"),
        (FRAMES[0][None], r"without the first axis: frame\[0\]"),
        (FRAMES[0][..., :1], "repeat the channel"),
        (FRAMES[0][..., 0], "repeat the channel"),
    ],
)
def test_advice_on_a_frame_of_another_shape(frame, advice, tiny_weights):
    tracker = aiatrack.OpenCVTracker(tiny_weights, "cpu")
    tracker.init(FRAMES[0], (20, 20, 20, 20))
    with pytest.raises(FrameError, match=advice):
        tracker.update(frame)
