"""States of a target, and the search for one that is lost or suspected."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scripted_following import BOX, CENTRED, FRAME, PLAIN, SIZE, AlikeHandle, follow_script

from aiatrack.config import TrackingSettings, load_calibration
from aiatrack.tracking import LocatedTargets, MultiTracker, TargetState, Tracker
from aiatrack.tracking.following import Finding, JudgingFollowing, start_watch
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.presence import PresenceModel
from aiatrack.tracking.searching import search_windows, tile_frame
from aiatrack.tracking.target import Target, Watch

TRACKED, UNCERTAIN, LOST, RECOVERED = TargetState


@pytest.fixture
def watch_script(tmp_path):
    """A function that follows a script and returns results and network."""
    return partial(follow_script, tmp_path)


def test_states_follow_presence(watch_script):
    sure, unsure, none = [(CENTRED, 4.0)], [(CENTRED, -0.5)], [((0.1, 0.1, 0.2, 0.2), -4.0)]
    results, network = watch_script([sure, unsure, none, unsure, none, none, none])
    assert [result.state for result in results] == [
        TRACKED, UNCERTAIN, UNCERTAIN, UNCERTAIN, UNCERTAIN, LOST, LOST,
    ]  # fmt: skip
    assert [result.remembered for result in results] == [True] + [False] * 6
    assert network.remembered == 2
    assert results[0].presence == pytest.approx(1 / (1 + np.exp(-4)))
    assert results[2].box_xywh != results[0].box_xywh, "while in doubt, it follows"
    assert results[5].box_xywh == results[6].box_xywh == results[0].box_xywh, "once lost, the box is held"


def test_judging_alone_changes_no_box_and_no_memory(watch_script):
    seen = [(CENTRED, 4.0), (CENTRED, 0.2), ((0.1, 0.1, 0.2, 0.2), -4.0), ((0.2, 0.3, 0.2, 0.1), -4.0)]
    script = [[found] for found in (*seen, *seen[2:], *seen)]
    judged, _ = watch_script(script, presence="judge", frames_to_lose=1)
    followed, _ = watch_script(script, presence="off")
    for ours, theirs in zip(judged, followed, strict=True):
        assert replace(ours, presence=None, state=TRACKED) == theirs
    expected = [1 / (1 + np.exp(-found.score)) for found in followed]
    np.testing.assert_allclose([found.presence for found in judged], expected)
    assert [found.state is TRACKED for found in judged] == [presence >= 0.5 for presence in expected]
    assert {found.state for found in judged} == {TRACKED, UNCERTAIN}
    assert any(found.remembered and found.presence < 0.7 for found in judged), "memory is the paper's too"


def test_a_lost_target_is_looked_for_on_its_path_in_a_growing_region_then_everywhere(watch_script):
    none = [(CENTRED, -6.0)]
    script = [[(CENTRED, 4.0)]] + [none] * 10
    _, network = watch_script(script, search_growth=1.5, search_growth_steps=2, search_budget=3)
    followed, searched = network.windows[1:4], network.windows[4:]
    assert [len(windows) for windows in followed] == [1, 1, 1]
    assert [len(windows) for windows in searched] == [2, 2, 3, 3, 3, 3, 3, 3]
    paper = [windows[0] for windows in watch_script(script, presence="off")[1].windows]
    assert [windows[0] for windows in network.windows] == paper
    sides = [windows[1].side for windows in searched[:2]]
    assert sides == pytest.approx([64 * 1.5**step for step in (1, 2)], abs=2)


def test_a_target_is_recovered_elsewhere_only_if_a_second_look_by_frame_0_agrees(watch_script):
    none, there = (CENTRED, -6.0), (CENTRED, 4.0)
    lose, elsewhere = [[there], [none], [none]], [none, there]
    results, network = watch_script([*lose, elsewhere, elsewhere, [there]], search_growth_steps=0)
    assert [result.state for result in results[2:]] == [LOST, LOST, RECOVERED, TRACKED]
    on_its_path, second_look = network.asked[4][:2]
    assert on_its_path.short_term == [("short", 1), ("short", 2)]
    assert second_look.long_term == ("long", 1)
    assert second_look.short_term == [("short", 1)] and second_look.multiplicity == [3]
    assert not results[4].remembered
    results, _ = watch_script([*lose, elsewhere, [none], elsewhere, elsewhere], search_growth_steps=0)
    assert [result.state for result in results[3:]] == [LOST, LOST, LOST, RECOVERED]


def test_a_second_look_in_vain_lets_another_candidate_go_first(watch_script):
    """The likelier of two things is not the target: the other is looked at in the next frame."""
    none, wrong, right = (CENTRED, -6.0), (FAR, 1.5), (CENTRED, 1.0)
    lose = [[(CENTRED, 4.0)], [none], [none]]
    script = [*lose, [none, wrong, right], [none, wrong, wrong, right], [none, (CENTRED, 4.0), wrong, right]]
    results, _ = watch_script(script, search_growth_steps=0, search_budget=4)
    assert [result.state for result in results[3:]] == [LOST, LOST, RECOVERED]
    doubtful = (CENTRED, 1.5)
    only = [*lose, [none, doubtful], *[[none, doubtful, none]] * 3, [none, (CENTRED, 4.0), none]]
    results, _ = watch_script(only, search_growth_steps=0, search_budget=4)
    assert [result.state for result in results[3:-1]] == [LOST] * 4
    assert results[-1].state is RECOVERED, "without another, it is looked at in every frame"


def test_what_is_found_elsewhere_must_be_recognised(watch_script):
    none, sure, less = (CENTRED, -4.0), (CENTRED, 4.0), (CENTRED, 1.5)
    script = [[sure], [none], [none], *[[none, less]] * 3, *[[none, sure]] * 2]
    results, _ = watch_script(script, search_growth_steps=0)
    assert [result.state for result in results[-5:-1]] == [LOST, LOST, LOST, RECOVERED]
    less_strict, _ = watch_script(script, search_growth_steps=0, min_recognition_to_recover=0.8)
    assert less_strict[-4].state is RECOVERED


SUSPECTING = {"frames_to_suspect": 60, "search_growth_steps": 0, "max_presence_to_lose": 0.0}
FAR = (0.0, 0.0, 0.2, 0.2)


def test_a_suspected_target_is_followed_and_searched_for_elsewhere(watch_script):
    sure, weak, there = (CENTRED, 4.0), (CENTRED, 0.1), (FAR, 4.0)
    nothing = (FAR, -4.0)
    script = [
        *[[sure]] * 5,
        [weak],
        [weak, nothing],
        [weak, there, nothing],  # a tile shows something
        *[[weak, (CENTRED, 4.0), weak, nothing]]
        * 2,  # at the candidate, and where it was followed, by frame 0
        [sure],
    ]
    results, network = watch_script(script, **SUSPECTING)
    assert [len(windows) > 1 for windows in network.windows[1:]] == [False] * 6 + [True] * 4 + [False]
    states = [result.state for result in results[5:]]
    assert states == [TRACKED, TRACKED, TRACKED, TRACKED, RECOVERED, TRACKED], (
        "one look more than if it were lost"
    )
    steps = np.abs(np.diff([result.box_xywh[0] for result in results[7:10]]))
    assert steps[0] < 2 < steps[1], "followed, then left"
    path, candidate, again = network.asked[8][:3]
    assert len(path.short_term) == 3, "as the paper looks"
    for second_look in (candidate, again):
        assert second_look.short_term == [("short", 1)]
    for windows in network.windows[9:11]:
        assert windows[0] == windows[2], "the same place, looked at in the same way"
    assert [result.remembered for result in results[5:9]] == [True] * 4, "the paper's memory meanwhile"
    latest = max(number for _, number in network.asked[10][0].short_term)
    assert latest == 6, "what was remembered since it is suspected is forgotten: frame 0 and five sure frames"


def test_a_suspected_target_is_left_only_for_something_that_surpasses_it(watch_script):
    sure, weak, there = (CENTRED, 4.0), (CENTRED, 0.1), (FAR, 4.0)
    again = (CENTRED, 3.5)
    script = [*[[sure]] * 5, [weak], [weak, there], *[[weak, (CENTRED, 4.0), again, (FAR, -4.0)]] * 2]
    results, _ = watch_script(script, **SUSPECTING)
    assert results[-1].state is TRACKED
    results, _ = watch_script(script, recognition_to_switch=0.4, **SUSPECTING)
    assert results[-1].state is RECOVERED


def test_a_suspected_target_is_left_only_for_something_that_is_well_boxed(watch_script):
    # Recognised as what is followed would have to be, but with a presence of 0.38.
    weak, there, again = (CENTRED, -2.0), (FAR, -0.5), (CENTRED, -0.5)
    lenient = PLAIN + "recognition: {bias: 4, weights: {score: 1.0}}\n"
    script = [*[[(CENTRED, 4.0)]] * 5, [weak], [weak, there], *[[weak, again, weak, (FAR, -4.0)]] * 2]
    results, _ = watch_script(script, lenient, **SUSPECTING)
    assert results[-1].state is UNCERTAIN
    results, _ = watch_script(script, lenient, min_presence_to_track=0.3, **SUSPECTING)
    assert results[-1].state is RECOVERED


def test_suspicion_ends_with_recognition_or_time(watch_script):
    sure, weak, nothing = (CENTRED, 4.0), (CENTRED, 0.1), (FAR, -4.0)
    looked = [*[[sure]] * 5, [weak], [weak, nothing], [sure, nothing], [sure]]
    _, network = watch_script(looked, **SUSPECTING)
    assert [len(windows) > 1 for windows in network.windows[-3:]] == [True, True, False]
    longer = [*[[sure]] * 5, [weak], *[[weak, nothing]] * 3, [sure]]
    _, network = watch_script(longer, **SUSPECTING | {"frames_to_suspect": 3})
    assert [len(windows) > 1 for windows in network.windows[-4:]] == [True, True, True, False]


def test_nothing_is_learned_from_a_suspected_target(tmp_path):
    (tmp_path / "plain.yaml").write_text(PLAIN)
    model = PresenceModel(load_calibration(str(tmp_path / "plain.yaml")))
    following = JudgingFollowing(TrackingSettings(min_recognition_to_trust=0.99), SIZE, model)
    memory = ReferenceMemory.begin(AlikeHandle(1), capacity=10, ensemble_size=3)
    box = np.array(BOX)
    target = Target(box, memory, start_watch(box, memory.appearance))

    def find(evidence):
        following.judge(target, [Finding(box, 0.9, np.array([[0.0, 1.0]]), evidence, evidence)])
        return target.watch.recent[0, 1]

    assert find(2.0) == pytest.approx(0.2)
    assert find(0.1) == pytest.approx(0.2) and target.watch.is_suspected
    assert find(4.0) == pytest.approx(0.2), "believed, but not recognised"
    assert find(5.0) == pytest.approx(0.36) and not target.watch.is_suspected


def test_a_second_look_that_sees_something_elsewhere_does_not_count(watch_script):
    none, there, elsewhere = (CENTRED, -4.0), (CENTRED, 4.0), ((0.0, 0.0, 0.2, 0.2), 4.0)
    script = [[there], [none], [none], [none, there], [none, elsewhere]]
    results, _ = watch_script(script, search_growth_steps=0)
    assert [result.state for result in results[3:]] == [LOST, LOST]


def test_what_was_wrongly_taken_for_lost_is_followed_again_where_it_went(watch_script):
    there, doubtful, moved = (CENTRED, 4.0), ((0.5, 0.4, 0.2, 0.2), -4.0), ((0.5, 0.4, 0.2, 0.2), 1.0)
    script = [[there], *[[doubtful]] * 4, [moved, doubtful], [moved, doubtful], [there]]
    results, _ = watch_script(script)
    unheeding, _ = watch_script(script, presence="off")
    assert [result.state for result in results[4:]] == [LOST, LOST, RECOVERED, TRACKED]
    assert results[5].box_xywh == results[0].box_xywh, "the box is held"
    assert [result.box_xywh for result in results[6:]] == [result.box_xywh for result in unheeding[6:]]
    once, _ = watch_script([*script[:6], [doubtful], [moved, doubtful]])
    assert [result.state for result in once[5:]] == [LOST, LOST, LOST], "two sights in a row"


def test_more_looks_can_be_asked_for(watch_script):
    none, there = (CENTRED, -4.0), (CENTRED, 4.0)
    results, _ = watch_script([[there], [none], [none]] + [[there]] * 4, looks_to_recover=3)
    assert [result.state for result in results[3:]] == [LOST, LOST, LOST, RECOVERED]


def test_a_region_grows_no_further_than_to_show_all(watch_script):
    script = [[(CENTRED, 4.0)], *[[(CENTRED, -6.0)]] * 40]
    _, network = watch_script(script, search_growth=4.0, search_growth_steps=60, search_budget=2)
    sides = [windows[-1].side for windows in network.windows[4:]]
    assert sides[-1] == max(sides) == 1.5 * max(FRAME.shape)


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (90, 400), (20, 20)])
@pytest.mark.parametrize("box", [(100, 50, 30, 40), (5, 5, 300, 200), (0, 0, 12, 10)])
@pytest.mark.parametrize("growth", [1.0, 1.5])
def test_tiles_hold_a_target_anywhere(shape, box, growth):
    settings = TrackingSettings(search_factor=4.0)
    tiles = tile_frame(np.array(box, float), shape, settings, growth)
    size = np.sqrt(box[2] * box[3])
    side = tiles[0, 2] * settings.search_factor
    low = tiles[:, :2] + tiles[:, 2:] / 2 - side / 2
    rng = np.random.default_rng(1)
    for centre in rng.uniform(0, 1, (200, 2)) * (shape[1], shape[0]):
        inside = (low <= centre - size / 2 + 1e-6) & (centre + size / 2 <= low + side + 1e-6)
        beyond = (centre < size / 2) | (centre > np.array(shape[::-1]) - size / 2)
        assert (inside | beyond).all(axis=1).any()


def test_tiles_are_no_smaller_than_for_the_smallest_box_reported():
    """Such as in normalised coordinates: tiles of its size would be millions."""
    settings = TrackingSettings()
    smallest = np.array([100, 100, settings.clip_margin_px, settings.clip_margin_px])
    speck = tile_frame(np.array([104.9, 104.9, 0.2, 0.2]), (720, 1280), settings, 1.5)
    np.testing.assert_array_equal(speck, tile_frame(smallest, (720, 1280), settings, 1.5))


@pytest.mark.parametrize(("budget", "wide_a_frame", "close_a_frame"), [(3, 1, 1), (4, 2, 1), (7, 3, 3)])
def test_every_tile_of_either_size_is_searched_in_turn(budget, wide_a_frame, close_a_frame):
    settings = TrackingSettings(search_factor=4.0, search_budget=budget, search_growth_steps=0)
    box = np.array([300.0, 200.0, 30.0, 30.0])
    watch = Watch(box, box, np.ones(2), 2.0, 0.0, LOST)
    wide, close = (tile_frame(box, (480, 640), settings, growth) for growth in (1.5, 1.0))
    assert len(close) > len(wide) > 6
    seen = []
    for _ in range(-(-len(close) // close_a_frame)):
        windows = search_windows(watch, (480, 640, 3), settings, SIZE)
        assert len(windows) == budget
        seen.append({(window.left, window.top, window.side) for window in windows[1:]})
    of_wide, of_close = 180, 120
    for number, side, a_frame in ((len(wide), of_wide, wide_a_frame), (len(close), of_close, close_a_frame)):
        a_round = seen[: -(-number // a_frame)]
        assert all(len([window for window in frame if window[2] == side]) == a_frame for frame in a_round)
        assert len({window for frame in a_round for window in frame if window[2] == side}) == number


def test_looks_that_one_size_of_tiles_does_not_need_go_to_the_other():
    settings = TrackingSettings(search_factor=4.0, search_budget=4, search_growth_steps=0)
    box = np.array([100.0, 100.0, 90.0, 90.0])
    watch = Watch(box, box, np.ones(2), 2.0, 0.0, LOST)
    wide, close = (len(tile_frame(box, (300, 400), settings, growth)) for growth in (1.5, 1.0))
    assert (wide, close) == (1, 2)
    _, *tiles = search_windows(watch, (300, 400, 3), settings, SIZE)
    assert sorted(tile.side for tile in tiles) == [360, 360, 540]


def test_while_something_is_followed_close_tiles_are_not_searched():
    settings = TrackingSettings(search_factor=4.0, search_budget=7, search_growth_steps=0)
    box = np.array([300.0, 200.0, 30.0, 30.0])
    sides = []
    for state in (UNCERTAIN, LOST):
        watch = Watch(box, box, np.ones(2), 2.0, 0.0, state, is_suspected=True)
        sides.append({window.side for window in search_windows(watch, (480, 640, 3), settings, SIZE)[1:]})
    assert sides == [{180}, {120, 180}]


def test_wide_tiles_of_the_normal_size_are_not_searched_twice():
    settings = TrackingSettings(search_factor=4.0, search_budget=4, search_growth_steps=0, tile_growth=1.0)
    box = np.array([300.0, 200.0, 30.0, 30.0])
    watch = Watch(box, box, np.ones(2), 2.0, 0.0, LOST)
    for _ in range(3):
        tiles = search_windows(watch, (480, 640, 3), settings, SIZE)[1:]
        assert len({(tile.left, tile.top) for tile in tiles}) == 3


def test_with_a_budget_for_one_tile_wide_ones_are_searched():
    settings = TrackingSettings(search_factor=4.0, search_budget=2, search_growth_steps=0)
    box = np.array([300.0, 200.0, 30.0, 30.0])
    watch = Watch(box, box, np.ones(2), 2.0, 0.0, LOST)
    sides = {search_windows(watch, (480, 640, 3), settings, SIZE)[1].side for _ in range(9)}
    assert sides == {180}


FRAMES = np.random.default_rng(3).integers(0, 256, (40, 90, 120, 3), dtype=np.uint8)
BOXES = [(10.0, 10.0, 20.0, 30.0), (60.0, 40.0, 25.0, 15.0), (90.0, 70.0, 20.0, 20.0)]


class MoodyNetwork:
    """Sees in each crop what that crop's own pixels say, whatever lies beside it in the batch."""

    crop_size = SIZE

    def encode(self, crops, padding):
        return crops.mean(axis=(1, 2, 3)) / 255

    def remember(self, memory, rows, boxes_xywh):
        return [AlikeHandle(int(1000 * memory[row])) for row in rows]

    def locate(self, search, references):
        moods = np.sin(400 * search + [asked.long_term[1] + len(asked.short_term) for asked in references])
        shifts = 0.4 + 0.05 * moods
        boxes = np.stack([shifts, shifts, np.full_like(shifts, 0.22), np.full_like(shifts, 0.2)], axis=1)
        corners = np.zeros((len(moods), 2, 2, 2), np.float32)
        embeddings = np.ones((len(moods), 1, 2), np.float32)
        return LocatedTargets(boxes.astype(np.float32), moods.astype(np.float32), corners, embeddings)


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_targets_do_not_disturb_one_another_while_some_are_lost(tmp_path, batch_size):
    (tmp_path / "steep.yaml").write_text("bias: 0\nweights: {score: 5.0}\n")
    settings = TrackingSettings(
        presence="on", calibration=str(tmp_path / "steep.yaml"), frames_to_lose=2, max_presence_to_lose=0.1,
        search_growth_steps=1, min_score_to_remember=0, memory_capacity=4, batch_size=batch_size,
    )  # fmt: skip
    tracker = MultiTracker(MoodyNetwork(), settings)
    ids = [tracker.add(FRAMES[0], box) for box in BOXES]
    together = [tracker.update(frame) for frame in FRAMES[1:]]
    states = []
    for id, box in zip(ids, BOXES, strict=True):
        alone = Tracker(MoodyNetwork(), settings)
        alone.start(FRAMES[0], box)
        for found, frame in zip(together, FRAMES[1:], strict=True):
            assert found[id] == replace(alone.update(frame), id=id)
        states.append({found[id].state for found in together})
    assert set().union(*states) == set(TargetState)
