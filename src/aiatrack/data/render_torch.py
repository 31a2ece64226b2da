"""Draw plans with PyTorch, all crops of a batch together, from one buffer of pixels on the same device.

V views, S the crop's size, O overlays.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch._dynamo
import torch.nn.functional as F
from torch import Tensor

from aiatrack.data.appearance import noise_tile
from aiatrack.data.batch import SampleBatch
from aiatrack.data.compression import compress
from aiatrack.data.images import FlatImages
from aiatrack.data.stacked_plans import StackedPlans


class TorchRenderer:
    """Holds all images of a corpus on a device and draws batches of plans there."""

    def __init__(
        self, images: FlatImages, *, crop_size: int, device: torch.device, views_at_once: int | None = None
    ) -> None:
        """Upload the images, four bytes a pixel.

        Args:
            images: the corpus's images.
            crop_size: S, px.
            device: where to draw.
            views_at_once: crops drawn together; more are faster until memory runs out. None: what a tenth of
                the memory that the images leave free has room for.
        """
        self.crop_size, self.device = crop_size, device
        self._pixels, start = _upload(images, device)
        self.views_at_once = views_at_once or _views_that_fit(crop_size, device)
        self._start = start.to(device)
        self._size = torch.from_numpy(images.size).int().to(device)
        self._noise = torch.from_numpy(noise_tile()).to(device)
        places = torch.meshgrid(torch.arange(crop_size), torch.arange(crop_size), indexing="xy")
        self._points = torch.stack(places).flatten(1).float().to(device)  # (2, S * S) column and row
        self._add_sample = _fuse(_add_sample) if device.type == "cuda" else _add_sample

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
        for chosen in torch.split(torch.arange(views), self.views_at_once):
            place = slice(int(chosen[0]), int(chosen[-1]) + 1)
            crops[place], padding[place] = self._render_views(plans, chosen)
        return crops, padding

    def _move(self, tensor: Tensor) -> Tensor:
        """Copy to the device, from locked memory: from other memory it would wait for the GPU to be idle."""
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def _render_views(self, plans: StackedPlans, chosen: Tensor) -> tuple[Tensor, Tensor]:
        laid_over = torch.nonzero(torch.isin(plans.overlay_view, chosen)).flatten()
        beneath = torch.searchsorted(chosen, plans.overlay_view[laid_over])
        image, inverse, samples = plans.image[chosen], plans.inverse[chosen], plans.samples[chosen]
        layers = self._sample(
            torch.cat((image, plans.overlay_image[laid_over])),
            torch.cat((inverse, plans.overlay_inverse[laid_over])),
            torch.cat((samples, samples[beneath])),
        )
        pixels = layers[: len(chosen), ..., :3]
        self._lay_over(pixels, layers[len(chosen) :], beneath, plans, laid_over)
        pixels = _recolour(pixels, self._move(plans.colour[chosen]))
        self._blur(pixels, plans, chosen)
        self._add_noise(pixels, plans, chosen)
        compressed = torch.nonzero(plans.quality[chosen]).flatten()
        if len(compressed):
            place = self._move(compressed)
            quality = self._move(plans.quality[chosen[compressed]])
            pixels[place] = compress(pixels[place].round(), quality)
        outside = self._padding(self._move(image), self._move(inverse))
        pixels.masked_fill_(outside[..., None], 0)
        return pixels.round_().to(torch.uint8), outside

    def _sample(self, images: Tensor, inverse: Tensor, samples: Tensor) -> Tensor:
        """Mean of `samples` x `samples` bilinear samples per pixel of L layers, all arguments on the CPU.

        Returns:
            `(L, S, S, 4)` float, grey levels.
        """
        # Those sampled most come first, so that who takes part in a round is always a beginning of the whole.
        samples, order = torch.sort(samples, descending=True, stable=True)
        chosen = self._move(images[order])
        start, size = self._start[chosen], self._size[chosen]
        total = torch.zeros((len(images), self.crop_size**2, 4), device=self.device)
        for step in range(int(samples[0]) ** 2):
            count = int((samples**2 > step).sum())
            shifted = self._move(_shifted(inverse[order[:count]], samples[:count], step))
            placed = (start[:count], size[:count])
            total[:count] = self._add_sample(total[:count], self._pixels, placed, shifted, self._points)
        total.div_(self._move(samples**2)[:, None, None])
        return total.view(-1, self.crop_size, self.crop_size, 4)[self._move(torch.argsort(order))]

    def _lay_over(
        self, pixels: Tensor, layers: Tensor, beneath: Tensor, plans: StackedPlans, rows: Tensor
    ) -> None:
        """Blend overlays (`rows` of the plans, drawn as `layers`) into the views `beneath`, bottom up."""
        if not len(rows):
            return
        colours = _recolour(layers[..., :3], self._move(plans.overlay_colour[rows]))
        for rank in torch.unique(plans.overlay_rank[rows]).tolist():
            ours = torch.nonzero(plans.overlay_rank[rows] == rank).flatten()
            place, ours = self._move(beneath[ours]), self._move(ours)
            pixels[place] = torch.lerp(pixels[place], colours[ours], layers[ours, ..., 3:] / 255)

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
        # Their number changes with every batch: cuDNN, told to benchmark, would try its ways each time.
        with torch.backends.cudnn.flags(enabled=False):
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
        x, y, depth = _places(inverse, self._points)
        last = (self._size[image] - 1).to(x)
        outside = (depth <= 1e-6) | (x < 0) | (y < 0) | (x > last[:, :1] * depth) | (y > last[:, 1:] * depth)
        return outside.view(-1, self.crop_size, self.crop_size)


def _shifted(inverse: Tensor, samples: Tensor, step: int) -> Tensor:
    """Transforms `(L, 3, 3)` of crops moved to where the `step`th of their samples x samples points lies."""
    row, column = torch.div(step, samples, rounding_mode="floor"), step % samples
    dy, dx = ((place + 0.5) / samples - 0.5 for place in (row, column))
    moved = inverse.clone()
    moved[:, :, 2] += inverse[:, :, 0] * dx[:, None] + inverse[:, :, 1] * dy[:, None]
    return moved


def _places(inverse: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where points of each crop, `(2, N)`, lie in its image: x, y, and the depth, `(V, N)` each."""
    column, row = points
    # term by term: as a matrix product it could run in TF32, which is a third of a pixel off
    rows = inverse[:, :, 0, None] * column + inverse[:, :, 1, None] * row + inverse[:, :, 2, None]
    x, y, depth = rows.unbind(1)
    return x, y, depth


