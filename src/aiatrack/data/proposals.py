"""Boxes near the target, from which the IoU head learns to score (docs/method.md, training; ATOM)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.boxes import box_iou, xywh_to_xyxy

_SIGMAS = np.array([0.03, 0.05, 0.1, 0.2, 0.3])
_MIN_IOU = 0.1
_TRIES = 100

Array = npt.NDArray[np.floating[Any]]


def draw_proposals(
    box_xywh: Array, count: int, least_side: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw boxes around a target, every one with an IoU above 0.1.

    Args:
        box_xywh: `(4,)` the target.
        count: P.
        least_side: a side drawn shorter than this is drawn anew as a share of the target's.
        rng: randomness.

    Returns:
        boxes, `(P, 4)` xywh in the target's units, and their IoU with the target, `(P,)`.
    """
    target = np.concatenate((box_xywh[:2] + box_xywh[2:] / 2, box_xywh[2:])).astype(np.float64)
    sigma = rng.choice(_SIGMAS, count) * np.sqrt(target[2] * target[3])
    boxes, overlaps = np.repeat(box_xywh[None].astype(np.float64), count, axis=0), np.zeros(count)
    open_ids = np.arange(count)
    for _ in range(_TRIES):
        drawn = target + sigma[open_ids, None] * rng.standard_normal((len(open_ids), 4))
        small = target[2:] * rng.uniform(0.15, 0.5, (len(open_ids), 2))
        drawn[:, 2:] = np.where(drawn[:, 2:] <= least_side, small, drawn[:, 2:])
        candidates = np.concatenate((drawn[:, :2] - drawn[:, 2:] / 2, drawn[:, 2:]), axis=1)
        found = box_iou(xywh_to_xyxy(candidates), xywh_to_xyxy(box_xywh.astype(np.float64)))
        good = found > _MIN_IOU
        boxes[open_ids[good]], overlaps[open_ids[good]] = candidates[good], found[good]
        open_ids = open_ids[~good]
        if not len(open_ids):
            return boxes, overlaps
        sigma[open_ids] *= 0.9
    overlaps[open_ids] = 1.0
    return boxes, overlaps
