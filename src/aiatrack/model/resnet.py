"""ResNet-50 through its third stage (He et al., CVPR 2016), with the standard parameter names."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from aiatrack.model.frozen_norm import FrozenBatchNorm2d, convolve_normalized, fold_frozen_norms


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut; the 3x3 one carries the stride."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = FrozenBatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = FrozenBatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = FrozenBatchNorm2d(out_channels)
        self.downsample: Projection | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = Projection(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C_in, H, W)` -> `(B, 4 channels, H / stride, W / stride)`."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(convolve_normalized(x, self.conv1, self.bn1), inplace=True)
        x = F.relu(convolve_normalized(x, self.conv2, self.bn2), inplace=True)
        return F.relu(convolve_normalized(x, self.conv3, self.bn3) + shortcut, inplace=True)


class Projection(nn.Sequential):
    """Strided 1x1 convolution and norm of a shortcut, named `0` and `1` as everywhere."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), FrozenBatchNorm2d(out_channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C_in, H, W)` -> `(B, C_out, H / stride, W / stride)`."""
        convolution, norm = self
        return convolve_normalized(x, convolution, norm)  # type: ignore[arg-type]


class ResNet50(nn.Module):
    """Stem and stages 1 to 3: stride 16, 1024 channels."""

    out_channels = 1024
    mean: ClassVar[tuple[float, ...]] = (0.485, 0.456, 0.406)
    std: ClassVar[tuple[float, ...]] = (0.229, 0.224, 0.225)
    stem_names: ClassVar[tuple[str, ...]] = ("conv1", "layer1")
    """Parts that the paper never trains."""
    early_names: ClassVar[tuple[str, ...]] = (*stem_names, "layer2")
    """Parts up to stride 8."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = FrozenBatchNorm2d(64)
        self.layer1 = _stage(64, 64, blocks=3, stride=1)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        self.layer3 = _stage(512, 256, blocks=6, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised `(B, 3, H, W)` -> `(B, 1024, H / 16, W / 16)`."""
        x = F.relu(convolve_normalized(images, self.conv1, self.bn1), inplace=True)
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        x = self.layer1(x)
        x = self.layer2(x)
        return self.layer3(x)  # type: ignore[no-any-return]

    @property
    def first_convolution(self) -> nn.Conv2d:
        """The one that sees the pixels."""
        return self.conv1

    def fold(self) -> None:
        """Write the frozen norms into the convolutions, in place."""
        fold_frozen_norms(self, {"conv1": "bn1", "conv2": "bn2", "conv3": "bn3", "0": "1"})


def _stage(in_channels: int, channels: int, *, blocks: int, stride: int) -> nn.Sequential:
    widths = [in_channels] + [channels * Bottleneck.expansion] * (blocks - 1)
    return nn.Sequential(
        *(Bottleneck(width, channels, stride if i == 0 else 1) for i, width in enumerate(widths))
    )
