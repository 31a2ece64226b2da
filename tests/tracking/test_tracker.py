"""The online rules, with a scripted network in place of a real one."""

import sys
from dataclasses import dataclass, field

import numpy as np
import pytest
from numbered_handle import Handle

from aiatrack.config import TrackingSettings
from aiatrack.crop import crop_window
from aiatrack.errors import BoxError, FrameError, SettingsError, TrackingError
from aiatrack.tracking import LocatedTargets, ReferenceMemory, Tracker

SIZE = 32
FRAME = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
BOX = (40.0, 30.0, 20.0, 10.0)
CENTRED = (0.4, 0.45, 0.2, 0.1)


@dataclass
class ScriptedNetwork:
    """Says what it is told to, and keeps what it was asked."""

    script: list[tuple[tuple[float, ...], float]] = field(default_factory=list)
    crop_size: int = SIZE
    encoded: list = field(default_factory=list)
    remembered: list = field(default_factory=list)
    located: list = field(default_factory=list)

    def encode(self, crops, padding):
        assert crops.dtype == np.uint8 and crops.shape == (1, SIZE, SIZE, 3) and crops.flags.c_contiguous
        assert padding.dtype == np.bool_ and padding.shape == (1, SIZE, SIZE)
        self.encoded.append(crops[0])
        return f"memory {len(self.encoded) - 1}"

    def remember(self, memory, rows, boxes_xywh):
        assert rows == [0] and boxes_xywh.shape == (1, 4) and boxes_xywh.dtype == np.float32
        self.remembered.append((memory, boxes_xywh[0]))
        return [Handle(len(self.remembered) - 1)]

    def locate(self, search, references):
        (asked,) = references
        assert len(asked.multiplicity) == len(asked.short_term)
        self.located.append((search, asked.long_term, list(asked.short_term), list(asked.multiplicity)))
        box, score = self.script.pop(0)
        return LocatedTargets(
            np.array([box], np.float32),
            np.array([score], np.float32),
            np.zeros((1, 2, SIZE // 16, SIZE // 16), np.float32),
            np.ones((1, 1, 2), np.float32),
        )


def tracked(script, *, frame=FRAME, box=BOX, **settings):
    """A tracker after `start`, with its network."""
    network = ScriptedNetwork(list(script))
    tracker = Tracker(network, TrackingSettings(**settings))
    tracker.start(frame, box)
    return tracker, network


def filled_memory(additions: int, capacity: int, ensemble_size: int) -> ReferenceMemory:
    memory = ReferenceMemory.begin(Handle(0), capacity=capacity, ensemble_size=ensemble_size)
    for number in range(1, additions + 1):
        memory.add(Handle(number))
    return memory


def drawn(memory: ReferenceMemory) -> list[int]:
    """The ensemble with its copies written out."""
    pairs = zip(memory.ensemble, memory.multiplicity, strict=True)
    return [reference[1] for reference, count in pairs for _ in range(count)]


@pytest.mark.parametrize(
    ("additions", "ensemble_size", "expected"),
    [  # L * i // E for i = 1..E
        (0, 3, [0, 0, 0]),
        (1, 3, [0, 0, 1]),
        (2, 3, [0, 1, 2]),
        (3, 3, [1, 2, 3]),
        (4, 3, [1, 2, 4]),
        (10, 3, [3, 6, 10]),
        (10, 4, [2, 5, 7, 10]),
        (10, 6, [1, 3, 5, 6, 8, 10]),
        (4, 10, [0, 0, 1, 1, 2, 2, 2, 3, 3, 4]),
        (9, 1, [9]),
        (9, 0, []),
    ],
)
def test_ensemble_by_hand(additions, ensemble_size, expected):
    memory = filled_memory(additions, 100, ensemble_size)
    assert drawn(memory) == expected
    assert len(memory.ensemble) == len(set(expected)), "identical references are counted, not copied"
    assert memory.long_term == ("long", 0)


def test_a_full_memory_drops_the_second_oldest():
    memory = filled_memory(3, capacity=4, ensemble_size=4)
    assert len(memory) == 4
    memory.add(Handle(4))  # 0 2 3 4
    assert len(memory) == 4 and drawn(memory) == [0, 2, 3, 4]  # entries 3 * i // 4
    memory.add(Handle(5))  # 0 3 4 5
    assert drawn(memory) == [0, 3, 4, 5]
    assert memory.long_term == ("long", 0)


def test_the_smallest_memory_keeps_the_first_and_the_last():
    memory = filled_memory(7, capacity=2, ensemble_size=3)
    assert len(memory) == 2 and drawn(memory) == [0, 0, 7]


def test_start_encodes_once_and_returns_the_box_as_given():
    network = ScriptedNetwork()
    result = Tracker(network).start(FRAME, BOX)
    assert result.box_xywh == BOX and result.score == 1.0 and result.predicted_iou == 1.0
    assert result.frame_index == 0 and result.remembered
    assert len(network.encoded) == 1
    ((memory, box),) = network.remembered
    assert memory == "memory 0"
    np.testing.assert_allclose(box, crop_window(np.array(BOX), 5.0, SIZE).to_crop(np.array(BOX)), atol=1e-6)


@pytest.mark.parametrize(
    ("score", "remembered"), [(0.5, False), (0.5 + 1e-6, True), (0.4, False), (1.2, True)]
)
def test_a_frame_is_remembered_strictly_above_the_threshold(score, remembered):
    tracker, network = tracked([(CENTRED, score)], min_score_to_remember=0.5)
    result = tracker.update(FRAME)
    assert result.remembered is remembered and result.score == pytest.approx(score)
    assert len(network.remembered) == 1 + remembered


def test_what_was_encoded_for_the_search_is_what_is_remembered():
    tracker, network = tracked([(CENTRED, 0.9), (CENTRED, 0.1), (CENTRED, 0.9)])
    for _ in range(3):
        tracker.update(FRAME)
    assert len(network.encoded) == 4, "one pass of the encoder a frame"
    assert [memory for memory, _ in network.remembered] == ["memory 0", "memory 1", "memory 3"]
    searches, long_terms, short_terms, counts = zip(*network.located, strict=True)
    assert searches == ("memory 1", "memory 2", "memory 3")
    assert set(long_terms) == {("long", 0)}
    assert short_terms[0] == [("short", 0)] and counts[0] == [3]
    assert short_terms[1] == short_terms[2] == [("short", 0), ("short", 1)] and counts[2] == [2, 1]


def test_the_unclipped_box_is_remembered_and_the_clipped_one_searched_around():
    far_left = (-1.5, 0.4, 0.4, 0.2)
    tracker, network = tracked([(far_left, 0.9), (CENTRED, 0.0)])
    result = tracker.update(FRAME)
    np.testing.assert_allclose(network.remembered[1][1], far_left, atol=1e-6)
    window = crop_window(np.array(BOX), 5.0, SIZE)
    raw = window.to_frame(np.array(far_left))
    assert raw[0] < -10 and result.box_xywh[0] == 0 and result.box_xywh[2] == 10
    second = tracker.update(FRAME)
    x, y, w, _ = crop_window(np.array(result.box_xywh), 5.0, SIZE).to_frame(np.array(CENTRED))
    assert x < 0 and x + w > 10
    np.testing.assert_allclose(second.box_xywh, [0, y, x + w, 10], atol=1e-5)


def test_boxes_come_back_in_pixels_of_the_frame():
    tracker, _ = tracked([((0.5, 0.25, 0.1, 0.3), 0.0)])
    side = 71  # ceil(5 sqrt(200))
    result = tracker.update(FRAME)
    expected = (50 - side / 2 + 0.5 * side, 35 - side / 2 + 0.25 * side, 10.0, 0.3 * side)
    np.testing.assert_allclose(result.box_xywh, expected, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize(
    ("score", "iou"), [(1.0, 1.0), (0.7, 0.85), (0.0, 0.5), (-1.0, 0.0), (1.5, 1.0), (-2.0, 0.0)]
)
def test_the_score_as_an_overlap(score, iou):
    tracker, _ = tracked([(CENTRED, score)])
    assert tracker.update(FRAME).predicted_iou == pytest.approx(iou)


def test_frame_numbers_and_a_second_start():
    tracker, network = tracked([(CENTRED, 0.9)] * 3)
    assert [tracker.update(FRAME).frame_index for _ in range(2)] == [1, 2]
    small = FRAME[:50, :60]
    assert tracker.start(small, (5, 5, 10, 10)).frame_index == 0
    assert tracker.update(small).frame_index == 1
    assert network.located[-1][1] == ("long", 3), "frame 0 is now the new one"
    assert network.located[-1][2:] == ([("short", 3)], [3.0])


def test_without_an_ensemble_only_the_long_term_reference_is_used():
    tracker, network = tracked([(CENTRED, 0.9)] * 2, ensemble_size=0)
    tracker.update(FRAME)
    tracker.update(FRAME)
    assert network.located[-1][1:] == (("long", 0), [], [])


def test_bgr_frames_are_rgb_frames_flipped():
    networks = {}
    for color, frame in (("rgb", FRAME), ("bgr", FRAME[..., ::-1])):
        networks[color] = ScriptedNetwork([(CENTRED, 0.0)])
        tracker = Tracker(networks[color], color=color)
        tracker.start(frame, BOX)
        tracker.update(frame)
    for ours, theirs in zip(networks["rgb"].encoded, networks["bgr"].encoded, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert networks["rgb"].encoded[0].std() > 0


def test_another_channel_order_is_refused():
    with pytest.raises(SettingsError, match="'grb'"):
        Tracker(ScriptedNetwork(), color="grb")


def test_update_before_start_is_refused():
    with pytest.raises(TrackingError, match="start"):
        Tracker(ScriptedNetwork()).update(FRAME)


def test_a_change_of_size_is_refused_and_changes_nothing():
    tracker, network = tracked([(CENTRED, 0.9)])
    with pytest.raises(FrameError, match="100 x 80 frames; this one is 80 x 100"):
        tracker.update(np.zeros((100, 80, 3), np.uint8))
    with pytest.raises(FrameError, match="float64"):
        tracker.update(FRAME.astype(float))
    assert len(network.encoded) == 1
    assert tracker.update(FRAME).frame_index == 1


def test_a_bad_start_leaves_the_old_target():
    tracker, network = tracked([(CENTRED, 0.9)])
    for frame, box, kind in (
        (FRAME, (1, 2, 3), BoxError),
        (FRAME, (200, 200, 5, 5), BoxError),
        (FRAME, (0, 0, 1e9, 1e9), BoxError),
        (FRAME[..., 0], BOX, FrameError),
    ):
        with pytest.raises(kind):
            tracker.start(frame, box)
    assert tracker.update(FRAME).frame_index == 1 and network.located[0][1] == ("long", 0)


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 100, 80),
        (-500, -500, 2000, 2000),
        (99.9, 79.9, 50, 50),
        (-9.9, -9.9, 10, 10),
        (50, 40, 0.01, 0.01),
    ],
)
def test_odd_boxes_can_be_started_from(box):
    tracker, _ = tracked([(CENTRED, 0.9)], box=box)
    assert_inside(tracker.update(FRAME).box_xywh, width=100, height=80)


def assert_inside(box, *, width, height, margin=10.0):
    x, y, w, h = box
    assert np.isfinite(box).all()
    for start, length, limit in ((x, w, width), (y, h, height)):
        least = min(margin, limit)
        assert 0 <= start <= limit - least + 1e-9
        assert least - 1e-9 <= length and start + length <= limit + 1e-6


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (7, 5), (10, 10), (11, 300), (64, 48)])
def test_boxes_stay_inside_any_frame_whatever_the_network_says(height, width):
    rng = np.random.default_rng(height * 1000 + width)
    frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    for _ in range(5):
        script = [
            ((*rng.normal(0.3, 3, 2), *rng.normal(0.2, 2, 2)), float(rng.uniform(-1, 1))) for _ in range(20)
        ]
        sides = rng.uniform(0.5, 2 * width), rng.uniform(0.5, 2 * height)
        centre = rng.uniform(0.05, 0.95, 2) * (width, height)
        start = (*(centre - np.array(sides) / 2), *sides)
        tracker, network = tracked(script, frame=frame, box=start, memory_capacity=4)
        for index in range(1, 21):
            result = tracker.update(frame)
            assert_inside(result.box_xywh, width=width, height=height)
            assert result.frame_index == index
            assert result.remembered == (result.score > 0.7)
        counts = [sum(located[3]) for located in network.located]
        assert counts == [3.0] * 20


def test_the_room_needs_no_pytorch():
    """A scripted network is enough; the import itself is checked in `test_ladder.py`."""
    assert "torch" not in vars(sys.modules["aiatrack.tracking.tracker"])


def test_a_calibration_is_read_once(tmp_path):
    calibration = tmp_path / "own.yaml"
    calibration.write_text("bias: 0\nweights: {score: 1.0}\n")
    tracker = Tracker(
        ScriptedNetwork([(CENTRED, 4.0)]), TrackingSettings(presence="judge", calibration=str(calibration))
    )
    calibration.unlink()  # or not to be found any more, from another folder
    tracker.start(FRAME, BOX)
    tracker.start(FRAME, BOX)
    assert tracker.update(FRAME).presence == pytest.approx(1 / (1 + np.exp(-4)))
