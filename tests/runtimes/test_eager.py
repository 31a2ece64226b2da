"""The eager runtime behind tracking's three verbs: NumPy in, NumPy out, the module's own numbers."""

from dataclasses import astuple
from threading import Thread

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.config import TrackingSettings
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.runtimes.position_cache import PositionCache
from aiatrack.tracking import Network, ReferenceSet, Tracker

SETTINGS = TINY_NETWORK


def module():
    torch.manual_seed(0)
    return build_network(SETTINGS).eval()


@pytest.fixture(scope="module")
def eager() -> Network:
    return EagerNetwork(module(), torch.device("cpu"))


def inputs(batch: int):
    rng = np.random.default_rng(1)
    crops = rng.integers(0, 256, (batch, 64, 64, 3), dtype=np.uint8)
    padding = np.zeros((batch, 64, 64), bool)
    padding[:, :20] = True
    return crops, padding, rng.uniform(0.1, 0.5, (batch, 4)).astype(np.float32)


def test_the_module_is_taken_over_for_inference():
    network = build_network(SETTINGS).train()
    EagerNetwork(network, torch.device("cpu"))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert any(isinstance(part, torch.nn.Identity) for part in network.modules()), "norms are folded"


def test_the_three_verbs_are_the_modules(eager):
    crops, padding, boxes = inputs(2)
    memory = eager.encode(crops, padding)
    references = eager.remember(memory, [0, 1], boxes)
    sets = [
        ReferenceSet(reference.long_term, [reference.short_term], [count])
        for reference, count in zip(references, (2, 1), strict=True)
    ]
    located = eager.locate(memory, sets)
    counts = np.array([[2.0], [1.0]], np.float32)
    assert located.boxes_xywh.shape == (2, 4) and located.scores.shape == (2,)
    assert located.boxes_xywh.dtype == located.scores.dtype == np.float32
    network = module()
    with torch.inference_mode():
        theirs = network.encode(torch.from_numpy(crops), torch.from_numpy(padding))
        marked = network.remember(theirs, torch.from_numpy(boxes))
        expected = network.locate(theirs, marked.long_term, [marked.short_term], torch.from_numpy(counts))
    np.testing.assert_allclose(located.boxes_xywh, expected.boxes_xywh, atol=1e-5)
    np.testing.assert_allclose(located.scores, expected.scores, atol=1e-5)
    corner_scores = torch.stack((expected.top_left_scores, expected.bottom_right_scores), dim=1)
    np.testing.assert_allclose(located.corner_scores, corner_scores, atol=1e-5)
    np.testing.assert_allclose(located.embeddings, expected.embeddings, atol=1e-5)
    np.testing.assert_allclose(references[1].embedding, marked.embedding[1], atol=1e-5)
    assert eager.crop_size == 64


def test_a_target_does_not_feel_the_others_nor_the_size_of_their_ensembles(eager):
    crops, padding, boxes = inputs(3)
    memory = eager.encode(crops, padding)
    references = eager.remember(memory, [2, 0, 1], boxes)
    short = [reference.short_term for reference in references]
    sets = [
        ReferenceSet(references[0].long_term, short[:1], [3]),
        ReferenceSet(references[1].long_term, short, [1, 1, 1]),
        ReferenceSet(references[2].long_term, short[1:], [2, 1]),
    ]
    together = eager.locate(memory, sets)
    for row, one in enumerate(sets):
        alone = eager.locate(eager.encode(crops[row : row + 1], padding[row : row + 1]), [one])
        for ours, theirs in zip(astuple(together), astuple(alone), strict=True):
            np.testing.assert_allclose(ours[row], theirs[0], atol=1e-5)


def test_counted_references_equal_copied_ones(eager):
    crops, padding, boxes = inputs(1)
    memory = eager.encode(crops, padding)
    (first,) = eager.remember(memory, [0], boxes)
    (second,) = eager.remember(eager.encode(crops[:, ::-1].copy(), padding), [0], boxes)
    counted = eager.locate(
        memory, [ReferenceSet(first.long_term, [first.short_term, second.short_term], [2, 1])]
    )
    copies = [first.short_term, second.short_term, first.short_term]
    copied = eager.locate(memory, [ReferenceSet(first.long_term, copies, [1, 1, 1])])
    np.testing.assert_allclose(counted.boxes_xywh, copied.boxes_xywh, atol=1e-5)
    np.testing.assert_allclose(counted.scores, copied.scores, atol=1e-5)


