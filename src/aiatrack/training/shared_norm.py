"""Batch norms whose statistics are those of the whole batch, however many processes share it."""

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn import functional as collectives
from torch.nn.modules.batchnorm import _BatchNorm


class SharedBatchNorm(_BatchNorm):
    """Batch norm over all processes in training; an ordinary one in evaluation or in a single process.

    PyTorch's `SyncBatchNorm` does the same on GPUs only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `(B, C, ...)` over all but the channels."""
        if not self.training or not distributed.is_initialized() or distributed.get_world_size() == 1:
            return super().forward(x)
        mean, variance, count = _shared_moments(x)
        self._update_running(mean.detach(), variance.detach() * (count / (count - 1).clamp(min=1)))
        shape = (1, -1, *[1] * (x.dim() - 2))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return (x * scale.view(shape) + shift.view(shape)).to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:  # the parent's name
        if input.dim() < 2:
            raise ValueError(f"expected (B, C, ...), got {input.dim()} dimensions")

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


def _shared_moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance `(C,)` over all processes in float32, and the number of values behind them."""
    flat = x.float().transpose(0, 1).flatten(1)  # (C, values)
    count = torch.full((1,), flat.shape[1], dtype=flat.dtype, device=flat.device)
    total = _summed(torch.cat((flat.sum(1), count)))
    mean, count = total[:-1] / total[-1], total[-1]
    # A second pass: the mean of squares less the square of the mean would cancel in float32.
    variance = _summed((flat - mean[:, None]).square().sum(1)) / count
    return mean, variance, count.detach()


def _summed(local: Tensor) -> Tensor:
    """Sum over all processes; gradients are summed on the way back."""
    total: Tensor = collectives.all_reduce(local)  # type: ignore[no-untyped-call]
    return total


def share_batch_norms(module: nn.Module) -> None:
    """Replace every batch norm inside a module by a shared one with the same parameters, in place."""
    for name, child in module.named_children():
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
            setattr(module, name, _shared(child))
        else:
            share_batch_norms(child)


def _shared(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> SharedBatchNorm:
    shared = SharedBatchNorm(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    shared.load_state_dict(norm.state_dict())
    return shared.train(norm.training)
