"""Crops cut by the GPU: one upload of the frame, and a few tensor operations for all its regions.

Legend: B regions, S crop side in px, H W of the frame.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aiatrack.crop import Color, CropWindow, Image, padding_masks
from aiatrack.model import ProjectedReferences
from aiatrack.runtimes.eager import EagerMemory, EagerNetwork, EagerReference
from aiatrack.tracking import LocatedTargets, ReferenceSet
from aiatrack.tracking.network import Arrays


class GpuCroppingNetwork:
    """A network on a GPU that cuts its regions there; see `aiatrack.tracking.network.CroppingNetwork`.

    Args:
        network: encodes the crops.
        device: where it runs.
    """

    def __init__(self, network: EagerNetwork, device: torch.device) -> None:
        self._network = network
        self._upload = FrameUpload(device)

    @property
    def crop_size(self) -> int:
        """Side of the crops, px."""
        return self._network.crop_size

    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> EagerMemory:
        """Encode `(B, S, S, 3)` RGB crops with their `(B, S, S)` padding."""
        return self._network.encode(crops, padding)

    @torch.inference_mode()
    def encode_regions(
        self, frames: Sequence[Image], windows: Sequence[CropWindow], color: Color
    ) -> EagerMemory:
        """Encode the same regions of each `(H, W, 3)` frame."""
        padding = padding_masks(frames[0].shape, windows, len(frames))
        with self._network.turn:  # a frame of another thread must not get into the upload
            cut = [cut_on_device(self._upload(frame), windows) for frame in frames]
            crops = cut[0] if len(cut) == 1 else torch.cat(cut)
            crops = crops.flip(-1) if color == "bgr" else crops
            return self._network.encode(crops, padding)

    def remember(
        self, memory: EagerMemory, rows: Sequence[int], boxes_xywh: npt.NDArray[np.float32]
    ) -> list[EagerReference]:
        """Turn some crops of a memory into references, given their boxes normalised to the crop."""
        return self._network.remember(memory, rows, boxes_xywh)

    def locate(self, search: EagerMemory, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """Find a target in each search region, given a set of references for each."""
        return self._network.locate(search, references)

    def to_arrays(self, handle: ProjectedReferences) -> Arrays:
        """Copy a reference to the host."""
        return self._network.to_arrays(handle)

    def from_arrays(self, arrays: Arrays) -> ProjectedReferences:
        """Bring a reference back onto the device."""
        return self._network.from_arrays(arrays)


class FrameUpload:
    """Copies frames to a device through two pinned buffers by turns.

    Page-locked memory is read by the GPU itself while the processor goes on; the second buffer can be filled
    while the first is still being read. One thread at a time may call it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._on_cuda = device.type == "cuda"
        self._buffers: list[Tensor] = []
        self._read: list[torch.cuda.Event] = []
        self._turn = 0

    def __call__(self, frame: Image) -> Tensor:
        """Copy an `(H, W, 3)` uint8 frame."""
        if not self._buffers or self._buffers[0].shape != frame.shape:
            self._allocate(frame.shape)
        self._turn = 1 - self._turn
        buffer = self._buffers[self._turn]
        if self._on_cuda:
            self._read[self._turn].synchronize()
        np.copyto(buffer.numpy(), frame)
        uploaded = buffer.to(self._device, non_blocking=True)
        if self._on_cuda:
            self._read[self._turn].record(torch.cuda.current_stream(self._device))
        return uploaded

    def _allocate(self, shape: tuple[int, ...]) -> None:
        self._buffers = [torch.empty(shape, dtype=torch.uint8, pin_memory=self._on_cuda) for _ in range(2)]
        self._read = [torch.cuda.Event() for _ in range(2)] if self._on_cuda else []  # type: ignore[no-untyped-call]


def cut_on_device(frame: Tensor, windows: Sequence[CropWindow]) -> Tensor:
    """Cut windows of one size out of a frame, equal to `aiatrack.crop.cut_regions` to one grey level.

    Args:
        frame: `(H, W, 3)` uint8.
        windows: B of them; may leave the frame.

    Returns:
        `(B, S, S, 3)` uint8, channels as in the frame.
    """
    height, width, _ = frame.shape
    size = windows[0].size
    top, left, side = np.array([(window.top, window.left, window.side) for window in windows]).T
    row_index, row_weight = _bilinear_taps(top, side, height, size)  # (B, S, 2)
    column_index, column_weight = _bilinear_taps(left, side, width, size)
    # What is small is computed on the CPU: as tensor operations, launching them would take longer.
    indices = torch.from_numpy(np.stack((row_index * width, column_index)))
    weights = torch.from_numpy(np.stack((row_weight, column_weight)))
    index = _combine(indices.to(frame.device, non_blocking=True), torch.add)  # (B, S, S, 4)
    weight = _combine(weights.to(frame.device, non_blocking=True), torch.mul)
    blended = (frame.view(-1, 3)[index] * weight[..., None]).sum(dim=-2)  # (B, S, S, 3)
    # With the fraction cut off, halves round up, as in OpenCV.
    return (blended + 0.5).to(torch.uint8)


def _combine(taps: Tensor, operation: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Of taps along both axes `(2, B, S, 2)`, all four of each crop pixel: `(B, S, S, 4)`."""
    rows, columns = taps
    return operation(rows[:, :, None, :, None], columns[:, None, :, None, :]).flatten(-2)


def _bilinear_taps(
    origin: npt.NDArray[np.int64], side: npt.NDArray[np.int64], frame_length: int, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Along one axis, frame index and weight of both taps of each crop pixel: `(B, S, 2)` each.

    What does not show the frame has no weight, its last pixel included; `aiatrack.crop` says why.
    """
    position = (np.arange(size) + 0.5) * (side[:, None] / size) - 0.5
    position = np.minimum(position.clip(min=0), side[:, None] - 1)  # a region ends by repeating its edge
    first = np.floor(position)
    fraction = position - first
    index = np.stack((first, first + 1), axis=-1).astype(np.int64) + origin[:, None, None]
    inside = (index >= 0) & (index < frame_length - 1)
    weights = np.stack((1 - fraction, fraction), axis=-1) * inside
    return index.clip(0, frame_length - 1), weights.astype(np.float32)
