"""What is to be drawn for one sample, in numbers alone; the renderers draw it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.geometry import Matrix

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class OverlayPlan:
    """One cut-out laid over a crop.

    Attributes:
        image: id of an RGBA image.
        inverse: `(3, 3)`, from index coordinates of the crop to those of the cut-out.
        colour: `(3, 4)`, linear change of its RGB values, with an offset in grey levels.
    """

    image: int
    inverse: Matrix
    colour: Array | None = None


@dataclass(frozen=True)
class ViewPlan:
    """One crop.

    Attributes:
        image: id of the image underneath; transparency, if it has any, is not looked at.
        inverse: `(3, 3)`, from index coordinates of the crop to those of the image.
        box_xywh: `(4,)` the target, in shares of the crop.
        samples: points per pixel and axis that are averaged; 1 samples once, as the tracker does.
        overlays: from the lowest to the highest.
        colour: `(3, 4)`, linear change of RGB values, with an offset in grey levels; None for no change.
        kernel: `(K, K)` blur, odd K, sum 1; None for no blur.
        noise_sigma: standard deviation of the noise, grey levels.
        noise_offset: row and column of the noise tile to start from.
        quality: of JPEG-like compression, 1 to 100; 0 for none.
    """

    image: int
    inverse: Matrix
    box_xywh: Array
    samples: int = 1
    overlays: tuple[OverlayPlan, ...] = ()
    colour: Array | None = None
    kernel: Array | None = None
    noise_sigma: float = 0.0
    noise_offset: tuple[int, int] = (0, 0)
    quality: int = 0


@dataclass(frozen=True)
class SamplePlan:
    """One sample: long-term reference, short-term reference, search region, and the IoU head's proposals.

    Attributes:
        views: the three crops.
        proposals_xywh: `(P, 4)` in shares of the search crop.
        proposal_iou: `(P,)` in [0, 1].
        kind: which ingredient made it: `still`, `clip`, `pasted` or `region`.
    """

    views: tuple[ViewPlan, ViewPlan, ViewPlan]
    proposals_xywh: Array
    proposal_iou: Array
    kind: str
