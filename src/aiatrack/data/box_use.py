"""Which annotated boxes can be followed: one rule for looking through a source and for training on it.

K boxes. Sizes of images are `(K, 2)` width and height, px; not positive where they are not known.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.config.data import DataSettings

_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BoxUse:
    """Why each of K boxes is passed over, by its place and sides alone: for one reason at most, `(K,)` each.

    Attributes:
        outside: none of it is within its image.
        by_share: it covers less or more of its image than `data.box_share` says.
        by_side: it has a shorter side than `data.min_box_px` says.
    """

    outside: _Flags
    by_share: _Flags
    by_side: _Flags

    @property
    def usable(self) -> _Flags:
        """`(K,)` whether it is not passed over."""
        return np.asarray(~(self.outside | self.by_share | self.by_side))


@dataclass(frozen=True)
class BoxCounts:
    """How many of a source's boxes are passed over, and why; those on cut-outs are not counted.

    Attributes:
        boxes: all of them.
        outside, by_share, by_side: as in `BoxUse`.
        usable: what is left.
        usable_here: of these, in the clips and images that are drawn from.
    """

    boxes: int
    outside: int
    by_share: int
    by_side: int
    usable: int
    usable_here: int

    def passed_over(self) -> list[str]:
        """Return the reasons with their counts, in words."""
        reasons = (
            (self.outside, "lies wholly outside of its image", "lie wholly outside of their images"),
            (self.by_share, "is passed over by data.box_share", "are passed over by data.box_share"),
            (self.by_side, "is passed over by data.min_box_px", "are passed over by data.min_box_px"),
        )
        return [
            f"{count} of {self.boxes} boxes {one if count == 1 else many}"
            for count, one, many in reasons
            if count
        ]


def judge_boxes(
    boxes_xywh: npt.NDArray[Any], image_sizes: npt.NDArray[Any], settings: DataSettings
) -> BoxUse:
    """Say why boxes are passed over.

    Args:
        boxes_xywh: `(K, 4)` px of the image.
        image_sizes: of the image of each.
        settings: which boxes count as usable.
    """
    area = np.maximum(image_sizes, 0).prod(axis=1)
    covered = boxes_xywh[:, 2] * boxes_xywh[:, 3]
    share = np.divide(covered, area, out=np.zeros(len(area)), where=area > 0)
    low, high = settings.box_share
    outside = lies_outside(boxes_xywh, image_sizes)
    by_share = (area > 0) & ~((share >= low) & (share <= high)) & ~outside
    by_side = ~(boxes_xywh[:, 2:].min(axis=1) >= settings.min_box_px) & ~outside & ~by_share
    return BoxUse(outside, np.asarray(by_share), np.asarray(by_side))


def lies_outside(boxes_xywh: npt.NDArray[Any], image_sizes: npt.NDArray[Any]) -> _Flags:
    """Whether each box that has an area is wholly beyond a border of its image, `(K,)`.

    Where a size is not known, only the left and the upper border are.
    """
    low, sides = boxes_xywh[:, :2], boxes_xywh[:, 2:]
    beyond = (low + sides <= 0) | ((low >= image_sizes) & (image_sizes > 0))
    return np.asarray(beyond.any(axis=1) & (sides > 0).all(axis=1))
