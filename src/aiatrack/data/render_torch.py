"""Draw plans with PyTorch, all crops of a batch together, from one buffer of pixels on the same device.

V views, S the crop's size, O overlays.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from aiatrack.data.appearance import noise_tile
from aiatrack.data.batch import SampleBatch
from aiatrack.data.compression import compress
from aiatrack.data.images import FlatImages
from aiatrack.data.stacked_plans import StackedPlans

_UPLOAD_PIXELS = 1 << 25


class TorchRenderer:
    """Holds all images of a corpus on a device and draws batches of plans there."""

    def __init__(
        self, images: FlatImages, *, crop_size: int, device: torch.device, views_at_once: int = 96
    ) -> None:
        """Upload the images, four bytes a pixel.

        Args:
            images: the corpus's images.
            crop_size: S, px.
            device: where to draw.
            views_at_once: crops drawn together; more are faster until memory runs out.
        """
        self.crop_size, self.device, self.views_at_once = crop_size, device, views_at_once
        self._pixels, start = _upload(images, device)
        self._start = start.to(device)
        self._size = torch.from_numpy(images.size).to(device)
        self._noise = torch.from_numpy(noise_tile()).to(device)
        column, row = torch.meshgrid(torch.arange(crop_size), torch.arange(crop_size), indexing="xy")
        self._column, self._row = column.flatten().float().to(device), row.flatten().float().to(device)

    @torch.no_grad()
    def render(self, plans: StackedPlans) -> SampleBatch:
        """Draw a batch.

        Args:
            plans: of B samples, on the CPU.

        Returns:
            the batch, on the renderer's device.
        """
        batch, size = len(plans.image) // 3, self.crop_size
        with torch.autocast(self.device.type, enabled=False):
            crops, padding = self._render_all(plans)
        crops, padding = crops.view(3, batch, size, size, 3), padding.view(3, batch, size, size)
        boxes = self._move(plans.boxes_xywh).view(3, batch, 4)
        return SampleBatch(
            reference_crops=crops[:2].transpose(0, 1),
            reference_padding=padding[:2].transpose(0, 1),
            reference_boxes_xywh=boxes[:2].transpose(0, 1),
            search_crops=crops[2],
            search_padding=padding[2],
            search_boxes_xywh=boxes[2],
            proposals_xywh=self._move(plans.proposals_xywh),
            proposal_iou=self._move(plans.proposal_iou),
        )

    def _render_all(self, plans: StackedPlans) -> tuple[Tensor, Tensor]:
        """Draw all views: `(V, S, S, 3)` uint8 and their padding, `(V, S, S)`."""
        views, size = len(plans.image), self.crop_size
        crops = torch.empty((views, size, size, 3), dtype=torch.uint8, device=self.device)
        padding = torch.empty((views, size, size), dtype=torch.bool, device=self.device)
        for samples, chosen in self._chunks(plans.samples):
            place = self._move(chosen)
            crops[place], padding[place] = self._render_views(plans, chosen, samples)
        return crops, padding

    def _move(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.device, non_blocking=True)

    def _chunks(self, samples: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Group views by how often each pixel is sampled, and cut the groups to what is drawn at once."""
        for count in torch.unique(samples).tolist():
            for chosen in torch.split(torch.nonzero(samples == count).flatten(), self.views_at_once):
                yield int(count), chosen

    def _render_views(self, plans: StackedPlans, chosen: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        inverse = self._move(plans.inverse[chosen])
        image = self._move(plans.image[chosen])
        pixels = self._sample(image, inverse, samples)[..., :3]
        self._lay_over(pixels, plans, chosen, samples)
        pixels = _recolour(pixels, self._move(plans.colour[chosen]))
        self._blur(pixels, plans, chosen)
        self._add_noise(pixels, plans, chosen)
        compressed = torch.nonzero(plans.quality[chosen]).flatten()
        if len(compressed):
            place = self._move(compressed)
            quality = self._move(plans.quality[chosen[compressed]])
            pixels[place] = compress(pixels[place].round(), quality)
        outside = self._padding(image, inverse)
        pixels.masked_fill_(outside[..., None], 0)
        return pixels.round_().to(torch.uint8), outside

    def _places(
        self, inverse: Tensor, shift: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where each pixel of each crop lies in its image: x, y, and the depth, `(V, S * S)` each."""
        column, row = self._column + shift[0], self._row + shift[1]
        # term by term: as a matrix product it could run in TF32, which is a third of a pixel off
        rows = inverse[:, :, 0, None] * column + inverse[:, :, 1, None] * row + inverse[:, :, 2, None]
        x, y, depth = rows.unbind(1)
        return x, y, depth

    def _sample(self, image: Tensor, inverse: Tensor, samples: int) -> Tensor:
        """Mean of `samples` x `samples` bilinear samples per pixel, `(V, S, S, 4)` float, grey levels."""
        shifts = [(step + 0.5) / samples - 0.5 for step in range(samples)]
        total = self._sample_once(image, inverse, (shifts[0], shifts[0]))
        for dy in shifts:
            for dx in shifts:
                if (dx, dy) != (shifts[0], shifts[0]):
                    total += self._sample_once(image, inverse, (dx, dy))
        return total.div_(samples**2).view(len(image), self.crop_size, self.crop_size, 4)

    def _sample_once(self, image: Tensor, inverse: Tensor, shift: tuple[float, float]) -> Tensor:
        x, y, depth = self._places(inverse, shift)
        depth = torch.where(depth > 1e-6, depth, torch.inf)
        behind = torch.isinf(depth)
        x, y = torch.where(behind, -9.0, x / depth), torch.where(behind, -9.0, y / depth)
        width, height = self._size[image].unsqueeze(-1).unbind(1)
        left, top = x.floor(), y.floor()
        right_share, low_share = x - left, y - top
        column, row = left.long(), top.long()
        start = self._start[image, None]
        total = torch.zeros((*x.shape, 4), device=x.device)
        for dy, row_share in ((0, 1 - low_share), (1, low_share)):
            for dx, column_share in ((0, 1 - right_share), (1, right_share)):
                i, j = row + dy, column + dx
                inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
                pixel = torch.where(inside, start + i * width + j, 0)
                values = self._pixels[pixel].unsqueeze(-1).view(torch.uint8)
                total.addcmul_(values, (row_share * column_share * inside).unsqueeze(-1))
        return total

    def _lay_over(self, pixels: Tensor, plans: StackedPlans, chosen: Tensor, samples: int) -> None:
        """Blend the overlays of the chosen views into `pixels`, from the lowest to the highest."""
        ours = torch.isin(plans.overlay_view, chosen)
        for rank in torch.unique(plans.overlay_rank[ours]).tolist():
            rows = torch.nonzero(ours & (plans.overlay_rank == rank)).flatten()
            place = self._move(torch.searchsorted(chosen, plans.overlay_view[rows]))
            image, inverse = self._move(plans.overlay_image[rows]), self._move(plans.overlay_inverse[rows])
            layer = self._sample(image, inverse, samples)
            colours = _recolour(layer[..., :3], self._move(plans.overlay_colour[rows]))
            pixels[place] = torch.lerp(pixels[place], colours, layer[..., 3:] / 255)

    def _blur(self, pixels: Tensor, plans: StackedPlans, chosen: Tensor) -> None:
        rows = torch.nonzero(torch.isin(plans.blurred_view, chosen)).flatten()
        if not len(rows):
            return
        place = self._move(torch.searchsorted(chosen, plans.blurred_view[rows]))
        kernels = self._move(plans.kernels[rows])
        count, side = kernels.shape[:2]
        planes = pixels[place].permute(0, 3, 1, 2).reshape(1, count * 3, *pixels.shape[1:3])
        planes = F.pad(planes, (side // 2,) * 4, mode="replicate")
        weights = kernels.repeat_interleave(3, dim=0).unsqueeze(1)
        blurred = F.conv2d(planes, weights, groups=count * 3)
        pixels[place] = blurred.view(count, 3, *pixels.shape[1:3]).permute(0, 2, 3, 1)

    def _add_noise(self, pixels: Tensor, plans: StackedPlans, chosen: Tensor) -> None:
        noisy = torch.nonzero(plans.noise_sigma[chosen]).flatten()
        if not len(noisy):
            return
        place, rows = self._move(noisy), chosen[noisy]
        offset = self._move(plans.noise_offset[rows])
        steps = torch.arange(self.crop_size, device=self.device)
        row, column = offset[:, :1] + steps, offset[:, 1:] + steps
        noise = self._noise[row[:, :, None], column[:, None, :]].float()
        sigma = self._move(plans.noise_sigma[rows])[:, None, None, None] / 32
        pixels[place] = (pixels[place] + noise * sigma).clamp_(0, 255)

    def _padding(self, image: Tensor, inverse: Tensor) -> Tensor:
        """Where crops show nothing of their images, `(V, S, S)` bool; see `padding_of` in `render_opencv`."""
        x, y, depth = self._places(inverse)
        last = (self._size[image] - 1).to(x)
        outside = (depth <= 1e-6) | (x < 0) | (y < 0) | (x > last[:, :1] * depth) | (y > last[:, 1:] * depth)
        return outside.view(-1, self.crop_size, self.crop_size)


def _recolour(pixels: Tensor, colour: Tensor) -> Tensor:
    changed = torch.einsum("vij,vhwj->vhwi", colour[..., :3], pixels) + colour[:, None, None, :, 3]
    return changed.clamp_(0, 255)


def _upload(images: FlatImages, device: torch.device) -> tuple[Tensor, Tensor]:
    """Put all images on a device as one row of four-byte pixels, and say where each starts."""
    area = images.size.prod(axis=1)
    start = torch.zeros(len(area) + 1, dtype=torch.int64)
    torch.cumsum(torch.from_numpy(area), 0, out=start[1:])
    pixels = torch.empty((int(start[-1]), 4), dtype=torch.uint8, device=device)
    for image in range(len(area)):
        source = torch.from_numpy(images.read(image).copy()).to(device)
        source = source.view(-1, source.shape[-1])
        pixels[int(start[image]) : int(start[image + 1]), : source.shape[-1]] = source
    return pixels.view(torch.int32).flatten(), start[:-1]
