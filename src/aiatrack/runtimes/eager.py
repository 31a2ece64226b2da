"""The network in eager PyTorch, behind the three verbs of tracking."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from aiatrack.model import AiATrack, Memory, ProjectedReferences, Reference
from aiatrack.tracking import LocatedTargets


class EagerNetwork:
    """Runs an `AiATrack` module on a device; NumPy goes in and comes out, handles stay on the device.

    The module is taken over: switched to evaluation, folded, moved.

    Args:
        network: with its weights loaded.
        device: where to run it.
    """

    def __init__(self, network: AiATrack, device: torch.device) -> None:
        network.eval().requires_grad_(False)
        network.fold()
        self._network = network.to(device)
        self._device = device

    @property
    def crop_size(self) -> int:
        """Side of the crops, px."""
        return self._network.settings.crop_size

    @torch.inference_mode()
    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> Memory:
        """Encode `(B, S, S, 3)` RGB crops with their `(B, S, S)` padding."""
        return self._network.encode(self._upload(crops), self._upload(padding))

    @torch.inference_mode()
    def remember(self, memory: Memory, boxes_xywh: npt.NDArray[np.float32]) -> Reference:
        """Turn a memory into a reference, given `(B, 4)` boxes normalised to the crop."""
        return self._network.remember(memory, self._upload(boxes_xywh))

    @torch.inference_mode()
    def locate(
        self,
        search: Memory,
        long_term: ProjectedReferences,
        short_term: Sequence[ProjectedReferences],
        multiplicity: npt.NDArray[np.float32],
    ) -> LocatedTargets:
        """Find the targets, given references and the `(B, R)` counts of the short-term ones."""
        location = self._network.locate(search, long_term, short_term, self._upload(multiplicity))
        # One transfer: on a GPU every copy back is a synchronisation.
        packed = torch.cat((location.boxes_xywh, location.scores[:, None]), dim=1).float().cpu().numpy()
        return LocatedTargets(packed[:, :4], packed[:, 4])

    def _upload(self, array: npt.NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device, non_blocking=True)
