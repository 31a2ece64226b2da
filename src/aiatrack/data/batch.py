"""What a training step receives: one batch of references, search regions and boxes."""

from typing import NamedTuple

import torch
from torch import Tensor


class SampleBatch(NamedTuple):
    """B samples of R references and one search region each, S pixels wide and high; P IoU proposals.

    Boxes are left, top, width, height in shares of the crop, float32. Reference 0 is the long-term one.
    """

    reference_crops: Tensor
    """`(B, R, S, S, 3)` uint8 RGB."""
    reference_padding: Tensor
    """`(B, R, S, S)` bool, true outside of the image."""
    reference_boxes_xywh: Tensor
    """`(B, R, 4)`."""
    search_crops: Tensor
    """`(B, S, S, 3)` uint8 RGB."""
    search_padding: Tensor
    """`(B, S, S)` bool."""
    search_boxes_xywh: Tensor
    """`(B, 4)`."""
    proposals_xywh: Tensor
    """`(B, P, 4)`, boxes near the search region's."""
    proposal_iou: Tensor
    """`(B, P)` in [0, 1], overlap of each proposal with the search region's box."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "SampleBatch":
        """Return the batch on a device."""
        return SampleBatch(*(tensor.to(device, non_blocking=non_blocking) for tensor in self))
