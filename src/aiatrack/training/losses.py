"""The paper's loss: 2 GIoU + 5 L1 + 2 squared error of the IoU head (docs/method.md, training)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from aiatrack.boxes import box_iou, generalized_box_iou, xywh_to_xyxy
from aiatrack.config.training import LossSettings


class LossReport(NamedTuple):
    """What one batch cost. All but `boxes_xyxy` are scalars; only `total` is meant for `backward`."""

    total: Tensor
    giou: Tensor
    l1: Tensor
    iou: Tensor
    """Squared error of the IoU head on the proposals."""
    mean_iou: Tensor
    """Mean IoU of the predicted with the true boxes, in [0, 1]."""
    boxes_xyxy: Tensor
    """Predicted boxes, `(B, 4)` normalised to the crop, detached."""

    def scalars(self) -> Tensor:
        """`(5,)` the scalars in the order of `LossReport._fields`, detached."""
        return torch.stack(self[:5]).detach()


SCALAR_NAMES = LossReport._fields[:5]


def giou_loss(predicted_xyxy: Tensor, true_xyxy: Tensor) -> Tensor:
    """Mean of 1 - GIoU over `(B, 4)` boxes; scalar in [0, 2)."""
    overlap: Tensor = generalized_box_iou(predicted_xyxy, true_xyxy)
    return (1 - overlap).mean()


def l1_loss(predicted_xyxy: Tensor, true_xyxy: Tensor) -> Tensor:
    """Mean absolute difference of `(B, 4)` normalised corner coordinates."""
    return F.l1_loss(predicted_xyxy, true_xyxy)


def iou_loss(predicted_scores: Tensor, proposal_iou: Tensor) -> Tensor:
    """Mean squared error of the IoU head.

    Args:
        predicted_scores: `(B, P)` raw scores of the head.
        proposal_iou: `(B, P)` IoU of each proposal with the true box, in [0, 1]; the target is 2 IoU - 1.
    """
    return F.mse_loss(predicted_scores, 2 * proposal_iou - 1)


def weighted_losses(
    predicted_xyxy: Tensor,
    predicted_scores: Tensor,
    *,
    true_xywh: Tensor,
    proposal_iou: Tensor,
    weights: LossSettings,
) -> LossReport:
    """All losses of a batch, in float32 whatever the network computed in.

    Args:
        predicted_xyxy: `(B, 4)` boxes of the corner head, normalised to the crop.
        predicted_scores: `(B, P)` raw scores of the IoU head for the proposals.
        true_xywh: `(B, 4)` true boxes, normalised to the crop.
        proposal_iou: `(B, P)` IoU of each proposal with the true box, in [0, 1].
        weights: of the three losses in the total.
    """
    predicted, scores = predicted_xyxy.float(), predicted_scores.float()
    true = xywh_to_xyxy(true_xywh.float())
    giou, l1, iou = (
        giou_loss(predicted, true),
        l1_loss(predicted, true),
        iou_loss(scores, proposal_iou.float()),
    )
    total = weights.giou * giou + weights.l1 * l1 + weights.iou * iou
    boxes = predicted.detach()
    return LossReport(total, giou, l1, iou, box_iou(boxes, true).mean(), boxes)
