"""Pictures side by side."""

import numpy as np
import pytest

from aiatrack.errors import FrameError
from aiatrack.visualization import Panel, draw_panels

GREY = np.full((32, 32, 3), 90, np.uint8)


def test_layout():
    sheet = draw_panels([[Panel(GREY, ""), Panel(GREY, "")], [Panel(GREY, "")]], side_px=64)
    assert sheet.shape == (2 * (64 + 26) + 4, 2 * 68 + 4, 3)
    assert sheet.dtype == np.uint8
    is_picture = (sheet == 90).all(axis=2)
    assert is_picture.sum() == 3 * 64 * 64
    assert is_picture[26 : 26 + 64, 4:68].all()
    assert not is_picture[90 + 26 :, 72:].any(), "the second row is shorter"


@pytest.mark.parametrize("side", [63, 64])
def test_sheets_can_be_frames_of_a_film(side):
    sheet = draw_panels([[Panel(GREY, "a")]], columns=3, side_px=side)
    assert sheet.shape[0] % 2 == sheet.shape[1] % 2 == 0
    assert sheet.shape[1] >= 3 * side


def test_captions_are_written_above():
    with_words, without = (draw_panels([[Panel(GREY, words)]]) for words in ("frame 3", ""))
    changed = (with_words != without).any(axis=2)
    assert changed[:26].any() and not changed[26:].any()


def test_heat_has_the_scale_that_is_given():
    heat = np.zeros((4, 4))
    heat[1, 1] = 0.5
    own, shared = (
        draw_panels([[Panel(GREY, "", heat, highest)]], side_px=64)[26 + 24, 4 + 24].astype(int)
        for highest in (None, 1.0)
    )
    assert own[0] > own[2], "red, being the highest"
    assert shared[1] > shared[0], "green, in the middle of the scale"


def test_box_and_mark_go_where_they_are():
    sheet = draw_panels([[Panel(GREY, "", box_xywh=(0.25, 0.25, 0.5, 0.5), mark_xy=(0.5, 0.5))]], side_px=64)
    picture = sheet[26 : 26 + 64, 4 : 4 + 64]
    drawn = (picture != 90).any(axis=2)
    assert drawn[16, 16:48].all() and drawn[16:48, 48].all()
    assert drawn[32, 32] and not drawn[22, 22] and not drawn[:12].any()
    assert (GREY == 90).all(), "pictures are not changed"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "at least one panel"),
        ([[]], "at least one panel"),
        ([[Panel(np.zeros((4, 4), np.uint8), "")]], r"shape \(H, W, 3\)"),
        ([[Panel(GREY, "", np.full((2, 2), np.nan))]], "finite"),
    ],
)
def test_bad_panels(rows, words):
    with pytest.raises(FrameError, match=words):
        draw_panels(rows)
