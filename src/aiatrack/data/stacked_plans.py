"""Plans of a whole batch as a few arrays, which travel between processes and to a GPU at little cost."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aiatrack.data.plan import Array, OverlayPlan, SamplePlan

_UNCHANGED = np.eye(3, 4, dtype=np.float32)


class StackedPlans(NamedTuple):
    """Plans of V = 3 B views, all long-term references first, then all short-term ones, then search regions.

    O overlays and U blurred views; fields as in `ViewPlan` and `OverlayPlan`. Float tensors are float32.
    """

    image: Tensor
    """`(V,)` int64."""
    inverse: Tensor
    """`(V, 3, 3)`."""
    samples: Tensor
    """`(V,)` int64."""
    colour: Tensor
    """`(V, 3, 4)`."""
    noise_sigma: Tensor
    """`(V,)`."""
    noise_offset: Tensor
    """`(V, 2)` int64."""
    quality: Tensor
    """`(V,)` int64."""
    blurred_view: Tensor
    """`(U,)` int64, which views are blurred."""
    kernels: Tensor
    """`(U, K, K)`, zeros around the smaller ones."""
    overlay_view: Tensor
    """`(O,)` int64, which view each overlay is laid over."""
    overlay_rank: Tensor
    """`(O,)` int64, its place in its view, from the lowest."""
    overlay_image: Tensor
    """`(O,)` int64."""
    overlay_inverse: Tensor
    """`(O, 3, 3)`."""
    overlay_colour: Tensor
    """`(O, 3, 4)`."""
    boxes_xywh: Tensor
    """`(V, 4)`."""
    proposals_xywh: Tensor
    """`(B, P, 4)`."""
    proposal_iou: Tensor
    """`(B, P)`."""


def stack_plans(plans: Sequence[SamplePlan]) -> StackedPlans:
    """Put the plans of B samples into arrays."""
    views = [plan.views[place] for place in range(3) for plan in plans]
    overlays = [
        (v, rank, overlay) for v, view in enumerate(views) for rank, overlay in enumerate(view.overlays)
    ]
    kernels = [(v, view.kernel) for v, view in enumerate(views) if view.kernel is not None]
    return StackedPlans(
        image=_integers([view.image for view in views]),
        inverse=_floats([view.inverse for view in views], (3, 3)),
        samples=_integers([view.samples for view in views]),
        colour=_floats([_UNCHANGED if view.colour is None else view.colour for view in views], (3, 4)),
        noise_sigma=_floats([view.noise_sigma for view in views], ()),
        noise_offset=_integers([view.noise_offset for view in views]).reshape(-1, 2),
        quality=_integers([view.quality for view in views]),
        blurred_view=_integers([v for v, _ in kernels]),
        kernels=_stack_kernels([kernel for _, kernel in kernels]),
        overlay_view=_integers([v for v, _, _ in overlays]),
        overlay_rank=_integers([rank for _, rank, _ in overlays]),
        overlay_image=_integers([overlay.image for _, _, overlay in overlays]),
        overlay_inverse=_floats([overlay.inverse for _, _, overlay in overlays], (3, 3)),
        overlay_colour=_floats([_overlay_colour(overlay) for _, _, overlay in overlays], (3, 4)),
        boxes_xywh=_floats([view.box_xywh for view in views], (4,)),
        proposals_xywh=_floats([plan.proposals_xywh for plan in plans], plans[0].proposals_xywh.shape),
        proposal_iou=_floats([plan.proposal_iou for plan in plans], plans[0].proposal_iou.shape),
    )


def _integers(values: Sequence[int] | Sequence[tuple[int, int]]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.int64))


def _floats(values: Sequence[Array] | Sequence[float], shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32).reshape(-1, *shape))


def _overlay_colour(overlay: OverlayPlan) -> Array:
    return _UNCHANGED if overlay.colour is None else overlay.colour


def _stack_kernels(kernels: Sequence[Array]) -> Tensor:
    side = max((len(kernel) for kernel in kernels), default=1)
    stacked = np.zeros((len(kernels), side, side), dtype=np.float32)
    for place, kernel in enumerate(kernels):
        margin = (side - len(kernel)) // 2
        stacked[place, margin : margin + len(kernel), margin : margin + len(kernel)] = kernel
    return torch.from_numpy(stacked)
