"""Boxes on frames: which pixels change, and what is refused."""

import numpy as np
import pytest

from aiatrack.errors import BoxError, FrameError, SettingsError
from aiatrack.visualization import colour_of, draw_box, draw_result, line_width

RED = (255, 0, 0)


def blank(height: int = 100, width: int = 120) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_the_stroke_lies_on_the_edge_and_nowhere_else() -> None:
    frame = draw_box(blank(), (30, 20, 40, 50), color=RED, thickness=2)
    drawn = frame.any(axis=2)
    assert drawn[20:70, 30].all()
    assert drawn[20:70, 69].all()
    assert drawn[20, 30:70].all()
    assert drawn[69, 30:70].all()
    assert not drawn[24:66, 34:66].any()
    drawn[16:74, 26:74] = False
    assert not drawn.any()
    assert (frame[..., 1:] == 0).all()
    assert (frame[40, 30] == RED).all()


def test_drawing_is_in_place() -> None:
    frame = blank()
    assert draw_box(frame, (30, 20, 40, 50)) is frame
    assert frame.any()


def test_fractions_of_a_pixel_count() -> None:
    at_whole, at_half = (draw_box(blank(), (x, 20, 40, 50), thickness=1) for x in (30.0, 30.4))
    assert (at_whole != at_half).any()


@pytest.mark.parametrize(
    "box", [(-20, -10, 60, 60), (100, 80, 1e9, 1e9), (-1e9, 30, 2e9, 20), (30, 20, 0, 0)]
)
def test_a_box_partly_outside_draws_what_is_inside(box: tuple[float, ...]) -> None:
    assert draw_box(blank(), box, label="outside").any()


@pytest.mark.parametrize(
    "box",
    [
        (-50, 0, 30, 30),
        (130, 10, 20, 20),
        (10, 1e12, 5, 5),
        (np.nan, 0, 10, 10),
        (np.inf, 0, 10, 10),
        (np.nan,) * 4,
    ],
)
def test_a_box_outside_or_absent_leaves_the_frame(box: tuple[float, ...]) -> None:
    assert not draw_box(blank(), box, label="nothing").any()


def test_dashes_leave_gaps_but_not_in_the_corners() -> None:
    solid, dashed = (
        draw_box(blank(), (20, 20, 60, 60), thickness=2, style=style) for style in ("solid", "dashed")
    )
    assert 0.35 < dashed.any(axis=2).sum() / solid.any(axis=2).sum() < 0.9
    assert dashed[20, 20].any()
    assert dashed[79, 79].any()
    assert not (dashed.any(axis=2) & ~solid.any(axis=2))[30:70, 30:70].any()


def test_strokes_grow_with_the_frame() -> None:
    widths = [line_width(blank(h, w)) for h, w in ((48, 64), (480, 640), (1080, 1920), (2160, 3840))]
    assert widths == sorted(widths)
    assert widths[0] == 1
    assert widths[1] == 2
    assert widths[3] >= 2 * widths[1]


@pytest.mark.parametrize("box", [(40, 60, 30, 30), (2, 1, 90, 90), (110, 90, 40, 40), (-30, -30, 200, 200)])
def test_labels_stay_on_the_frame(box: tuple[float, ...]) -> None:
    plain, labelled = draw_box(blank(), box), draw_box(blank(), box, label="cat 0.93")
    changed = (plain != labelled).any(axis=2)
    # The plate and the ink on it: more pixels than the stroke has, and two colours.
    assert changed.sum() > 150
    assert len(np.unique(labelled.reshape(-1, 3), axis=0)) > 2


def test_a_label_longer_than_the_frame_is_cut() -> None:
    assert draw_box(blank(40, 40), (5, 20, 10, 10), label="a very long name " * 9).shape == (40, 40, 3)


def test_other_letters_become_question_marks() -> None:
    boxes = [draw_box(blank(), (10, 50, 40, 40), label=text) for text in ("\u732b", "?")]
    np.testing.assert_array_equal(*boxes)


def test_views_are_drawn_on_too() -> None:
    whole = np.zeros((100, 120, 6), np.uint8)
    draw_box(whole[..., ::2], (30, 20, 40, 50), color=RED, thickness=2)
    assert whole[40, 30, 0] == 255
    flipped = np.zeros((100, 120, 3), np.uint8)
    draw_box(flipped[:, ::-1], (0, 0, 20, 20), color=RED, thickness=2)
    assert flipped[10, 100, 0] == 255


