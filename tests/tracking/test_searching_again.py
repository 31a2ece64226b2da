"""What is kept of a search, and what is not, when a target is found again or lost once more."""

from functools import partial

import numpy as np
import pytest
from scripted_following import CENTRED, PLAIN, follow_script

from aiatrack.tracking import TargetState

LOST, RECOVERED = TargetState.LOST, TargetState.RECOVERED
SURE, NONE = (CENTRED, 4.0), (CENTRED, -6.0)


@pytest.fixture
def watch_script(tmp_path):
    return partial(follow_script, tmp_path)


def centre_px(box_xywh):
    return np.add(box_xywh[:2], np.divide(box_xywh[2:], 2))


def test_what_a_second_look_did_not_recognise_lets_the_less_likely_go_first(watch_script):
    """The candidate is seen again where it was, too unlike the target: the other thing is next."""
    wrong, right = (CENTRED, 1.5), (CENTRED, 1.0)  # in the first and in the second of two tiles
    script = [
        *[[SURE], [NONE], [NONE]],
        [NONE, wrong, right],
        [NONE, wrong, wrong, right],
        [NONE, SURE, wrong, right],
    ]
    results, network = watch_script(script, search_growth_steps=0, tile_growth=2.0)
    assert [result.state for result in results[3:]] == [LOST, LOST, RECOVERED]
    tile = network.windows[4][2]
    middle = np.add((tile.left, tile.top), tile.side / 2)
    np.testing.assert_allclose(centre_px(results[-1].box_xywh), middle, atol=3)


def test_what_spoke_against_the_old_place_says_nothing_of_the_new_one(watch_script):
    carrying = PLAIN + "momentum: 0\ncarried_weight: 1.0\n"
    script = [[SURE], *[[NONE]] * 3, [NONE, (CENTRED, 1.0)], [NONE, SURE]]
    results, _ = watch_script(script, carrying, search_growth_steps=0)
    assert [result.state for result in results[3:]] == [LOST, LOST, RECOVERED]
    assert results[-1].presence == pytest.approx(1 / (1 + np.exp(-8))), "it carries what was found there"


def test_sights_count_anew_each_time_a_target_is_lost(watch_script):
    seen = [SURE, NONE]
    results, _ = watch_script([[SURE], [NONE], [NONE], seen, seen, [NONE], [NONE], seen, seen])
    states = [result.state for result in results]
    assert states[2:5] == [LOST, LOST, RECOVERED]
    assert states[6:] == [LOST, LOST, RECOVERED], "two sights in a row, as the first time"


def test_a_target_lost_under_suspicion_is_searched_for_on_from_there(watch_script):
    weak = (CENTRED, 0.1)
    script = [*[[SURE]] * 5, [weak], *[[weak, NONE]] * 3, *[[NONE]] * 3]
    results, network = watch_script(script, frames_to_suspect=60, search_growth=1.2, search_growth_steps=2)
    assert [result.state for result in results[-2:]] == [LOST, LOST]
    widths = [[window.side for window in windows[1:]] for windows in network.windows[7:]]
    growing, tiles = widths[:2], widths[2:]
    assert growing == [[48], [58]], "of a normal region's 40, 1.2 and 1.2 x 1.2 times"
    # Wide tiles are 1.5 times as wide; close ones, as wide, are searched once it is lost.
    assert tiles == [*[[60, 60, 60]] * 3, [60, 60, 40]], "no narrow search once more"
