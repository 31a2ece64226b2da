"""A run that was interrupted equals one that was not; what does not fit is refused; memory is bounded."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tiny_network import TINY_NETWORK

from aiatrack.config import TrackingSettings, load_calibration
from aiatrack.errors import TrackingError
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import MultiTracker, Tracker
from aiatrack.tracking.presence import PresenceModel

FRAMES = np.random.default_rng(5).integers(0, 256, (10, 90, 120, 3), dtype=np.uint8)
BOXES = [(10.0, 10.0, 20.0, 30.0), (60.0, 40.0, 25.0, 15.0)]


def build(seed: int = 0) -> EagerNetwork:
    torch.manual_seed(seed)
    return EagerNetwork(build_network(TINY_NETWORK).eval(), torch.device("cpu"))


def settings(presence: str = "off", **changes) -> TrackingSettings:
    return TrackingSettings(presence=presence, min_score_to_remember=-1, memory_capacity=4, **changes)


@pytest.mark.parametrize("presence", ["on", "off"])
@pytest.mark.parametrize("pause", [0, 3, 7])
def test_interrupted_equals_uninterrupted(presence, pause):
    chosen = settings(presence, frames_to_lose=2)
    whole = MultiTracker(build(), chosen)
    halves = [MultiTracker(build(), chosen), MultiTracker(build(), chosen)]
    for tracker in (whole, halves[0]):
        for box in BOXES:
            tracker.add(FRAMES[0], box)
    expected = [whole.update(frame) for frame in FRAMES[1:]]
    got = [halves[0].update(frame) for frame in FRAMES[1 : pause + 1]]
    saved = pickle.dumps(halves[0].state())
    halves[0].update(FRAMES[9])  # what comes after is no part of it
    resumed = halves[1].resume(pickle.loads(saved))  # noqa: S301 our own bytes
    assert resumed is halves[1] and resumed.ids == whole.ids
    got += [resumed.update(frame) for frame in FRAMES[pause + 1 :]]
    assert got == expected
    assert resumed.add(FRAMES[9], BOXES[0]) == whole.add(FRAMES[9], BOXES[0]) == 3


def test_a_tracker_of_one_target_goes_on_as_well():
    with Tracker(build(), settings()) as first:
        first.start(FRAMES[0], BOXES[0])
        first.update(FRAMES[1])
        state = first.state()
        expected = [first.update(frame) for frame in FRAMES[2:]]
    resumed = Tracker(build(), settings()).resume(state)
    assert [resumed.update(frame) for frame in FRAMES[2:]] == expected


def test_what_does_not_fit_is_refused():
    tracker = MultiTracker(build(), settings())
    with pytest.raises(TrackingError, match="the state has 0"):
        Tracker(build(), settings()).resume(tracker.state())
    tracker.add(FRAMES[0], BOXES[0])
    state = tracker.state()
    with pytest.raises(TrackingError, match="other weights"):
        Tracker(build(seed=1), settings()).resume(state)
    with pytest.raises(TrackingError, match="memory_capacity=4 not 5"):
        Tracker(build(), settings().replace(memory_capacity=5)).resume(state)
    with pytest.raises(TrackingError, match="color='rgb' not 'bgr'"):
        Tracker(build(), settings(), color="bgr").resume(state)
    for nothing in (None, "state", {}):
        with pytest.raises(TrackingError, match=r"resumes what `state\(\)` returned"):
            MultiTracker(build(), settings()).resume(nothing)
        with pytest.raises(TrackingError, match=r"resumes what `state\(\)` returned"):
            Tracker(build(), settings()).resume(nothing)
    with pytest.raises(TrackingError, match="nothing to save"):
        Tracker(build(), settings()).state()

    class Opaque:
        crop_size = 64

    with pytest.raises(TrackingError, match="Opaque cannot save"):
        MultiTracker(Opaque(), settings()).state()


def test_a_state_of_another_version_is_refused():
    state = MultiTracker(build(), settings()).state()
    older = pickle.loads(pickle.dumps(state))  # noqa: S301 our own bytes
    del older.settings.__dict__["looks_to_recover"]
    with pytest.raises(TrackingError, match=r"looks_to_recover=\(no such setting\) not 1"):
        MultiTracker(build(), settings()).resume(older)
    newer = pickle.loads(pickle.dumps(state))  # noqa: S301 our own bytes
    newer.settings.__dict__["looks"] = 1
    with pytest.raises(TrackingError, match=r"looks=1 not \(no such setting\)"):
        MultiTracker(build(), settings()).resume(newer)


def test_a_state_that_lacks_what_is_kept_since_is_refused():
    older = pickle.loads(pickle.dumps(MultiTracker(build(), settings()).state()))  # noqa: S301 our own bytes
    object.__delattr__(older, "calibration")
    for tracker in (MultiTracker(build(), settings()), Tracker(build(), settings())):
        with pytest.raises(TrackingError, match=r"earlier version .* lacks calibration"):
            tracker.resume(older)


@pytest.mark.parametrize("name", ["batch_size", "calibration", "max_shift_ahead"])
def test_a_version_without_a_setting_that_decides_nothing_goes_on(name):
    state = MultiTracker(build(), settings()).state()
    del state.settings.__dict__[name]
    assert MultiTracker(build(), settings()).resume(state).ids == []


def test_of_a_calibration_the_content_counts(tmp_path):
    own, elsewhere = tmp_path / "own.yaml", tmp_path / "elsewhere" / "own.yaml"
    elsewhere.parent.mkdir()
    for path in (own, elsewhere):
        path.write_text("bias: 0\nweights: {score: 5.0}\n", encoding="utf-8")
    chosen = settings("judge", calibration=str(own))
    first = Tracker(build(), chosen)
    first.start(FRAMES[0], BOXES[0])
    state = first.state()
    expected = first.update(FRAMES[1])
    moved = Tracker(build(), chosen.replace(calibration=str(elsewhere))).resume(state)
    assert moved.update(FRAMES[1]) == expected
    own.write_text("bias: 0\nweights: {score: 4.0}\n", encoding="utf-8")
    with pytest.raises(TrackingError, match="another calibration"):
        Tracker(build(), chosen).resume(state)


def test_a_calibration_is_told_by_what_likeness_is_measured_in(tmp_path):
    chosen = tmp_path / "own.yaml"
    chosen.write_text("bias: 0\nweights: {score: 5.0}\nprojection: space.safetensors\n", encoding="utf-8")
    prints = []
    for value in (1.0, 2.0):
        weight = np.full((2, 4), value, np.float32)
        save_file({"weight": weight, "bias": weight[:, 0]}, tmp_path / "space.safetensors")
        prints.append(PresenceModel(load_calibration(str(chosen))).fingerprint)
    assert prints[0] != prints[1]


def test_a_state_goes_on_in_batches_of_another_size():
    first = MultiTracker(build(), settings(batch_size=2))
    for box in BOXES:
        first.add(FRAMES[0], box)
    state = first.state()
    resumed = MultiTracker(build(), settings(batch_size=1)).resume(state)
    assert list(resumed.update(FRAMES[1])) == [1, 2]


def test_states_are_compared_without_an_error():
    tracker = MultiTracker(build(), settings())
    tracker.add(FRAMES[0], BOXES[0])
    state = tracker.state()
    assert state == state and state != tracker.state() and len({state}) == 1  # noqa: PLR0124


@pytest.mark.filterwarnings("error")
def test_arrays_of_a_state_may_be_read_only():
    tracker = MultiTracker(build(), settings())
    tracker.add(FRAMES[0], BOXES[0])
    buffers: list[pickle.PickleBuffer] = []
    saved = pickle.dumps(tracker.state(), protocol=5, buffer_callback=buffers.append)
    state = pickle.loads(saved, buffers=[bytes(buffer) for buffer in buffers])  # noqa: S301 our own bytes
    assert MultiTracker(build(), settings()).resume(state).update(FRAMES[1]) == tracker.update(FRAMES[1])


def test_closing_lets_everything_go():
    with MultiTracker(build(), settings()) as tracker:
        tracker.add(FRAMES[0], BOXES[0])
    assert tracker.ids == [] and tracker.latest == {} and tracker.update(FRAMES[1]) == {}
    with Tracker(build(), settings()) as single:
        single.start(FRAMES[0], BOXES[0])
    with pytest.raises(TrackingError, match="start"):
        single.update(FRAMES[1])


def test_bytes_of_a_target_are_bounded_as_documented():
    """As docs/presence.md says: capacity + 1 references of 4 N (2 C + D) bytes each."""
    network = TINY_NETWORK
    reference = 4 * network.tokens * (2 * network.channels + network.inner_channels)
    tracker = MultiTracker(build(), settings())
    id = tracker.add(FRAMES[0], BOXES[0])
    sizes = []
    for frame in [*FRAMES, *FRAMES]:
        tracker.update(frame)
        sizes.append(tracker.state().targets[id].nbytes)
    assert sizes[0] == 3 * reference, "frame 0 for the long and the short term, and one more"
    assert max(sizes) == sizes[-1] == (4 + 1) * reference