def test_results_are_dashed_when_unsure() -> None:
    sure, unsure = (draw_result(blank(), (20, 40, 60, 50), s, min_score=0.5) for s in (0.9, 0.1))
    assert unsure[80:].any(axis=2).sum() < sure[80:].any(axis=2).sum()
    unscored = draw_result(blank(), (20, 40, 60, 50), np.nan)
    np.testing.assert_array_equal(unscored, draw_box(blank(), (20, 40, 60, 50)))
    assert not draw_result(blank(), (np.nan,) * 4, 0.1).any()


def test_each_state_looks_different() -> None:
    box = (20, 40, 60, 50)
    drawn = {
        state: draw_result(blank(), box, np.nan, color=RED, state=state)
        for state in ("tracked", "uncertain", "lost", "recovered")
    }
    # Below the labels: how much is drawn, and in which colour.
    inked = {state: picture[70:].any(axis=2).sum() for state, picture in drawn.items()}
    assert inked["lost"] < inked["tracked"]
    assert inked["uncertain"] < inked["tracked"] < inked["recovered"]
    assert len(np.unique(drawn["lost"][89, 20])) == 1
    assert not drawn["tracked"][..., 1:].any()


def test_a_lost_target_says_so_in_place_of_its_score() -> None:
    lost, again = (draw_result(blank(), (20, 40, 60, 50), score, state="lost") for score in (0.1, 0.9))
    np.testing.assert_array_equal(lost, again)
    grey = draw_box(blank(), (20, 40, 60, 50), label="lost", color=(190,) * 3, thickness=1, style="dotted")
    np.testing.assert_array_equal(lost, grey)


def test_labels_are_as_large_on_thin_strokes_as_on_thick() -> None:
    frames = [draw_box(blank(400, 400), (200, 200, 9, 9), label="cat", thickness=t) for t in (1, 2, 4)]
    sizes = [frame[:195].any(axis=2).sum() for frame in frames]
    assert max(sizes) - min(sizes) < 0.2 * max(sizes)


def test_colours_tell_neighbours_apart() -> None:
    colours = np.array([colour_of(number) for number in range(100)], dtype=int)
    assert colours.min() >= 0
    assert colours.max() <= 255
    assert len(np.unique(colours, axis=0)) == 100
    assert np.abs(np.diff(colours, axis=0)).max(axis=1).min() > 60


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((10, 10, 3), np.float32),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        [[0]],
        None,
    ],
)
def test_wrong_frames_are_refused(frame: object) -> None:
    with pytest.raises(FrameError):
        draw_box(frame, (1, 1, 2, 2))  # type: ignore[arg-type]


def test_a_read_only_frame_is_refused() -> None:
    frame = blank()
    frame.flags.writeable = False
    with pytest.raises(FrameError, match="read-only"):
        draw_box(frame, (1, 1, 2, 2))


@pytest.mark.parametrize("box", [(1, 2, 3), "abcd", np.zeros((2, 4)), (1, 2, 3, "x")])
def test_wrong_boxes_are_refused(box: object) -> None:
    with pytest.raises(BoxError, match="four numbers"):
        draw_box(blank(), box)  # type: ignore[arg-type]


def test_wrong_styles_are_refused() -> None:
    with pytest.raises(SettingsError, match="wavy"):
        draw_box(blank(), (1, 1, 2, 2), style="wavy")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="asleep"):
        draw_result(blank(), (1, 1, 2, 2), 0.5, state="asleep")
    for thickness in (0, 2.5, 40_000, np.nan, np.inf):
        with pytest.raises(SettingsError, match="1 px"):
            draw_box(blank(), (1, 1, 2, 2), thickness=thickness)  # type: ignore[arg-type]


def test_whole_thickness_of_any_kind_of_number() -> None:
    expected = draw_box(blank(), (30, 20, 40, 50), thickness=2, style="dashed")
    for thickness in (2.0, np.float32(2), np.int64(2)):
        frame = draw_box(blank(), (30, 20, 40, 50), thickness=thickness, style="dashed")  # type: ignore[arg-type]
        assert (frame == expected).all()
