"""A watched network answers as the eager one does, and says what it looked at."""

import gc
import weakref

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.config import Combination, TrackingSettings
from aiatrack.errors import TrackingError
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.runtimes.watched import WatchedNetwork
from aiatrack.tracking import MultiTracker, Tracker

CPU = torch.device("cpu")
REMEMBER_ALL = TrackingSettings(presence="off", min_score_to_remember=-1.0)


def module(settings=TINY_NETWORK):
    torch.manual_seed(0)
    return build_network(settings).eval()


def frames(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in range(count)]


def follow(network, settings, images):
    tracker = Tracker(network, settings)
    tracker.start(images[0], (30, 20, 40, 30))
    results = []
    for index, image in enumerate(images[1:], start=1):
        network.frame_number = index
        results.append(tracker.update(image))
    return results


def test_it_tracks_as_the_eager_network_does():
    images = frames(6)
    expected = follow(EagerNetwork(module(), CPU), REMEMBER_ALL, images)
    assert follow(WatchedNetwork(module(), CPU), REMEMBER_ALL, images) == expected


def test_what_was_looked_at():
    watched = WatchedNetwork(module(), CPU)
    images = frames(6)
    follow(watched, REMEMBER_ALL.replace(ensemble_size=3), images)
    seen = watched.observation
    assert seen.crop.shape == (64, 64, 3)
    assert seen.grid_size == 4
    np.testing.assert_allclose(seen.corner_probabilities.sum(axis=(1, 2)), 1, rtol=1e-6)
    assert [layer.refined.shape for layer in seen.encoder] == [(2, 16, 16)]
    # Frame 5 is located with frames 0 to 4 in memory, of which the ensemble of three is 1, 2 and 4.
    assert [reference.frame_number for reference in seen.references] == [0, 1, 2, 4]
    assert [reference.count for reference in seen.references] == [1, 1, 1, 1]
    long_term, *short_term = seen.references
    np.testing.assert_allclose(long_term.attention.refined.sum(axis=1), 1, rtol=1e-5)
    together = sum(reference.attention.refined.sum(axis=1) for reference in short_term)
    np.testing.assert_allclose(together, 1, rtol=1e-5)
    # The box given is a third of the region wide and a quarter high, in its middle.
    assert long_term.target.sum() == np.prod((long_term.box_xywh * 4).round()[2:])
    assert long_term.target[1:3, 1:3].any()
    assert not np.array_equal(long_term.crop, short_term[0].crop)


def test_equal_references_are_counted():
    watched = WatchedNetwork(module(), CPU)
    follow(watched, REMEMBER_ALL.replace(ensemble_size=3), frames(2))
    assert [(seen.frame_number, seen.count) for seen in watched.observation.references] == [(0, 1), (0, 3)]


@pytest.mark.parametrize(("combination", "kept"), [(Combination.MERGED, 3), (Combination.LONG_ONLY, 1)])
def test_references_that_are_attended_to(combination, kept):
    watched = WatchedNetwork(module(TINY_NETWORK.replace(combination=combination)), CPU)
    follow(watched, REMEMBER_ALL.replace(ensemble_size=2), frames(4))
    references = watched.observation.references
    assert len(references) == kept
    together = sum(reference.attention.refined.sum(axis=1) for reference in references)
    np.testing.assert_allclose(together, 1, rtol=1e-5)


def test_one_token():
    watched = WatchedNetwork(module(), CPU)
    follow(watched, REMEMBER_ALL, frames(2))
    (layer,) = watched.observation.encoder
    looks = layer.of_token(5)
    assert looks.shape == (4, 4)
    assert looks[1, 2] == pytest.approx((layer.refined[0, 6, 5] + layer.refined[1, 6, 5]) / 2)
    assert not np.array_equal(looks, layer.of_token(5, refined=False))


def test_nothing_was_looked_for_yet():
    with pytest.raises(TrackingError, match="mark a target, then update"):
        WatchedNetwork(module(), CPU).observation  # noqa: B018


def test_several_targets_are_refused():
    tracker = MultiTracker(WatchedNetwork(module(), CPU), REMEMBER_ALL)
    image, following = frames(2)
    tracker.add(image, (30, 20, 40, 30))
    tracker.add(image, (10, 20, 40, 30))
    with pytest.raises(TrackingError, match="one region at a time; got 2"):
        tracker.update(following)


def test_frames_are_numbered_by_who_tracks():
    watched = WatchedNetwork(module(), CPU)
    watched.frame_number = 7
    follow(watched, REMEMBER_ALL, frames(2))
    assert {reference.frame_number for reference in watched.observation.references} == {7}


@pytest.mark.parametrize(
    ("changes", "encoder", "decoder"),
    [
        ({}, True, True),
        ({"refinement": "none"}, False, False),
        ({"refined_attention": "encoder"}, True, False),
        ({"refined_attention": "decoder"}, False, True),
    ],
)
def test_what_is_refined(changes, encoder, decoder):
    watched = WatchedNetwork(module(TINY_NETWORK.replace(**changes)), CPU)
    follow(watched, REMEMBER_ALL, frames(2))
    seen = watched.observation
    assert [layer.is_refined for layer in seen.encoder] == [encoder]
    assert [reference.attention.is_refined for reference in seen.references] == [decoder, decoder]


def test_references_keep_their_picture_and_nothing_else_of_the_crop():
    """A hundred of them are kept; maps of a `base` crop are megabytes each."""
    watched = WatchedNetwork(module(), CPU)
    tracker = Tracker(watched, REMEMBER_ALL)
    encoded, encode = [], watched._network.encode

    def remember_encoding(*arguments):
        memory = encode(*arguments)
        encoded.append(weakref.ref(memory.batch.tokens))
        return memory

    watched._network.encode = remember_encoding
    images = frames(5)
    tracker.start(images[0], (30, 20, 40, 30))
    assert all(tracker.update(image).remembered for image in images[1:])
    gc.collect()
    assert len(encoded) == 5
    assert sum(reference() is not None for reference in encoded) <= 1
