"""Box formats, overlap and checks: pure functions on NumPy arrays and PyTorch tensors alike.

A box is four floats on the last axis: `xywh` (left, top, width, height) or `xyxy` (left, top, right, bottom).
Pixels or shares of a crop: no function here cares. Whole numbers are computed wide enough that none wraps: as
float64 in NumPy, as int64 in PyTorch; floats keep their type.
"""

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from aiatrack.errors import BoxError

Boxes = TypeVar("Boxes")
"""`np.ndarray` or `torch.Tensor`, `(..., 4)`; what goes in comes out."""

FloatArray = npt.NDArray[np.floating[Any]]
BoxLike = Sequence[float] | FloatArray
"""A box as users give it: four numbers."""


def _namespace(boxes: Any) -> Any:
    """NumPy or PyTorch, whichever made `boxes`; PyTorch is never imported for NumPy's sake."""
    torch: ModuleType | None = sys.modules.get("torch")
    return torch if torch is not None and isinstance(boxes, torch.Tensor) else np


def _join(boxes: Any, first: Any, second: Any) -> Any:
    return _namespace(boxes).concatenate((first, second), axis=-1)


def _widen(boxes: Any) -> Any:
    """Whole numbers in a type that their sums and products do not wrap in; floats as they are."""
    if _namespace(boxes) is np:
        return boxes.astype(np.float64) if boxes.dtype.kind in "biu" else boxes
    return boxes if boxes.is_floating_point() else boxes.long()  # not every device has float64


def xywh_to_xyxy(boxes: Boxes) -> Boxes:
    """Turn `(..., 4)` left, top, width, height into left, top, right, bottom."""
    b: Any = _widen(boxes)
    return _join(b, b[..., :2], b[..., :2] + b[..., 2:])  # type: ignore[no-any-return]


def xyxy_to_xywh(boxes: Boxes) -> Boxes:
    """Turn `(..., 4)` left, top, right, bottom into left, top, width, height."""
    b: Any = _widen(boxes)
    return _join(b, b[..., :2], b[..., 2:] - b[..., :2])  # type: ignore[no-any-return]


def box_area(boxes_xyxy: Any) -> Any:
    """Area of each `(..., 4)` xyxy box; a box with a negative side has area 0."""
    boxes_xyxy = _widen(boxes_xyxy)
    sides = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clip(min=0)
    return sides[..., 0] * sides[..., 1]


def _intersection_and_union(boxes_a_xyxy: Any, boxes_b_xyxy: Any) -> tuple[Any, Any]:
    xp = _namespace(boxes_a_xyxy)
    top_left = xp.maximum(boxes_a_xyxy[..., :2], boxes_b_xyxy[..., :2])
    bottom_right = xp.minimum(boxes_a_xyxy[..., 2:], boxes_b_xyxy[..., 2:])
    sides = (bottom_right - top_left).clip(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    return intersection, box_area(boxes_a_xyxy) + box_area(boxes_b_xyxy) - intersection


def box_iou(boxes_a_xyxy: Any, boxes_b_xyxy: Any) -> Any:
    """Intersection over union of boxes paired by broadcasting, `(..., 4)` xyxy each.

    Returns:
        `(...)` in [0, 1]; 0 where both boxes are empty.
    """
    intersection, union = _intersection_and_union(_widen(boxes_a_xyxy), _widen(boxes_b_xyxy))
    return intersection / union.clip(min=1e-12)


def generalized_box_iou(boxes_a_xyxy: Any, boxes_b_xyxy: Any) -> Any:
    """Generalised IoU of boxes paired by broadcasting (Rezatofighi et al., CVPR 2019), `(..., 4)` xyxy each.

    Returns:
        `(...)` in (-1, 1]: IoU less the share of the enclosing box that neither covers.
    """
    xp = _namespace(boxes_a_xyxy)
    boxes_a_xyxy, boxes_b_xyxy = _widen(boxes_a_xyxy), _widen(boxes_b_xyxy)
    intersection, union = _intersection_and_union(boxes_a_xyxy, boxes_b_xyxy)
    top_left = xp.minimum(boxes_a_xyxy[..., :2], boxes_b_xyxy[..., :2])
    bottom_right = xp.maximum(boxes_a_xyxy[..., 2:], boxes_b_xyxy[..., 2:])
    sides = (bottom_right - top_left).clip(min=0)
    enclosing = (sides[..., 0] * sides[..., 1]).clip(min=1e-12)
    return intersection / union.clip(min=1e-12) - (enclosing - union) / enclosing


def _copy_numbers(box: Any) -> FloatArray:
    """As float64, in memory of its own: what a caller does with an array afterwards moves no target."""
    if np.ma.is_masked(box):
        raise BoxError(f"a box is four numbers x, y, width, height in pixels; some are masked in {box!r}")
    try:
        numbers = np.asarray(box)
        if numbers.dtype.kind == "c":  # NumPy would drop the imaginary parts
            raise TypeError("complex numbers mark no place in a frame")
        return numbers.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise BoxError(f"a box is four numbers x, y, width, height in pixels; got {box!r}") from error
    except RuntimeError as error:  # PyTorch's, which says what to do
        raise BoxError(f"a box is four plain numbers x, y, width, height in pixels: {error}") from error
    except OverflowError as error:
        # Not shown: Python refuses to print whole numbers of more than 4300 digits.
        raise BoxError(
            "a box must be finite; got a whole number too large for a float: "
            "give x, y, width, height in pixels"
        ) from error


def check_box_xywh(box: BoxLike, frame_width: int, frame_height: int) -> FloatArray:
    """Return a user's box as `(4,)` float64, a copy, after checking that it marks a part of the frame.

    Args:
        box: left, top, width, height in pixels of the frame; it may stick out of the frame.
        frame_width: in pixels.
        frame_height: in pixels.

    Raises:
        BoxError: not four finite numbers, no area, or no overlap with the frame.
    """
    values = _copy_numbers(box)
    if values.shape != (4,):
        raise BoxError(f"a box is four numbers x, y, width, height in pixels; got shape {values.shape}")
    if not np.isfinite(values).all():
        raise BoxError(f"a box must be finite; got {values.tolist()}: give x, y, width, height in pixels")
    x, y, width, height = values.tolist()
    if width <= 0 or height <= 0:
        raise BoxError(f"a box needs a positive width and height; got {width:g} x {height:g} pixels")
    if x >= frame_width or y >= frame_height or x + width <= 0 or y + height <= 0:
        raise BoxError(
            f"box {values.tolist()} lies outside the {frame_width} x {frame_height} frame: "
            "give x, y, width, height in pixels with the origin at the top left"
        )
    return values
