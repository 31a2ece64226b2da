"""The three losses by hand, and against a recording of the published implementation."""

import numpy as np
import pytest
import torch

from aiatrack.config.training import FrozenPart, LossSettings
from aiatrack.data import SampleBatch
from aiatrack.model.published import rename_published
from aiatrack.training import TrackingObjective, giou_loss, iou_loss, l1_loss, weighted_losses
from aiatrack.training.optimization import freeze_parts

HALF = torch.tensor([[0.0, 0.0, 0.5, 1.0]])
WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
CORNER_A = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
CORNER_B = torch.tensor([[0.5, 0.5, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("predicted", "true", "giou", "l1"),
    [
        (WHOLE, WHOLE, 0.0, 0.0),
        (HALF, WHOLE, 0.5, 0.125),  # IoU 1/2, nothing enclosed in vain; one of four coordinates off by 1/2
        (CORNER_A, CORNER_B, 1.5, 0.5),  # IoU 0, half of the enclosing box covered by neither
    ],
)
def test_box_losses_by_hand(predicted, true, giou, l1):
    assert giou_loss(predicted, true).item() == pytest.approx(giou, abs=1e-6)
    assert l1_loss(predicted, true).item() == pytest.approx(l1, abs=1e-6)


def test_iou_loss_by_hand():
    # Targets are 2 IoU - 1: 1 and -1, so the errors are 0 and 1.
    assert iou_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])).item() == pytest.approx(0.5)


def test_the_total_is_weighted_and_the_rest_reported():
    report = weighted_losses(
        HALF,
        torch.tensor([[0.0]]),
        true_xywh=WHOLE,
        proposal_iou=torch.tensor([[1.0]]),
        weights=LossSettings(giou=2, l1=5, iou=2),
    )
    assert report.total.item() == pytest.approx(2 * 0.5 + 5 * 0.125 + 2 * 1.0)
    assert report.mean_iou.item() == pytest.approx(0.5)
    assert report.scalars().tolist() == pytest.approx([3.625, 0.5, 0.125, 1.0, 0.5])


def test_losses_are_float32_whatever_comes_in():
    half = {"true_xywh": WHOLE, "proposal_iou": torch.ones(1, 1), "weights": LossSettings()}
    report = weighted_losses(HALF.bfloat16(), torch.zeros(1, 1).bfloat16(), **half)
    assert {tensor.dtype for tensor in report} == {torch.float32}


@pytest.mark.parametrize("degenerate", [[0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1]])
def test_boxes_without_area_still_learn(degenerate):
    # GIoU alone is blind to an inverted box; L1 pulls it right.
    predicted = torch.tensor([degenerate], requires_grad=True)
    settings = {"proposal_iou": torch.ones(1, 1), "weights": LossSettings()}
    weighted_losses(predicted, torch.zeros(1, 1), true_xywh=CORNER_A, **settings).total.backward()
    assert torch.isfinite(predicted.grad).all() and (predicted.grad != 0).any()


def _boxes_of(regions: torch.Tensor, grid: int) -> torch.Tensor:
    """`(B, 4)` xywh normalised from `(B, grid^2)` rectangular regions."""
    boxes = []
    for region in regions.view(-1, grid, grid):
        rows, columns = region.nonzero(as_tuple=True)
        x, y = columns.min(), rows.min()
        boxes.append(torch.stack((x, y, columns.max() + 1 - x, rows.max() + 1 - y)) / grid)
    return torch.stack(boxes)


@pytest.fixture(scope="module")
def recorded_batch(parity):
    recorded = {
        name: torch.from_numpy(np.asarray(value))
        for name, value in parity.outputs.items()
        if value.dtype.kind != "U"
    }
    reference, search = recorded["stage_reference_images"], recorded["stage_search_images"]
    padding = recorded["stage_padding_masks"].bool()
    boxes = _boxes_of(recorded["stage_target_regions"], 20)
    return SampleBatch(
        reference_crops=torch.stack((reference, search), 1),
        reference_padding=torch.stack((padding, padding), 1),
        reference_boxes_xywh=torch.stack((boxes, boxes.flip(0)), 1),
        search_crops=search,
        search_padding=padding,
        search_boxes_xywh=recorded["loss_ground_truth_xywh"],
        proposals_xywh=recorded["stage_proposals_xywh"],
        proposal_iou=(recorded["loss_proposal_iou"] + 1) / 2,  # recorded as 2 IoU - 1
    )


@pytest.fixture(scope="module")
def recorded_training(parity, recorded_batch):
    """Our report and the gradients of a backward pass on the recorded batch."""
    network = parity.network()
    freeze_parts(network, FrozenPart.STEM)
    report = TrackingObjective(network).eval()(recorded_batch)
    report.total.backward()
    return report, {name: p.grad for name, p in network.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("name", ["total", "giou", "l1", "iou", "mean_iou"])
def test_losses_equal_the_published(parity, recorded_training, name):
    report, _ = recorded_training
    assert getattr(report, name).item() == pytest.approx(float(parity.outputs[f"loss_{name}"]), rel=1e-3)


def test_gradient_norms_equal_the_published(parity, recorded_training):
    _, gradients = recorded_training
    seen = set()
    names, norms = parity.outputs["loss_gradient_names"], parity.outputs["loss_gradient_norms"]
    # Where a shift cannot matter, as before a softmax, the true gradient is 0 and what is left is rounding.
    noise = 1e-6 * norms.max()
    for name, norm in zip(names.tolist(), norms.tolist(), strict=True):
        rows = 3 if "in_proj_" in name else 1
        ours = list(rename_published({name: torch.zeros(rows)}))
        seen.update(ours)
        ours_norm = torch.cat([gradients[part].flatten() for part in ours]).norm().item()
        assert ours_norm == pytest.approx(norm, rel=1e-3, abs=noise), name
    assert seen == set(gradients), "the published implementation trains other parameters"
