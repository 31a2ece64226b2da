"""The timed network does what the network does, and its times add up."""

import time

import numpy as np
import pytest
from tiny_network import TINY_NETWORK

from aiatrack.crop import crop_window, cut_regions
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.timing.spread import Spread
from aiatrack.timing.stages import NETWORK_STAGES, StageClock, TimedNetwork
from aiatrack.tracking import MultiTracker

BOX = (30.0, 20.0, 40.0, 30.0)


@pytest.fixture(scope="module")
def network() -> EagerNetwork:
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EagerNetwork(build_network(TINY_NETWORK), torch.device("cpu"))


def frames(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 96, 128, 3), dtype=np.uint8))


def test_results_are_those_of_the_network_itself(network):
    clock = StageClock()
    plain, timed = MultiTracker(network), MultiTracker(TimedNetwork(network, clock))
    first, *others = frames(4)
    for tracker in (plain, timed):
        tracker.add(first, BOX)
    for frame in others:
        assert timed.update(frame) == plain.update(frame)


def test_every_stage_is_seen_and_they_take_no_longer_than_the_update(network):
    clock = StageClock()
    tracker = MultiTracker(TimedNetwork(network, clock))
    first, second = frames(2)
    tracker.add(first, BOX)
    assert set(clock.take()) == {"crop", "encode", "remember"}
    start = time.perf_counter()
    tracker.update(second)
    whole = time.perf_counter() - start
    stages = clock.take()
    assert {"crop", "encode", "locate"} <= set(stages) <= set(NETWORK_STAGES)
    assert 0 < sum(stages.values()) <= whole
    assert clock.take() == {}


def test_a_network_that_crops_keeps_doing_so():
    class Cropping:
        crop_size = 64
        asked: list[str] = []  # noqa: RUF012 - one network, one list

        def encode_regions(self, frames, windows, color):
            self.asked.append(color)
            return cut_regions(frames, windows, color)

        def encode(self, crops, padding):
            raise AssertionError

        remember = locate = encode

    clock = StageClock()
    (frame,) = frames(1)
    timed = TimedNetwork(Cropping(), clock)
    timed.encode_regions([frame], [crop_window(np.array(BOX), 4.0, 64)], "bgr")
    assert Cropping.asked == ["bgr"]
    assert set(clock.take()) == {"encode"}


def test_the_clock_waits_for_the_device_and_adds_up():
    clock = StageClock(wait=lambda: time.sleep(0.02))
    for _ in range(2):
        with clock.stage("encode"):
            pass
    assert 0.04 <= clock.take()["encode"] < 1


def test_a_spread_is_median_and_the_middle_eight_of_ten():
    assert Spread.of(range(11)) == Spread(median=5, low=1, high=9, count=11)
    assert str(Spread.of([3.0])) == "3.00 (3.00-3.00)"
    assert str(Spread(52.73, 49.1, 60.2, 9)) == "52.7 (49.1-60.2)"
    assert str(Spread(152.7, 99.4, 160.2, 9)) == "153 (99-160)"
