"""EfficientNet-Lite0 to stride 16, with the parameter names of its published PyTorch ImageNet weights.

Lite means ReLU6 instead of swish and no squeeze-and-excitation, so that it quantises well. The weights come
from TensorFlow, hence the epsilon of 1e-3, the asymmetric "same" padding, the normalisation by 127 and 128.
"""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from aiatrack.model.frozen_norm import FrozenBatchNorm2d, convolve_normalized, fold_frozen_norms

_EPS = 1e-3


class SameConv2d(nn.Conv2d):
    """Bias-free convolution padded as TensorFlow's "same": a stride of 2 pads more at right and bottom."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int, groups: int
    ) -> None:
        even = kernel_size - stride
        self.asymmetric = stride > 1
        self.edges = (even // 2, even - even // 2) * 2
        padding = 0 if self.asymmetric else kernel_size // 2
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)

    def pad(self, x: Tensor) -> Tensor:
        """Pad `(B, C, H, W)` of even height and width where one padding for all sides does not do."""
        return F.pad(x, self.edges) if self.asymmetric else x

    def fold_padding(self) -> None:
        """Pad alike on all sides, under a kernel with a first row and column of zeros; for inference only.

        A wider kernel costs less than a padded copy of the map where channels are filtered one by one.
        """
        if self.asymmetric and self.groups > 1:
            self.weight = nn.Parameter(F.pad(self.weight, (1, 0, 1, 0)), requires_grad=False)
            self.kernel_size = (self.kernel_size[0] + 1, self.kernel_size[1] + 1)
            self.padding = (self.edges[0] + 1, self.edges[0] + 1)
            self.asymmetric = False


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter by depth-wise convolution, project by 1x1 (Sandler et al., CVPR 2018)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.residual = stride == 1 and in_channels == out_channels
        self._expand_conv: nn.Conv2d | None = None
        if expansion > 1:
            self._expand_conv = nn.Conv2d(in_channels, width, 1, bias=False)
            self._bn0 = FrozenBatchNorm2d(width, _EPS)
        self._depthwise_conv = SameConv2d(width, width, kernel, stride=stride, groups=width)
        self._bn1 = FrozenBatchNorm2d(width, _EPS)
        self._project_conv = nn.Conv2d(width, out_channels, 1, bias=False)
        self._bn2 = FrozenBatchNorm2d(out_channels, _EPS)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C_in, H, W)` -> `(B, C_out, H / stride, W / stride)`."""
        shortcut = x
        if self._expand_conv is not None:
            x = F.relu6(convolve_normalized(x, self._expand_conv, self._bn0), inplace=True)
        x = convolve_normalized(self._depthwise_conv.pad(x), self._depthwise_conv, self._bn1)
        x = F.relu6(x, inplace=True)
        x = convolve_normalized(x, self._project_conv, self._bn2)
        return x + shortcut if self.residual else x


class EfficientNetLite0(nn.Module):
    """Stem and the eleven blocks up to stride 16, 112 channels."""

    out_channels = 112
    mean: ClassVar[tuple[float, ...]] = (127 / 255,) * 3
    std: ClassVar[tuple[float, ...]] = (128 / 255,) * 3
    stem_names: ClassVar[tuple[str, ...]] = ("_conv_stem", "_blocks.0", "_blocks.1", "_blocks.2")
    """Parts up to stride 4, the counterpart of what the paper never trains in its ResNet."""
    early_names: ClassVar[tuple[str, ...]] = (*stem_names, "_blocks.3", "_blocks.4")
    """Parts up to stride 8."""

    # kernel, stride, expansion, channels, repeats
    _stages = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3))

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2, groups=1)
        self._bn0 = FrozenBatchNorm2d(32, _EPS)
        self._blocks = nn.ModuleList()
        width = 32
        for kernel, stage_stride, expansion, channels, repeats in self._stages:
            for i in range(repeats):
                stride = stage_stride if i == 0 else 1
                self._blocks.append(
                    InvertedResidual(width, channels, kernel=kernel, stride=stride, expansion=expansion)
                )
                width = channels

    def forward(self, images: Tensor) -> Tensor:
        """Normalised `(B, 3, H, W)`, sides multiples of 16 -> `(B, 112, H / 16, W / 16)`."""
        x = convolve_normalized(self._conv_stem.pad(images), self._conv_stem, self._bn0)
        x = F.relu6(x, inplace=True)
        for block in self._blocks:
            x = block(x)
        return x

    @property
    def first_convolution(self) -> nn.Conv2d:
        """The one that sees the pixels."""
        return self._conv_stem

    def fold(self) -> None:
        """Write the frozen norms, and paddings where that pays, into the convolutions, in place."""
        norms = {
            "_conv_stem": "_bn0",
            "_expand_conv": "_bn0",
            "_depthwise_conv": "_bn1",
            "_project_conv": "_bn2",
        }
        fold_frozen_norms(self, norms)
        for module in self.modules():
            if isinstance(module, SameConv2d):
                module.fold_padding()
