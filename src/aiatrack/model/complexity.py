"""How large a network is and how much arithmetic a frame takes."""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from aiatrack.model.network import AiATrack


@dataclass(frozen=True, slots=True)
class Complexity:
    """Size and arithmetic of a network.

    Attributes:
        parameters: numbers learnt; the norms' fixed statistics are not counted.
        encode_macs: multiply-accumulates to encode one crop.
        remember_macs: to turn an encoded crop into a reference.
        locate_macs: to find the target against the long-term reference and a full ensemble of distinct ones.
    """

    parameters: int
    encode_macs: int
    remember_macs: int
    locate_macs: int

    @property
    def frame_macs(self) -> int:
        """Of one tracked frame that is not remembered, with a full ensemble."""
        return self.encode_macs + self.locate_macs


@torch.inference_mode()
def measure_complexity(network: AiATrack, ensemble_size: int) -> Complexity:
    """Count parameters and run each verb once on an empty crop; the network lies on the CPU.

    Args:
        network: in training or evaluation mode, folded or not; left as it was.
        ensemble_size: distinct short-term references that `locate` is given.
    """
    was_training = network.training
    network.eval()  # A batch of one has no statistics for the heads' batch norms, nor should it leave any.
    size = network.settings.crop_size
    crops = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    boxes = torch.tensor([[0.4, 0.4, 0.2, 0.2]])
    with FlopCounterMode(display=False) as encoding:
        memory = network.encode(crops, torch.zeros(1, size, size, dtype=torch.bool))
    with FlopCounterMode(display=False) as remembering:
        reference = network.remember(memory, boxes)
    with FlopCounterMode(display=False) as locating:
        network.locate(memory, reference.long_term, [reference.short_term] * ensemble_size)
    network.train(was_training)
    # A multiply-accumulate is two floating point operations.
    macs = (counter.get_total_flops() // 2 for counter in (encoding, remembering, locating))
    return Complexity(sum(p.numel() for p in network.parameters()), *macs)
