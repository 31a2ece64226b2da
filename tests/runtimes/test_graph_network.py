"""The three verbs on top of graphs, whatever runs them."""

from threading import Thread

import numpy as np
from tiny_network import TINY_NETWORK

from aiatrack.runtimes.graph_network import GraphMemory, GraphNetwork, GraphReferencePart
from aiatrack.tracking import ReferenceSet

CROPS, PADDING = np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 64, 64), bool)
BOXES = np.full((1, 4), 0.5, np.float32)
MEMORY = GraphMemory(np.zeros((1, 16, 16), np.float32), np.zeros((1, 16, 8), np.float32))


def reference(value: float) -> ReferenceSet:
    parts = (np.full((16, width), value, np.float32) for width in (16, 16, 8))
    part = GraphReferencePart(*parts)
    return ReferenceSet(part, [part], [1])


class Runner:
    """Keeps what graphs read at their end, and has another thread call in their midst."""

    def __init__(self) -> None:
        self.meanwhile = None
        self.read = []

    def run(self, name, inputs):
        if self.meanwhile is not None:
            other, self.meanwhile = Thread(target=self.meanwhile), None
            other.start()
            other.join(timeout=0.3)  # it is to wait for us, and would be done by then if it did not
            self.others = other
        self.read.append((name, {key: array.copy() for key, array in inputs.items()}))
        outputs = ("tokens", "inner_positions", "located_xywh", "scores", "corner_scores", "embeddings")
        kept = [f"{term}_{part}" for term in ("long", "short") for part in ("keys", "values")]
        return {key: np.zeros((1, 1), np.float32) for key in (*outputs, *kept)}


def test_calls_of_several_threads_take_turns():
    runner = Runner()
    network = GraphNetwork(runner, TINY_NETWORK)
    verbs = {
        "encode": lambda: network.encode(CROPS, PADDING),
        "remember": lambda: network.remember(MEMORY, [0], BOXES),
        "locate": lambda: network.locate(MEMORY, [reference(1)]),
    }
    for verb, call in verbs.items():
        runner.read.clear()
        runner.meanwhile = lambda: network.locate(MEMORY, [reference(2)])
        call()
        runner.others.join()
        (first, ours), (second, theirs) = runner.read
        assert (first, second) == (verb, "locate")
        if verb == "locate":
            assert (ours["long_keys"] == 1).all() and (ours["short_values"] == 1).all()
        assert (theirs["long_keys"] == 2).all() and (theirs["short_values"] == 2).all()


def test_a_call_within_a_call_does_not_wait_for_ever():
    """As of a signal's handler that saves a tracker's state."""

    class Interrupted(Runner):
        def run(self, name, inputs):
            if name == "locate":
                network.encode(CROPS, PADDING)
            return super().run(name, inputs)

    runner = Interrupted()
    network = GraphNetwork(runner, TINY_NETWORK)
    caller = Thread(target=lambda: network.locate(MEMORY, [reference(1)]), daemon=True)
    caller.start()
    caller.join(timeout=30)
    assert [name for name, _ in runner.read] == ["encode", "locate"]
