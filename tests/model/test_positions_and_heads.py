"""Sine positions, target regions and corner expectations worked by hand."""

import math

import numpy as np
import pytest
import torch

from aiatrack.model import target_region
from aiatrack.model.heads import CornerHead, IoUHead, tokens_to_map
from aiatrack.model.positions import cell_padding, sine_positions


def wave(coordinate, half):
    """Sine and cosine interleaved, by the formula."""
    values = []
    for i in range(half):
        angle = coordinate / 10000 ** (2 * (i // 2) / half)
        values.append(math.sin(angle) if i % 2 == 0 else math.cos(angle))
    return values


def test_positions_without_padding():
    ours = sine_positions(torch.zeros(1, 2, 4, dtype=torch.bool), 8)
    assert ours.shape == (1, 8, 8)
    for row in range(2):
        for column in range(4):
            y, x = (row + 1) / (2 + 1e-6) * 2 * math.pi, (column + 1) / (4 + 1e-6) * 2 * math.pi
            np.testing.assert_allclose(ours[0, row * 4 + column], wave(y, 4) + wave(x, 4), atol=1e-5)


def test_positions_count_the_unpadded_cells_only():
    # Top row and left column are padding, as where a crop leaves the frame at the top left.
    padding = torch.tensor([[[1, 1, 1], [1, 0, 0], [1, 0, 0]]], dtype=torch.bool)
    full = 2 * math.pi / (2 + 1e-6)
    counts_y = [[0, 0, 0], [0, 1, 1], [0, 2, 2]]
    counts_x = [[0, 0, 0], [0, 1, 2], [0, 1, 2]]
    ours = sine_positions(padding, 4)[0].view(3, 3, 4)
    for row in range(3):
        for column in range(3):
            expected = wave(counts_y[row][column] * full, 2) + wave(counts_x[row][column] * full, 2)
            np.testing.assert_allclose(ours[row, column], expected, atol=1e-5, err_msg=f"{row}, {column}")


def test_positions_of_a_crop_that_is_all_padding_are_finite():
    ours = sine_positions(torch.ones(1, 3, 3, dtype=torch.bool), 8)
    np.testing.assert_array_equal(ours[0], np.tile([0.0, 1.0], (9, 4)))


def test_cells_take_the_padding_of_their_first_pixel():
    padding = torch.zeros(1, 64, 64, dtype=torch.bool)
    padding[:, :33], padding[:, :, 49:] = (
        True,
        True,
    )  # 33 rows reach the third row of cells, 49 leaves all columns
    expected = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=torch.bool)
    assert torch.equal(cell_padding(padding, 4)[0], expected)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((0.2, 0.4, 0.5, 0.3), range(4, 7), range(2, 7)),
        ((0.25, 0.35, 0.25, 0.25), range(4, 6), range(2, 4)),  # 2.5 -> 2, 3.5 -> 4: half to even
        ((0.0, 0.0, 1.0, 1.0), range(10), range(10)),
        ((-0.3, -0.2, 0.5, 0.5), range(3), range(2)),  # clipped at the top left
        ((0.8, 0.9, 0.9, 0.9), range(9, 10), range(8, 10)),  # and at the bottom right
        ((0.2, 0.2, 0.04, 0.5), range(2, 7), range(0)),  # a width of 0.4 rounds to nothing
        ((1.5, 0.2, 0.3, 0.3), range(2, 5), range(0)),  # outside
        ((0.2, 0.2, -0.3, 0.3), range(2, 5), range(0)),
    ],
)
def test_target_region_by_hand(box, rows, columns):
    expected = torch.zeros(10, 10, dtype=torch.bool)
    for row in rows:
        for column in columns:
            expected[row, column] = True
    assert torch.equal(target_region(torch.tensor([box]), 10), expected.flatten()[None])


def test_target_regions_of_a_batch():
    boxes = torch.tensor([[0.2, 0.4, 0.5, 0.3], [0.0, 0.0, 1.0, 1.0]])
    regions = target_region(boxes, 10)
    assert regions.dtype == torch.bool and regions.sum(1).tolist() == [15, 100]


def test_tokens_are_rows_of_the_map_one_after_the_other():
    tokens = torch.arange(2 * 9 * 3).view(2, 9, 3)
    maps = tokens_to_map(tokens, 3)
    assert maps.shape == (2, 3, 3, 3)
    assert maps[1, 2, 0, 1] == tokens[1, 1, 2] and maps[0, 1, 2, 0] == tokens[0, 6, 1]


def _expected_corner(scores):
    head = CornerHead(8, 8, grid_size=4)
    return head._expectation(torch.tensor(scores)[None])[0].tolist()


def test_corner_expectation_by_hand():
    flat = [[0.0] * 4 for _ in range(4)]
    # Uniform: the mean of 0, 1/4, 2/4, 3/4.
    assert _expected_corner(flat) == pytest.approx([0.375, 0.375])
    sure = [row.copy() for row in flat]
    sure[1][3] = 100.0  # row 1, column 3
    assert _expected_corner(sure) == pytest.approx([0.75, 0.25])
    torn = [[-100.0] * 4 for _ in range(4)]
    torn[0][0], torn[2][3] = 0.0, math.log(3)  # one to three
    assert _expected_corner(torn) == pytest.approx([0.75 * 0.75, 0.75 * 0.5])


def test_corners_come_out_as_left_top_right_bottom():
    head = CornerHead(8, 8, grid_size=4).eval()
    with torch.inference_mode():
        corners = head(torch.randn(3, 16, 8))
        top_left, bottom_right = (
            head._expectation(scores) for scores in (corners.top_left_scores, corners.bottom_right_scores)
        )
    assert corners.boxes_xyxy.shape == (3, 4) and corners.top_left_scores.shape == (3, 4, 4)
    torch.testing.assert_close(corners.boxes_xyxy, torch.cat((top_left, bottom_right), dim=1))


def test_each_box_is_scored_on_its_own():
    head = IoUHead(8, 8, grid_size=4).eval()
    tokens, boxes = torch.randn(2, 16, 8), torch.rand(2, 5, 4)
    with torch.inference_mode():
        together = head(tokens, boxes)
        alone = torch.cat([head(tokens, boxes[:, i : i + 1]) for i in range(5)], dim=1)
    assert together.shape == (2, 5)
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
