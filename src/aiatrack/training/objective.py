"""From a batch of samples to its loss: the module that data-parallel training wraps."""

import torch
from torch import nn

from aiatrack.config.training import LossSettings
from aiatrack.data.batch import SampleBatch
from aiatrack.model import AiATrack, Memory, Reference
from aiatrack.training.losses import LossReport, weighted_losses


class TrackingObjective(nn.Module):
    """The network with its loss. One forward pass encodes all crops of a batch together."""

    def __init__(self, network: AiATrack, weights: LossSettings | None = None) -> None:
        super().__init__()
        self.network = network
        self.weights = weights or LossSettings()

    def forward(self, batch: SampleBatch) -> LossReport:
        """Predict the search boxes of a batch and weigh what is wrong with them."""
        search, *references = self._encode(batch)
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


def _split(memory: Memory, batch_size: int) -> list[Memory]:
    """Cut the batch axis of every tensor of a memory into pieces of `batch_size`."""
    return [
        Memory(*parts) for parts in zip(*(torch.split(tensor, batch_size) for tensor in memory), strict=True)
    ]
