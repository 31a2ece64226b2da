"""Contact sheets and heat maps."""

import numpy as np
import pytest

from aiatrack.errors import BoxError, FrameError, SettingsError
from aiatrack.visualization import colour_of, draw_heatmap, draw_samples


def grey(count: int = 5, height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((count, height, width, 3), 90, np.uint8)


WHOLE = np.array([0.25, 0.25, 0.5, 0.5])


@pytest.mark.parametrize(
    ("count", "columns", "rows_and_columns"),
    [(1, None, (1, 1)), (5, None, (2, 3)), (5, 2, (3, 2)), (3, 9, (1, 9))],
)
def test_the_sheet_has_room_for_all(
    count: int, columns: int | None, rows_and_columns: tuple[int, int]
) -> None:
    sheet = draw_samples(grey(count), [WHOLE] * count, columns=columns)
    rows, across = rows_and_columns
    assert sheet.shape == (rows * 62 - 2, across * 82 - 2, 3)
    assert sheet.dtype == np.uint8


def test_every_picture_lies_in_its_place_with_its_box() -> None:
    images = grey(2)
    images[1] = 200
    sheet = draw_samples(images, [WHOLE, [np.nan] * 4], columns=2)
    np.testing.assert_allclose(sheet[30, 20], colour_of(0), atol=60)
    assert (sheet[30, 40] == 90).all()
    assert (sheet[:, 82:] == 200).all()
    assert (images[0] == 90).all(), "the caller's pictures stay as they are"


def test_several_boxes_have_several_colours() -> None:
    boxes = [[[0.1, 0.5, 0.2, 0.3], [0.6, 0.5, 0.2, 0.3]]]
    sheet = draw_samples(grey(1), boxes, colors=[(255, 0, 0), (0, 0, 255)])
    assert sheet[36, 8].argmax() == 0
    assert sheet[36, 48].argmax() == 2


def test_labels_are_written() -> None:
    plain, labelled = (draw_samples(grey(1), [WHOLE], labels=labels) for labels in (None, ["0.93"]))
    assert (plain != labelled).any()


def test_wrong_sheets_are_refused() -> None:
    with pytest.raises(FrameError, match="at least one"):
        draw_samples([], [])
    with pytest.raises(FrameError, match="one size"):
        draw_samples([grey(1)[0], grey(1, 30)[0]], [WHOLE, WHOLE])
    with pytest.raises(FrameError, match="uint8"):
        draw_samples(grey(1).astype(np.float32), [WHOLE])
    with pytest.raises(BoxError, match="each of 5"):
        draw_samples(grey(5), [WHOLE])
    with pytest.raises(BoxError, match="shares"):
        draw_samples(grey(1), [[0.1, 0.2, 0.3]])
    with pytest.raises(SettingsError, match="label"):
        draw_samples(grey(1), [WHOLE], labels=[])
    with pytest.raises(SettingsError, match="column"):
        draw_samples(grey(1), [WHOLE], columns=0)


def test_the_map_is_hot_where_its_values_are_high() -> None:
    values = np.zeros((4, 4))
    values[1, 2] = 1
    frame = draw_heatmap(grey(1)[0], values, opacity=1.0)
    peak, far = frame[22, 50].astype(int), frame[55, 5].astype(int)
    assert peak[0] > peak[2]
    assert far[2] > far[0]


def test_opacity_blends() -> None:
    values = np.arange(12.0).reshape(3, 4)
    untouched, half, full = (draw_heatmap(grey(1)[0], values, opacity=opacity) for opacity in (0.0, 0.5, 1.0))
    assert (untouched == 90).all()
    np.testing.assert_allclose(half.astype(float), (full.astype(float) + 90) / 2, atol=0.51)


def test_the_map_covers_its_box_only() -> None:
    frame = draw_heatmap(grey(1)[0], np.eye(5), box_xywh=(60, -10, 100, 40), opacity=1.0)
    changed = (frame != 90).any(axis=2)
    assert changed[:30, 60:].all()
    assert not changed[30:].any()
    assert not changed[:, :60].any()
    assert (draw_heatmap(grey(1)[0], np.eye(5), box_xywh=(500, 0, 9, 9)) == 90).all()


def test_a_flat_map_and_a_given_range() -> None:
    flat = draw_heatmap(grey(1)[0], np.full((3, 3), 7.0), opacity=1.0)
    assert (flat == flat[0, 0]).all()
    cold = draw_heatmap(grey(1)[0], np.full((3, 3), 0.0), opacity=1.0, value_range=(0, 1))
    hot = draw_heatmap(grey(1)[0], np.full((3, 3), 1.0), opacity=1.0, value_range=(0, 1))
    assert hot[0, 0, 0] > cold[0, 0, 0]


def test_wrong_maps_are_refused() -> None:
    with pytest.raises(FrameError, match="finite"):
        draw_heatmap(grey(1)[0], np.full((3, 3), np.nan))
    with pytest.raises(FrameError, match="shape"):
        draw_heatmap(grey(1)[0], np.zeros((3, 3, 3)))
    with pytest.raises(SettingsError, match="opacity"):
        draw_heatmap(grey(1)[0], np.zeros((3, 3)), opacity=2)
    for value_range in ((0, np.nan), (-np.inf, 1)):
        with pytest.raises(SettingsError, match="value range"):
            draw_heatmap(grey(1)[0], np.eye(3), value_range=value_range)
    with pytest.raises(BoxError, match="finite"):
        draw_heatmap(grey(1)[0], np.zeros((3, 3)), box_xywh=(0, 0, np.nan, 4))
    with pytest.raises(BoxError, match="pixel"):
        draw_heatmap(grey(1)[0], np.zeros((3, 3)), box_xywh=(0, 0, 0, 4))
