"""From a batch of samples to its loss: the module that data-parallel training wraps."""

import torch
from torch import Tensor, nn

from aiatrack.boxes import xywh_to_xyxy, xyxy_to_xywh
from aiatrack.config.training import LossSettings
from aiatrack.data.batch import SampleBatch
from aiatrack.model import AiATrack, Memory, Reference
from aiatrack.training.losses import LossReport, weighted_losses


class TrackingObjective(nn.Module):
    """The network with its loss. One forward pass encodes all crops of a batch together.

    Args:
        network: to train.
        weights: of the losses.
        clip_to_crop: whether the boxes that are searched for end where their crop does, as the sampler's do.
    """

    def __init__(
        self, network: AiATrack, weights: LossSettings | None = None, *, clip_to_crop: bool = True
    ) -> None:
        super().__init__()
        self.network = network
        self.weights = weights or LossSettings()
        self.clip_to_crop = clip_to_crop

    def forward(self, batch: SampleBatch) -> LossReport:
        """Predict the search boxes of a batch and weigh what is wrong with them."""
        search, *references = self._encode(batch)
        if self.weights.both_ways:
            search, references, batch = _both_ways(search, references, batch, clip_to_crop=self.clip_to_crop)
        long_term, *short_term = (
            self.network.remember(memory, boxes)
            for memory, boxes in zip(references, batch.reference_boxes_xywh.unbind(1), strict=True)
        )
        return self._judge(search, long_term, short_term, batch)

    def _encode(self, batch: SampleBatch) -> list[Memory]:
        """Memories of the search regions and of each reference, from one pass of the encoder."""
        crops = torch.cat([batch.search_crops, batch.reference_crops.transpose(0, 1).flatten(0, 1)])
        padding = torch.cat([batch.search_padding, batch.reference_padding.transpose(0, 1).flatten(0, 1)])
        memory = self.network.encode(crops, padding)
        return _split(memory, batch.search_crops.shape[0])

    def _judge(
        self, search: Memory, long_term: Reference, short_term: list[Reference], batch: SampleBatch
    ) -> LossReport:
        # With a single reference, it stands for the short-term ones as well, as on the first tracked frame.
        recent = [reference.short_term for reference in short_term or [long_term]]
        decoded = self.network.decode(search, long_term.long_term, recent)
        return weighted_losses(
            self.network.corner_head(decoded).boxes_xyxy,
            self.network.iou_head(decoded, batch.proposals_xywh),
            true_xywh=batch.search_boxes_xywh,
            proposal_iou=batch.proposal_iou,
            weights=self.weights,
        )


def _both_ways(
    search: Memory, references: list[Memory], batch: SampleBatch, *, clip_to_crop: bool = True
) -> tuple[Memory, list[Memory], SampleBatch]:
    """Teach every sample twice: its search region and its short-term reference also change places.

    Both are jittered crops of the same target, so the second lesson costs no pass of the encoder. Its box
    is clipped to its crop, if wanted, as the sampler clips that of a search region. The proposals, drawn
    around the one box, are then scaled and moved to the other, which leaves their overlap as it was.
    """
    long_term, *between, short_term = references
    search_box, short_box = batch.search_boxes_xywh, batch.reference_boxes_xywh[:, -1]
    corners = xywh_to_xyxy(short_box)
    cut = ((corners < 0) | (corners > 1)).any(dim=-1, keepdim=True) & clip_to_crop
    taught = xyxy_to_xywh(torch.where(cut, _clip_to_crop(corners, batch.search_crops.shape[-2]), corners))
    # A box that is not cut keeps its very numbers: turning it into corners and back has rounded them.
    followed = torch.where(cut, taught, short_box)
    scale = (followed[:, 2:] / search_box[:, 2:])[:, None]
    moved = followed[:, None, :2] + (batch.proposals_xywh[..., :2] - search_box[:, None, :2]) * scale
    proposals = torch.cat((moved, batch.proposals_xywh[..., 2:] * scale), dim=-1)
    other_references = batch.reference_boxes_xywh.clone()
    other_references[:, -1] = search_box
    doubled = batch._replace(
        reference_boxes_xywh=torch.cat((batch.reference_boxes_xywh, other_references)),
        search_boxes_xywh=torch.cat((search_box, taught)),
        proposals_xywh=torch.cat((batch.proposals_xywh, proposals)),
        proposal_iou=batch.proposal_iou.repeat(2, 1),
    )
    kept = [_join(memory, memory) for memory in (long_term, *between)]
    return _join(search, short_term), [*kept, _join(short_term, search)], doubled


def _clip_to_crop(boxes_xyxy: Tensor, crop_size: int) -> Tensor:
    """Cut `(B, 4)` boxes at the border of their crop; what lies outside keeps a pixel at the border."""
    pixel = 1 / crop_size
    top_left = boxes_xyxy[:, :2].clamp(0, 1 - pixel)
    return torch.cat((top_left, torch.maximum(boxes_xyxy[:, 2:].clamp(max=1), top_left + pixel)), dim=-1)


def _join(first: Memory, second: Memory) -> Memory:
    return Memory(*(torch.cat(pair) for pair in zip(first, second, strict=True)))


def _split(memory: Memory, batch_size: int) -> list[Memory]:
    """Cut the batch axis of every tensor of a memory into pieces of `batch_size`."""
    return [
        Memory(*parts) for parts in zip(*(torch.split(tensor, batch_size) for tensor in memory), strict=True)
    ]
