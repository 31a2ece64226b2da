"""Pictures of where the network looks."""

import cv2
import numpy as np
import pytest
from cli_inputs import BOX, Outcome, film_times

from aiatrack.api import attention_sheet
from aiatrack.api.attention import WatchedTracker, load_watched_tracker, watch_attention
from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings
from aiatrack.errors import AiATrackError, BoxError, DataError, OutputError, SettingsError, VideoError
from aiatrack.model import build_network, load_network, save_weights
from aiatrack.visualization import draw_panels


@pytest.fixture
def attention(run, tiny_weights, film):
    return lambda *arguments: run("attention", film, "--model", tiny_weights, "--box", BOX, *arguments)


def refused(outcome: Outcome, error: type[AiATrackError], words: str) -> None:
    assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1, outcome
    assert words in outcome.err
    assert outcome.code == error.exit_code


def test_picture_of_the_last_frame(attention, here):
    outcome = attention("--end", "0.2", "-o", "seen.png")
    assert outcome.code == 0 and outcome.err == ""
    assert outcome.out.startswith("frame 4, predicted overlap 0.")
    assert outcome.out.endswith("; wrote seen.png\n")
    # One encoder layer, frame 0 and an ensemble of three: five columns; refined and not: three rows.
    assert cv2.imread("seen.png").shape == (3 * 282 + 4, 5 * 260 + 4, 3)


def test_frames_are_called_as_in_the_source(attention, here):
    """At 25 frames a second, the box is given in frame 5."""
    assert attention("--start", "0.2", "--end", "0.32", "-o", "seen.png").out.startswith("frame 7, ")


def test_named_after_the_source(attention, here):
    assert attention().out.endswith("; wrote street.attention.png\n")
    assert [path.name for path in here.iterdir()] == ["street.attention.png"]


def test_film_of_all_frames(attention, here):
    outcome = attention("-o", "seen.mp4", "--point", "0.5,1")
    assert outcome.code == 0 and outcome.out == "11 frames; wrote seen.mp4\n"
    assert film_times(here / "seen.mp4") == pytest.approx([index / 25 for index in range(11)], abs=1e-4)


def test_without_refinement_there_is_no_third_row(run, tiny_weights, film, here):
    settings, _ = load_network(tiny_weights)
    plain = settings.replace(network=settings.network.replace(refinement="none"))
    save_weights(here / "plain.safetensors", build_network(plain.network).state_dict(), plain)
    run("attention", film, "--model", "plain.safetensors", "--box", BOX, "-o", "seen.png")
    assert cv2.imread("seen.png").shape[0] == 2 * 282 + 4


@pytest.mark.parametrize("stopped_at", [1, 4])
def test_ctrl_c_writes_what_was_seen(attention, here, monkeypatch, stopped_at):
    updates, update = [], WatchedTracker.update

    def interrupted(tracker, frame):
        updates.append(frame)
        if len(updates) == stopped_at:
            raise KeyboardInterrupt
        return update(tracker, frame)

    monkeypatch.setattr(WatchedTracker, "update", interrupted)
    outcome = attention("-o", "seen.png")
    assert outcome.code == 130
    assert (here / "seen.png").exists() == (stopped_at > 1)
    assert outcome.out.startswith("stopped: frame 3" if stopped_at > 1 else "stopped: nothing was written")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["--point", "0.5"], SettingsError, "--point takes X,Y"),
        (["--point", "nan,0"], SettingsError, "--point takes X,Y"),
        (["-o", "seen.gif"], OutputError, "must end in .png"),
        (["-o", "missing/seen.png"], OutputError, "does not exist"),
        (["--end", "0.01"], DataError, "nothing is looked for"),
        (["--benchmark", "nowhere"], SettingsError, "nowhere"),
        (["--set", "presence=on"], SettingsError, "looks in several"),
        (["--set", "ensemble_size=100", "-o", "wide.webp"], OutputError, "choose .png"),
    ],
)
def test_what_cannot_be_shown(attention, here, arguments, error, words):
    refused(attention(*arguments), error, words)
    assert not list(here.iterdir())


def test_inputs_are_not_overwritten(run, tiny_weights, here):
    cv2.imwrite("1.png", np.zeros((64, 96, 3), np.uint8))
    cv2.imwrite("2.png", np.zeros((64, 96, 3), np.uint8))
    before = (here / "2.png").read_bytes()
    outcome = run("attention", ".", "--model", tiny_weights, "--box", BOX, "-o", "2.png")
    refused(outcome, OutputError, "is the input itself")
    assert (here / "2.png").read_bytes() == before


