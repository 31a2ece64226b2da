"""Batch norms whose statistics no longer move, folded into the layer before them."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FrozenBatchNorm2d(nn.Module):
    """Batch norm with fixed statistics and affine parameters, all buffers; `eps` is added under the root."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return `(C,)` factors and offsets: the norm is `x * scale + shift`."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(B, C, H, W)`."""
        scale, shift = self.scale_and_shift()
        return x * scale[:, None, None] + shift[:, None, None]


def convolve_normalized(x: Tensor, convolution: nn.Conv2d, norm: FrozenBatchNorm2d | nn.Identity) -> Tensor:
    """Apply a convolution and its frozen norm as one convolution.

    The norm is an affine map per channel, so scaling the kernel (thousands of numbers) replaces scaling the
    feature map (millions); gradients reach the kernel as before. After `fold_frozen_norms` the norm is an
    identity and nothing is left to scale.
    """
    if isinstance(norm, nn.Identity):
        return convolution(x)  # type: ignore[no-any-return]
    scale, shift = norm.scale_and_shift()
    kernel = convolution.weight * scale[:, None, None, None]
    # On CPUs, gradients of depth-wise convolutions take up to fifteen times longer in bf16 than in float32.
    slow_in_half = kernel.requires_grad and convolution.groups > 1 and x.device.type == "cpu"
    with torch.autocast("cpu", enabled=False) if slow_in_half else nullcontext():
        return F.conv2d(
            x.float() if slow_in_half else x,
            kernel,
            shift,
            convolution.stride,
            convolution.padding,
            convolution.dilation,
            convolution.groups,
        )


@torch.no_grad()
def fold_frozen_norms(module: nn.Module, pairs: dict[str, str]) -> None:
    """Write each frozen norm into the convolution before it, in place, for inference.

    Args:
        module: owner of the pairs, itself and its sub-modules alike.
        pairs: attribute name of a convolution -> attribute name of its norm.
    """
    for owner in module.modules():
        for convolution_name, norm_name in pairs.items():
            convolution, norm = getattr(owner, convolution_name, None), getattr(owner, norm_name, None)
            if not (isinstance(convolution, nn.Conv2d) and isinstance(norm, FrozenBatchNorm2d)):
                continue
            _absorb(convolution, *norm.scale_and_shift())
            setattr(owner, norm_name, nn.Identity())


@torch.no_grad()
def fold_norm(layer: nn.Conv2d | nn.Linear, norm: nn.Module) -> nn.Module:
    """Write what a trained batch norm does in evaluation into the layer before it, in place.

    Returns:
        What now stands for the norm: an identity. Anything but a batch norm is left alone and returned.
    """
    if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
        return norm
    assert norm.running_mean is not None and norm.running_var is not None  # built with statistics
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    _absorb(layer, scale, norm.bias - norm.running_mean * scale)
    return nn.Identity()


def _absorb(layer: nn.Conv2d | nn.Linear, scale: Tensor, shift: Tensor) -> None:
    """Make a layer return its output times scale plus shift, both `(C_out,)`."""
    layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.dim() - 1)))
    bias = shift if layer.bias is None else layer.bias * scale + shift
    layer.bias = nn.Parameter(bias.clone(), requires_grad=False)