@pytest.mark.parametrize("ensemble_size", [0, 1, 3])
def test_a_tracker_runs_on_it(eager, ensemble_size):
    frames = np.random.default_rng(2).integers(0, 256, (5, 60, 80, 3), dtype=np.uint8)
    frames.flags.writeable = False  # as some sources deliver them
    settings = TrackingSettings(ensemble_size=ensemble_size, min_score_to_remember=-1, memory_capacity=3)
    tracker = Tracker(eager, settings)
    runs = []
    for _ in range(2):
        tracker.start(frames[0], (20, 20, 15, 12))
        runs.append([tracker.update(frame) for frame in frames[1:]])
    assert runs[0] == runs[1], "equal input, equal output"
    assert all(np.isfinite(result.box_xywh).all() and np.isfinite(result.score) for result in runs[0])
    assert [result.frame_index for result in runs[0]] == [1, 2, 3, 4]


def test_crops_padded_alike_share_their_positions_with_their_references(eager):
    crops, padding, boxes = inputs(3)
    padding[1] = False
    memory = eager.encode(crops, padding)
    references = eager.remember(memory, [2, 0, 1], boxes)
    places = [reference.short_term.positions.data_ptr() for reference in references]
    assert places[0] == places[1] != places[2]
    again = eager.encode(crops[:1], padding[:1])
    assert again.inner_positions[0].data_ptr() == places[0]


def test_only_the_latest_padding_patterns_are_kept():
    cache = PositionCache(module(), torch.device("cpu"))
    masks = np.zeros((60, 64, 64), bool)
    for i in range(60):
        masks[i, : i % 5 * 16, : i // 5 * 4] = True
    found = [cache.look_up(mask[None])[0] for mask in masks]
    expected = module().encode(torch.zeros(60, 64, 64, 3), torch.from_numpy(masks)).inner_positions
    np.testing.assert_array_equal(torch.cat([positions.inner for positions in found]), expected)
    assert len(cache._known) <= 32
    assert cache.look_up(masks[-1:])[0] is found[-1]


def test_bfloat16_is_close_and_its_answers_are_float32():
    crops, padding, boxes = inputs(2)
    answers, references = [], []
    for bf16 in (False, True):
        network = EagerNetwork(module(), torch.device("cpu"), bf16=bf16)
        memory = network.encode(crops, padding)
        references = network.remember(memory, [0, 1], boxes)
        sets = [ReferenceSet(each.long_term, [each.short_term], [1]) for each in references]
        answers.append(network.locate(memory, sets))
    assert references[0].long_term.keys.dtype == torch.bfloat16, "half the memory"
    for exact, rounded in zip(*map(astuple, answers), strict=True):
        assert rounded.dtype == np.float32
        np.testing.assert_allclose(rounded, exact, atol=0.05 * np.abs(exact).max())
    assert (answers[1].scores != answers[0].scores).any()


class Watched(EagerNetwork):
    """Notes when the module is at work, while another thread calls."""

    def __init__(self, network):
        super().__init__(network, torch.device("cpu"))
        self.noted, self.meanwhile = [], None

    def _note(self, verb, compute, *inputs):
        self.noted.append(f"{verb} begins")
        if self.meanwhile is not None:
            other, self.meanwhile = Thread(target=self.meanwhile), None
            self.others = other
            other.start()
            other.join(timeout=0.2)  # as long as it might take to come in between
        outputs = compute(*inputs)
        self.noted.append(f"{verb} ends")
        return outputs

    def _encode(self, *inputs):
        return self._note("encode", super()._encode, *inputs)

    def _remember(self, *inputs):
        return self._note("remember", super()._remember, *inputs)

    def _locate(self, *inputs):
        return self._note("locate", super()._locate, *inputs)


def test_calls_of_several_threads_take_turns():
    network = Watched(build_network(TINY_NETWORK))
    crops, padding = np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 64, 64), np.bool_)
    box = np.array([[0.2, 0.2, 0.4, 0.4]], np.float32)
    memory = network.encode(crops, padding)
    (reference,) = network.remember(memory, [0], box)
    references = [ReferenceSet(reference.long_term, [reference.short_term], [3])]
    verbs = {
        "encode": lambda: network.encode(crops, padding),
        "remember": lambda: network.remember(memory, [0], box),
        "locate": lambda: network.locate(memory, references),
    }
    for first, call in verbs.items():
        for second, other_call in verbs.items():
            network.noted.clear()
            network.meanwhile = other_call
            call()
            network.others.join()
            assert network.noted == [f"{first} begins", f"{first} ends", f"{second} begins", f"{second} ends"]
