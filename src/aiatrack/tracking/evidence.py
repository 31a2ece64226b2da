"""What speaks for a located target: numbers from the network's outputs, before they are weighed.

Legend: B search regions, G grid side, P parts of a box, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.tracking.appearance import Appearance
from aiatrack.tracking.network import LocatedTargets

FloatArray = npt.NDArray[np.floating[Any]]

FEATURES = (
    "score",
    "entropy",
    "peak",
    "peak_logit",
    "spread",
    "disagreement",
    "similarity_to_first",
    "similarity_to_recent",
    "size_change",
)
"""Names of the columns of `measure_evidence`:

- `score`: raw IoU-head output;
- `entropy`: of the corner maps, over that of a flat map, mean of the two corners, in [0, 1];
- `peak`: logarithm of the corner maps' highest probability, mean of the two;
- `peak_logit`: the corner maps' highest logit, mean of the two: how strongly anything answered at all;
- `spread`: standard deviation of the corners over the box's size, logarithm;
- `disagreement`: distance between a corner's most probable cell and its expectation over the box's size,
  the larger of the two, `log(x + 0.1)`;
- `similarity_to_first`: likeness of what is inside the box to what was inside it in frame 0;
- `similarity_to_recent`: the same to the mean of recent frames that were believed;
- `size_change`: absolute logarithm of the box's size over the last believed one's.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a target before a frame is looked at.

    Attributes:
        first: `(P, C)` appearance in frame 0.
        recent: `(P, C)` mean appearance in recent frames that were believed.
        size: sqrt(width x height) of the last believed box, as a share of the crop's side.
    """

    first: FloatArray
    recent: FloatArray
    size: float


def measure_evidence(
    located: LocatedTargets, known: Sequence[Known], appearance: Appearance
) -> npt.NDArray[np.float64]:
    """Compute all of `FEATURES` for B located targets: `(B, len(FEATURES))`.

    Args:
        located: B targets.
        known: what is known of each.
        appearance: what likeness is measured by.
    """
    boxes = located.boxes_xywh.astype(np.float64)
    sizes = np.sqrt(boxes[:, 2:].clip(min=1e-3).prod(axis=1))  # (B,)
    corners = _Corners(located.corner_scores)
    known_sizes = np.array([target.size for target in known])
    looks = np.array([[target.first for target in known], [target.recent for target in known]])
    like_first, like_recent = appearance.likeness(located.embeddings, looks)
    columns = (
        located.scores,
        corners.entropy.mean(axis=1),
        np.log(corners.peak).mean(axis=1),
        corners.peak_logit.mean(axis=1),
        np.log(corners.spread.mean(axis=1) / sizes + 1e-3),
        np.log(corners.disagreement.max(axis=1) / sizes + 0.1),
        like_first,
        like_recent,
        np.abs(np.log(sizes / known_sizes)),
    )
    return np.stack(columns, axis=1).astype(np.float64)


class _Corners:
    """Measures of `(B, 2, G, G)` logits, `(B, 2)` each; lengths as shares of the crop's side."""

    def __init__(self, scores: npt.NDArray[np.float32]) -> None:
        grid = scores.shape[-1]
        logits = scores.reshape(*scores.shape[:2], -1).astype(np.float64)
        self.peak_logit = logits.max(axis=-1)
        likelihood = np.exp(logits - self.peak_logit[..., None])
        probability = likelihood / likelihood.sum(axis=-1, keepdims=True)
        self.peak = probability.max(axis=-1)
        self.entropy = -(probability * np.log(probability + 1e-12)).sum(axis=-1) / np.log(grid**2)
        rows, columns = np.divmod(np.arange(grid**2), grid)
        cells = np.stack((columns, rows), axis=1) / grid  # (G^2, 2)
        mean = probability @ cells  # (B, 2, 2)
        variance = probability @ (cells**2) - mean**2
        self.spread = np.sqrt(variance.sum(axis=-1).clip(min=0))
        self.disagreement = np.linalg.norm(cells[logits.argmax(axis=-1)] - mean, axis=-1)
