"""Precise RoI pooling against numerical integration, and its gradients."""

import numpy as np
import pytest
import torch

from aiatrack.model import precise_roi_pool
from aiatrack.model.roi_pooling import pool_tokens

BINS = 4
BOXES = [
    (1.3, 2.1, 5.9, 6.4),  # inside
    (2.0, 2.0, 4.0, 4.0),  # on whole cells
    (-3.0, -1.5, 2.5, 3.0),  # partly outside
    (5.2, 4.8, 11.0, 9.0),
    (-9.0, -9.0, -5.0, -4.0),  # wholly outside
    (30.0, 2.0, 35.0, 5.0),
    (3.1, 3.2, 3.1004, 3.2004),  # tiny
    (-6.0, -7.0, 15.0, 16.0),  # larger than the map
    (-0.7, 6.6, 0.2, 7.9),  # where the interpolation fades to nothing
]


def interpolate(feature, y, x):
    """Bilinear value of `(H, W)` at every (y, x) of a grid; zero beyond the map."""
    padded = np.pad(feature, 1)
    y, x = np.clip(y + 1, 0, padded.shape[0] - 1.000001), np.clip(x + 1, 0, padded.shape[1] - 1.000001)
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    v, u = (y - row)[:, None], (x - column)[None, :]
    rows, next_rows = padded[row], padded[row + 1]
    return (
        (1 - v) * (1 - u) * rows[:, column]
        + (1 - v) * u * rows[:, column + 1]
        + v * (1 - u) * next_rows[:, column]
        + v * u * next_rows[:, column + 1]
    )


def integrate(feature, box, bins, samples=400):
    """Mean over each bin by the midpoint rule in float64."""
    x1, y1, x2, y2 = box
    steps = (np.arange(bins * samples) + 0.5) / (bins * samples)
    values = interpolate(feature, y1 + (y2 - y1) * steps, x1 + (x2 - x1) * steps)
    return values.reshape(bins, samples, bins, samples).mean(axis=(1, 3))


@pytest.mark.parametrize("box", BOXES)
def test_pooling_equals_numerical_integration(box):
    feature = np.random.default_rng(3).normal(size=(8, 9))
    ours = precise_roi_pool(
        torch.from_numpy(feature)[None, None], torch.tensor([[box]], dtype=torch.float64), BINS
    )
    np.testing.assert_allclose(ours[0, 0, 0].numpy(), integrate(feature, box, BINS), atol=1e-5, rtol=0)


def test_pooling_equals_numerical_integration_on_random_maps_and_boxes():
    rng = np.random.default_rng(4)
    for _ in range(10):
        height, width, bins = rng.integers(1, 8, 3)
        feature = rng.normal(size=(height, width))
        corner, sides = rng.uniform(-3, 6, 2), rng.uniform(0.01, 4, 2)
        box = (*corner, *(corner + sides))
        ours = precise_roi_pool(
            torch.from_numpy(feature)[None, None], torch.tensor([[box]], dtype=torch.float64), int(bins)
        )
        expected = integrate(feature, box, bins, samples=1600 // bins)
        np.testing.assert_allclose(ours[0, 0, 0].numpy(), expected, atol=1e-5, rtol=0, err_msg=str(box))


def test_pooling_in_float32():
    feature = np.random.default_rng(5).normal(size=(8, 9)).astype(np.float32)
    for box in BOXES[:-3]:
        ours = precise_roi_pool(torch.from_numpy(feature)[None, None], torch.tensor([[box]]), BINS)
        np.testing.assert_allclose(ours[0, 0, 0].numpy(), integrate(feature, box, BINS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("box", [(2.0, 2.0, 2.0, 5.0), (2.0, 2.0, 2.0, 2.0), (5.0, 5.0, 3.0, 7.0)])
def test_a_box_without_area_pools_to_zero_and_has_finite_gradients(box):
    features = torch.randn(1, 2, 6, 6, requires_grad=True)
    boxes = torch.tensor([[box]], requires_grad=True)
    pooled = precise_roi_pool(features, boxes, BINS)
    assert (pooled == 0).all()
    pooled.sum().backward()
    assert torch.isfinite(features.grad).all() and torch.isfinite(boxes.grad).all()


def test_a_constant_map_pools_to_its_constant():
    pooled = precise_roi_pool(torch.full((1, 1, 9, 9), 3.0), torch.tensor([[[1.2, 2.3, 6.7, 7.8]]]), BINS)
    torch.testing.assert_close(pooled, torch.full_like(pooled, 3.0))


def test_shape_and_pairing_of_batch_boxes_and_channels():
    features = torch.arange(2 * 3, dtype=torch.float32).view(2, 3, 1, 1).expand(2, 3, 5, 5)
    boxes = torch.tensor([1.0, 1.0, 3.0, 3.0]).expand(2, 7, 4)
    pooled = precise_roi_pool(features, boxes, 2)
    assert pooled.shape == (2, 7, 3, 2, 2)
    torch.testing.assert_close(pooled[:, :, :, 0, 0], features[:, None, :, 0, 0].expand(2, 7, 3))


def test_y_and_x_are_not_confused():
    rows = torch.arange(6.0)[:, None].expand(6, 6)[None, None]  # the value is y
    pooled = precise_roi_pool(rows, torch.tensor([[[1.0, 0.0, 3.0, 4.0]]]), 2)[0, 0, 0]
    torch.testing.assert_close(pooled, torch.tensor([[1.0, 1.0], [3.0, 3.0]]))


def test_gradients_in_map_and_box():
    torch.manual_seed(0)
    features = torch.randn(2, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    # Away from whole cells, where a second derivative jumps.
    boxes = torch.tensor(
        [[[0.3, 0.7, 3.6, 4.1], [-1.3, -0.6, 2.3, 1.7]], [[2.6, 1.3, 8.4, 7.7], [1.2, 1.3, 1.7, 1.9]]],
        dtype=torch.float64,
        requires_grad=True,
    )
    assert torch.autograd.gradcheck(lambda f, b: precise_roi_pool(f, b, 3), (features, boxes))


def test_pooling_of_tokens_is_the_same():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(3, 36, 5, generator=generator)
    corners = 8 * torch.rand(3, 2, generator=generator) - 1
    boxes = torch.cat((corners, corners + 4 * torch.rand(3, 2, generator=generator)), dim=1)
    boxes[2, 2] = boxes[2, 0]  # without area
    pooled = precise_roi_pool(tokens.transpose(1, 2).unflatten(2, (6, 6)), boxes[:, None], BINS)[:, 0]
    ours = pool_tokens(tokens, boxes, BINS, grid_size=6)
    torch.testing.assert_close(ours, pooled.flatten(2).transpose(1, 2), atol=1e-5, rtol=0)
    assert not ours[2].any() and ours[:2].any()
