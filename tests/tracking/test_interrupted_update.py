"""An update that fails half-way has not been: the same frame can be given again."""

from itertools import count

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.config import TrackingSettings
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.runtimes.graph_network import GraphMemory, GraphNetwork, GraphReferencePart
from aiatrack.tracking import MultiTracker, ReferenceSet, TargetState

FRAMES = np.random.default_rng(8).integers(0, 256, (8, 90, 120, 3), dtype=np.uint8)
BOXES = [(10.0, 10.0, 20.0, 30.0), (60.0, 40.0, 25.0, 15.0)]
ALWAYS_LOST = {
    "presence": "on", "frames_to_lose": 1, "max_presence_to_lose": 1.0, "min_presence_to_track": 1.0,
    "min_presence_to_recover": 1.0, "min_recognition_to_recover": 1.0, "search_growth_steps": 0,
}  # fmt: skip


def start(network, **settings) -> MultiTracker:
    chosen = TrackingSettings(min_score_to_remember=-1, memory_capacity=4, batch_size=1, **settings)
    tracker = MultiTracker(network, chosen)
    for box in BOXES:
        tracker.add(FRAMES[0], box)
    return tracker


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return EagerNetwork(build_network(TINY_NETWORK).eval(), torch.device("cpu"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize(
    ("verb", "settings"),
    [
        ("encode", {}),
        ("locate", {}),
        ("remember", {}),
        ("encode", ALWAYS_LOST),
        ("locate", ALWAYS_LOST),
    ],
)
def test_a_frame_that_failed_can_be_given_again(network, monkeypatch, verb, settings, error):
    whole, broken = start(network, **settings), start(network, **settings)
    answer = getattr(network, verb)
    for frame in FRAMES[1:]:
        before, calls = broken.latest, count()

        def fail_at_the_second_call(*arguments, calls=calls):
            if next(calls) == 1:
                raise error
            return answer(*arguments)

        with monkeypatch.context() as patch, pytest.raises(error):
            patch.setattr(network, verb, fail_at_the_second_call)
            broken.update(frame)
        assert broken.latest == before
        assert broken.update(frame) == whole.update(frame)
    lost = {result.state for result in whole.latest.values()} == {TargetState.LOST}
    assert lost is bool(settings)


def test_a_reference_half_copied_is_copied_again():
    """Graphs get references stacked in place; what was interrupted must not pass for what was there."""

    class Runner:
        def run(self, name, inputs):
            self.keys = inputs["long_keys"].copy()
            return dict.fromkeys(("located_xywh", "scores", "corner_scores", "embeddings"))

    def locate(value, values_shape=(1,)):
        parts = np.full((1, 1), value), np.full(values_shape, value), np.full((1, 1), value)
        handle = handles.setdefault(value, GraphReferencePart(*parts))
        network.locate(GraphMemory(None, None), [ReferenceSet(handle, [], [])])

    handles, runner = {}, Runner()
    network = GraphNetwork(runner, TINY_NETWORK)
    locate(1.0)
    with pytest.raises(ValueError, match="broadcast"):
        locate(2.0, values_shape=(3, 5))
    locate(1.0)
    assert (runner.keys == 1).all()