def test_a_broken_film_leaves_a_picture(attention, here, monkeypatch):
    updates, update = [], WatchedTracker.update

    def broken(tracker, frame):
        updates.append(frame)
        if len(updates) == 3:
            raise VideoError("the disk is gone")
        return update(tracker, frame)

    monkeypatch.setattr(WatchedTracker, "update", broken)
    outcome = attention("-o", "seen.png")
    refused(outcome, VideoError, "the disk is gone")
    assert outcome.out.startswith("broken off: frame 2") and outcome.out.endswith("wrote seen.png\n")
    assert (here / "seen.png").exists()


def test_from_python(tiny_weights, film):
    views = list(watch_attention(film, (20, 20, 20, 20), model=tiny_weights))
    assert [view.result.frame_index for view in views] == list(range(1, 12))
    middle, edge = (views[-1].draw(point) for point in ((0.5, 0.5), (0.5, -9)))
    assert middle.shape == edge.shape == views[0].draw().shape
    assert not np.array_equal(middle, edge)
    with pytest.raises(SettingsError, match="two finite numbers"):
        views[0].draw((0.5, float("inf")))
    with pytest.raises(SettingsError, match="two finite numbers"):
        views[0].draw("ab")


VARIANTS = {
    "as it is": ({}, {}, ["encoder, refined", "frame 10, refined", "frame 10 x3, refined"]),
    "no refinement": ({"refinement": "none"}, {}, ["encoder", "frame 10", "frame 10 x3"]),
    "decoder alone": (
        {"refined_attention": "decoder"},
        {},
        ["encoder", "frame 10, refined", "frame 10 x3, refined"],
    ),
    "two layers": (
        {"encoder_layers": 2},
        {},
        ["encoder 1, refined", "encoder 2, refined", "frame 10, refined"],
    ),
    "no encoder": (
        {"encoder_layers": 0, "refined_attention": "decoder"},
        {},
        ["frame 10, refined", "frame 10 x3, refined"],
    ),
    "one branch": (
        {"combination": "merged"},
        {},
        ["encoder, refined", "frame 10, refined", "frame 10 x3, refined"],
    ),
    "long-term alone": ({"combination": "long_only"}, {}, ["encoder, refined", "frame 10, refined"]),
    "no ensemble": ({}, {"ensemble_size": 0}, ["encoder, refined", "frame 10, refined"]),
    "large ensemble": (
        {},
        {"ensemble_size": 10},
        ["encoder, refined", "frame 10, refined", "frame 10 x10, refined"],
    ),
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_captions_say_what_is_shown(here, tiny_weights, monkeypatch, variant):
    network, tracking, second_row = variant
    settings, _ = load_network(tiny_weights)
    changed = settings.replace(network=settings.network.replace(**network))
    save_weights(here / "changed.safetensors", build_network(changed.network).state_dict(), changed)
    tracker = load_watched_tracker(here / "changed.safetensors", **tracking)
    world = [frame.image for frame in SyntheticWorld(SyntheticWorldSettings(frames=2, width=96, height=64))]
    tracker.start(world[0], (20, 20, 20, 20))
    drawn = []

    def draw(rows, *, columns):
        drawn.append([[panel.caption for panel in row] for row in rows])
        return draw_panels(rows, columns=columns)

    monkeypatch.setattr(attention_sheet, "draw_panels", draw)
    tracker.update(world[1]).draw(first_frame=10)
    first, second, *third = drawn[0]
    assert first[0].startswith("frame 11, predicted overlap 0.")
    assert first[1:3] == ["corners", "attention to the target, frame 10"]
    said = [caption.partition(":")[0] for caption in second]
    assert said[: len(second_row)] == second_row
    assert bool(third) == any(caption.endswith("refined") for caption in said)
    for row in third:
        unrefined = [caption.partition(":")[0] for caption in row]
        assert unrefined == [caption.replace("refined", "unrefined") for caption in said]


def test_started_again(tiny_weights):
    tracker = load_watched_tracker(tiny_weights)
    world = [frame.image for frame in SyntheticWorld(SyntheticWorldSettings(frames=3, width=96, height=64))]
    for _ in range(2):
        tracker.start(world[0], (20, 20, 20, 20))
        assert tracker.update(world[1]).observation.references[1].frame_number == 0
        assert tracker.update(world[2]).result.frame_index == 2
    with pytest.raises(BoxError):
        tracker.start(world[0], (200, 20, 20, 20))
    view = tracker.update(world[1])
    assert view.result.frame_index == 3, "the old target stays"
    numbers = [reference.frame_number for reference in view.observation.references]
    assert numbers[1:] == sorted(numbers[1:])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"presence": "on"}, "looks in several"),
        ({"presence": True}, "looks in several"),
        ({"color": "bgr"}, "takes no color"),
        ({"nothing": 1}, "nothing"),
    ],
)
def test_settings_that_cannot_be(tiny_weights, film, changes, words):
    with pytest.raises(SettingsError, match=words):
        next(watch_attention(film, (20, 20, 20, 20), model=tiny_weights, **changes))
