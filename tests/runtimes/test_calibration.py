"""What int8 is calibrated with: every film counts, and none is tracked for nothing."""

import numpy as np
import pytest
from tiny_network import TINY_NETWORK

from aiatrack.config import ModelSettings
from aiatrack.errors import SettingsError
from aiatrack.model import build_network
from aiatrack.runtimes.calibration import gather_samples


def gather(lengths, limit):
    """Samples, and how many frames were asked for of each of some films, whose pixels are their number."""
    asked = [0] * len(lengths)

    def frames(film):
        for _ in range(lengths[film]):
            asked[film] += 1
            yield np.full((90, 120, 3), film + 1, np.uint8)

    clips = (((40, 40, 30, 30), frames(film)) for film in range(len(lengths)))
    settings = ModelSettings(network=TINY_NETWORK)
    samples = gather_samples(build_network(TINY_NETWORK), settings, clips, count=len(lengths), limit=limit)
    shown = [int(one["crops"].max()) for one in samples["encode"]]
    return samples, [shown.count(film + 1) for film in range(len(lengths))], asked


def test_each_film_has_its_share():
    samples, shown, asked = gather([40, 9], limit=8)
    assert shown == [4, 4]
    assert len(samples["locate"]) == 8
    assert asked == [5, 5], "one more than there are samples, as the first frame locates nothing"


def test_later_films_make_up_for_short_ones():
    samples, shown, asked = gather([3, 1, 40], limit=12)
    assert shown == [3, 1, 8] and asked == [3, 1, 11]
    assert len(samples["locate"]) == 12


def test_films_beyond_the_limit_are_not_tracked():
    _, shown, asked = gather([9] * 6, limit=3)
    assert sum(shown) == 3 and max(asked) <= 2


def test_a_single_frame_calibrates_nothing():
    with pytest.raises(SettingsError, match="two frames at least"):
        gather([1], limit=8)
