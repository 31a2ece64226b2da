"""What a benchmark says about one sequence: its target's box in every frame."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError
from aiatrack.evaluation.checks import to_numbers

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Annotation:
    """Ground truth of one sequence, in the benchmark's own numbers."""

    boxes_xywh: FloatArray
    """`(T, 4)` float64, pixels; NaN where the benchmark gives no box."""
    visible: BoolArray
    """`(T,)`: the box is finite and the target not flagged as absent."""
    attributes: frozenset[str] = field(default_factory=frozenset)
    """Names of the challenges that the benchmark ascribes to the sequence, such as `fast motion`."""
    flagged_absent: BoolArray | None = None
    """`(T,)`: the benchmark's own flag of absence; None where it has none (a missing box is no flag)."""
    image_size: tuple[int, int] | None = None
    """Width and height of the frames in pixels, where known."""

    def __len__(self) -> int:
        return len(self.boxes_xywh)


def build_annotation(
    boxes_xywh: FloatArray,
    *,
    flagged_absent: npt.ArrayLike | None = None,
    attributes: Iterable[str] = (),
    image_size: tuple[int, int] | None = None,
    origin: str = "annotation",
) -> Annotation:
    """Check what a reader found and make an `Annotation` of it.

    Args:
        boxes_xywh: `(T, 4)` pixels; NaN or infinite where there is no box.
        flagged_absent: `(T,)` truth values, or numbers of which only 0 is false; None where the benchmark has
            no such flag.
        attributes: names of challenges.
        image_size: width and height of the frames, if known.
        origin: file or sequence, for messages.

    Raises:
        DataError: no frames, other than four columns, flags of another length, or either not plain numbers.
    """
    boxes = to_numbers(boxes_xywh, origin)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        raise DataError(
            f"{origin}: an annotation is one row of x, y, w, h a frame; got an array of shape {boxes.shape}"
        )
    visible: BoolArray = np.all(np.isfinite(boxes), axis=1)
    if flagged_absent is None:
        return Annotation(boxes, visible, frozenset(attributes), None, image_size)
    flags = to_numbers(flagged_absent, f"{origin}, flags of absence").astype(bool).reshape(-1)
    if len(flags) != len(boxes):
        raise DataError(
            f"{origin}: {len(boxes)} boxes but {len(flags)} flags of absence: one a frame is needed"
        )
    return Annotation(boxes, visible & ~flags, frozenset(attributes), flags, image_size)
