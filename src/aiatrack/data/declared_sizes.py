"""Sizes of images that annotations state, beside those that the images have."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.data.annotations import Annotations
from aiatrack.data.index import SourceIndex


def size_problem(path: Path, size: npt.NDArray[Any], declared: npt.NDArray[Any]) -> str:
    """Return what is wrong with a stated size, in words; empty if nothing is.

    Args:
        path: of the image.
        size: `(2,)` width and height, px; not positive where the image was not decoded.
        declared: the same as stated; 0 where it is not.
    """
    if (size <= 0).any() or (declared <= 0).any() or (size == declared).all():
        return ""
    return (
        f"{path}: the image is {size[0]} x {size[1]} px, its annotations say {declared[0]} x {declared[1]}; "
        "its boxes may be of another size"
    )


def sizes_that_differ(annotations: Annotations, index: SourceIndex) -> list[str]:
    """Return a line for each decoded image that is not of the size stated."""
    problems = []
    places = zip(index.image_clip.tolist(), index.image_frame.tolist(), strict=True)
    size_of = dict(zip(places, index.image_size, strict=True))
    for number, clip in enumerate(annotations.clips):
        if clip.declared_sizes is None:
            continue
        for path, frame, declared in zip(clip.images, clip.frame_numbers, clip.declared_sizes, strict=True):
            problem = size_problem(path, size_of.get((number, int(frame)), np.zeros(2)), declared)
            problems += [problem] if problem else []
    return problems