def _add_sample(
    total: Tensor, pixels: Tensor, placed: tuple[Tensor, Tensor], inverse: Tensor, points: Tensor
) -> Tensor:
    """Return `total` plus one bilinear sample at each of N points of V crops.

    Args:
        total: `(V, N, 4)` grey levels.
        pixels: all images, four bytes each, as int32.
        placed: where each crop's image begins, `(V,)`, and its width and height, `(V, 2)`.
        inverse: `(V, 3, 3)` from index coordinates of the crop to those of the image.
        points: `(2, N)` column and row.
    """
    start, size = placed
    x, y, depth = _places(inverse, points)
    behind = depth <= 1e-6
    depth = torch.where(behind, 1.0, depth)
    x, y = torch.where(behind, -9.0, x / depth), torch.where(behind, -9.0, y / depth)
    width, height = size[:, :1], size[:, 1:]
    left, top = x.floor(), y.floor()
    right_share, low_share = x - left, y - top
    left, top = left.int(), top.int()
    bits = torch.arange(0, 32, 8, device=total.device, dtype=torch.int32)
    for dy, row_share in ((0, 1 - low_share), (1, low_share)):
        for dx, column_share in ((0, 1 - right_share), (1, right_share)):
            i, j = top + dy, left + dx
            inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
            pixel = pixels[torch.where(inside, start[:, None] + i * width + j, 0)]
            channels = ((pixel.unsqueeze(-1) >> bits) & 255).float()
            total = total + channels * (row_share * column_share * inside).unsqueeze(-1)
    return total


def _fuse(
    function: Callable[..., Tensor], backend: str | Callable[..., Any] = "inductor"
) -> Callable[..., Tensor]:
    """Compile a chain of small operations on large arrays into one kernel, which passes through memory once.

    Where that cannot be done, for want of a C compiler or of Triton, PyTorch says so and runs it as it is.
    """
    compiled = torch.compile(function, dynamic=True, backend=backend)

    def run(*arguments: Any) -> Tensor:
        with torch._dynamo.config.patch(suppress_errors=True):
            return compiled(*arguments)

    return run


def _views_that_fit(crop_size: int, device: torch.device) -> int:
    if device.type != "cuda":
        return 96
    free_bytes, _ = torch.cuda.mem_get_info(device)
    # four float32 channels, and about a dozen arrays of that size at a time
    return max(16, int(free_bytes * 0.1) // (crop_size**2 * 4 * 4 * 12))


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
