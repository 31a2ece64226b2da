"""From samples to loss: which crop plays which part."""

import pytest
import torch
from training_samples import build_sample_batch

from aiatrack.boxes import box_iou, xywh_to_xyxy, xyxy_to_xywh
from aiatrack.config.training import LossSettings
from aiatrack.model import Memory, build_network
from aiatrack.training import TrackingObjective, build_initial_network
from aiatrack.training.objective import _both_ways
from aiatrack.training.trainee import Trainee


@pytest.fixture
def objective(settings):
    torch.manual_seed(0)
    return TrackingObjective(build_network(settings.model_settings().network)).eval()


@pytest.fixture
def batch():
    return build_sample_batch(0, batch_size=3, crop_size=64)


def test_shapes(objective, batch):
    report = objective(batch)
    assert report.boxes_xyxy.shape == (3, 4) and not report.boxes_xyxy.requires_grad
    assert all(tensor.shape == () for tensor in report[:5])


def test_the_forward_pass_is_locate_on_encoded_crops(objective, batch):
    network = objective.network
    with torch.no_grad():
        report = objective(batch)
        long_term, short_term = (
            network.remember(
                network.encode(batch.reference_crops[:, r], batch.reference_padding[:, r]),
                batch.reference_boxes_xywh[:, r],
            )
            for r in range(2)
        )
        search = network.encode(batch.search_crops, batch.search_padding)
        located = network.locate(search, long_term.long_term, [short_term.short_term])
    top_left, size = located.boxes_xywh[:, :2], located.boxes_xywh[:, 2:]
    torch.testing.assert_close(
        report.boxes_xyxy, torch.cat((top_left, top_left + size), 1), atol=1e-5, rtol=0
    )


def test_samples_do_not_mix(objective, batch):
    with torch.no_grad():
        together = objective(batch).boxes_xyxy
        alone = [objective(type(batch)(*(t[i : i + 1] for t in batch))).boxes_xyxy for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


@pytest.mark.parametrize("references", [1, 3])
def test_any_number_of_references(objective, references):
    report = objective(build_sample_batch(0, batch_size=2, crop_size=64, references=references))
    assert torch.isfinite(report.total)


def test_every_trained_parameter_gets_a_gradient(objective, batch):
    objective.train()(batch).total.backward()
    assert [name for name, p in objective.named_parameters() if p.grad is None] == []


def test_bf16_is_close_to_float32(objective, batch):
    with torch.no_grad():
        exact = objective(batch)
        with torch.autocast("cpu", torch.bfloat16):
            rough = objective(batch)
    assert rough.total.dtype == torch.float32
    assert rough.total.item() == pytest.approx(exact.total.item(), rel=0.02)
    torch.testing.assert_close(rough.boxes_xyxy, exact.boxes_xyxy, atol=0.02, rtol=0)


def test_both_ways_is_the_mean_of_a_batch_and_its_mirror(objective, batch):
    mirror = batch._replace(
        reference_crops=torch.stack((batch.reference_crops[:, 0], batch.search_crops), 1),
        reference_padding=torch.stack((batch.reference_padding[:, 0], batch.search_padding), 1),
        reference_boxes_xywh=torch.stack((batch.reference_boxes_xywh[:, 0], batch.search_boxes_xywh), 1),
        search_crops=batch.reference_crops[:, 1],
        search_padding=batch.reference_padding[:, 1],
        search_boxes_xywh=batch.reference_boxes_xywh[:, 1],
    )
    with torch.no_grad():
        there, back = objective(batch), objective(mirror)
        objective.weights = LossSettings(both_ways=True)
        both = objective(batch)
    torch.testing.assert_close(
        both.boxes_xyxy, torch.cat((there.boxes_xyxy, back.boxes_xyxy)), atol=1e-5, rtol=0
    )
    assert both.giou.item() == pytest.approx((there.giou + back.giou).item() / 2, rel=1e-4)
    assert both.l1.item() == pytest.approx((there.l1 + back.l1).item() / 2, rel=1e-4)


def test_both_ways_moves_proposals_with_their_overlap(batch):
    memory = Memory(torch.zeros(3, 1, 1), torch.zeros(3, 1, 1))
    _, _, doubled = _both_ways(memory, [memory, memory], batch)
    boxes = xywh_to_xyxy(doubled.search_boxes_xywh[:, None])
    overlap = box_iou(xywh_to_xyxy(doubled.proposals_xywh), boxes)
    torch.testing.assert_close(overlap, doubled.proposal_iou, atol=1e-4, rtol=0)


OUTSIDE = torch.tensor(
    [
        [0.75, 0.25, 0.5, 0.5],
        [-0.25, -0.5, 2.0, 0.75],
        [1.5, 0.25, 0.25, 0.5],
    ]  # half out, three sides, wholly
)


def _double(batch, **options):
    memory = Memory(torch.zeros(3, 1, 1), torch.zeros(3, 1, 1))
    _, _, doubled = _both_ways(memory, [memory, memory], batch, **options)
    return doubled


def _with_short_term(batch, boxes_xywh):
    return batch._replace(reference_boxes_xywh=torch.stack((batch.reference_boxes_xywh[:, 0], boxes_xywh), 1))


@pytest.mark.parametrize("clip_to_crop", [True, False])
def test_both_ways_keeps_the_overlap_of_boxes_that_leave_the_crop(batch, clip_to_crop):
    doubled = _double(_with_short_term(batch, OUTSIDE), clip_to_crop=clip_to_crop)
    overlap = box_iou(xywh_to_xyxy(doubled.proposals_xywh), xywh_to_xyxy(doubled.search_boxes_xywh[:, None]))
    torch.testing.assert_close(overlap, doubled.proposal_iou, atol=1e-4, rtol=0)


def test_both_ways_clips_the_short_term_box_as_a_search_box(batch):
    outside = _with_short_term(batch, OUTSIDE)
    pixel = 1 / 64
    clipped = torch.tensor([[0.75, 0.25, 0.25, 0.5], [0.0, 0.0, 1.0, 0.25], [1 - pixel, 0.25, pixel, 0.5]])
    assert torch.equal(_double(outside).search_boxes_xywh[3:], clipped)
    assert torch.equal(_double(outside, clip_to_crop=False).search_boxes_xywh[3:], OUTSIDE)


def test_both_ways_changes_no_box_inside_the_crop(batch):
    torch.manual_seed(0)
    inside = torch.rand(3, 4) * 0.5  # of which turning to corners and back changes the last bits
    batch = _with_short_term(batch, inside)
    scale = (inside[:, 2:] / batch.search_boxes_xywh[:, 2:])[:, None]
    shift = (batch.proposals_xywh[..., :2] - batch.search_boxes_xywh[:, None, :2]) * scale
    moved = torch.cat((inside[:, None, :2] + shift, batch.proposals_xywh[..., 2:] * scale), -1)
    for clip_to_crop in (True, False):
        doubled = _double(batch, clip_to_crop=clip_to_crop)
        assert torch.equal(doubled.search_boxes_xywh[3:], xyxy_to_xywh(xywh_to_xyxy(inside)))
        assert torch.equal(doubled.proposals_xywh[3:], moved)


def test_the_data_settings_say_whether_boxes_are_clipped(change):
    for clip_to_crop in (True, False):
        settings = change(data={"clip_to_crop": clip_to_crop})
        assert Trainee(settings, build_initial_network(settings))._uncompiled.clip_to_crop == clip_to_crop
