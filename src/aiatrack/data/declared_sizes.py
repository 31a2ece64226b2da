"""Sizes of images that annotations state, beside those that the images have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import LARGEST_PX, Annotations
from aiatrack.data.index import SourceIndex


def read_declared_sizes(rows: Sequence[dict[str, Any]]) -> npt.NDArray[np.int64] | None:
    """Return `width` and `height` of T rows of JSON as `Clip.declared_sizes`; None if none states them."""
    sizes = np.array([_declared_size(row) for row in rows], dtype=np.int64).reshape(-1, 2)
    return sizes if sizes.any() else None


def _declared_size(row: dict[str, Any]) -> tuple[int, int]:
    """Width and height, px; 0 where they are not whole numbers that an image can have."""
    sides = row.get("width"), row.get("height")
    width, height = (side if isinstance(side, int) and 0 < side < LARGEST_PX else 0 for side in sides)
    return width, height


def size_problem(path: Path, size: Sequence[int], declared: Sequence[int]) -> str:
    """Return what is wrong with a stated size, in words; empty if nothing is.

    Args:
        path: of the image.
        size: width and height, px; not positive where the image was not decoded.
        declared: the same as stated; 0 where it is not.
    """
    if size == declared or min(*size, *declared) <= 0:
        return ""
    return (
        f"{path}: the image is {size[0]} x {size[1]} px, its annotations say {declared[0]} x {declared[1]}; "
        "its boxes may be of another size"
    )


def sizes_that_differ(annotations: Annotations, index: SourceIndex) -> list[str]:
    """Return a line for each decoded image that is not of the size stated."""
    problems: list[str] = []
    if all(clip.declared_sizes is None for clip in annotations.clips):
        return problems  # as most layouts: of millions of images none needs to be looked up
    places = zip(index.image_clip.tolist(), index.image_frame.tolist(), strict=True)
    size_of = dict(zip(places, index.image_size.tolist(), strict=True))
    for number, clip in enumerate(annotations.clips):
        if clip.declared_sizes is None:
            continue
        frames, sizes = clip.frame_numbers.tolist(), clip.declared_sizes.tolist()
        for path, frame, declared in zip(clip.images, frames, sizes, strict=True):
            problem = size_problem(path, size_of.get((number, frame), (0, 0)), declared)
            problems += [problem] if problem else []
    return problems
