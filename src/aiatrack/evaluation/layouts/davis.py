"""DAVIS: indexed masks as annotation; every object of a film is a sequence of its own."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, FloatArray, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import check_name, list_folders, list_images, time_of_change
from aiatrack.mask_files import read_voc_mask
from aiatrack.number_files import read_text
from aiatrack.paths import is_file

_UNJUDGED = 255
"""Marks pixels that are not judged; objects have lower numbers."""


class DavisLayout:
    """`JPEGImages/480p/NAME`, `Annotations/480p/NAME/*.png`, `ImageSets/2017/val.txt`.

    Sequences are `NAME_1`, `NAME_2`, ... after the objects of a film.
    """

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: the objects in the first mask of every film of the split, or of all films."""
        split = root / "ImageSets" / "2017" / f"{description.folder}.txt"
        annotations = root / "Annotations" / "480p"
        names = (
            read_text(split).split()
            if is_file(split)
            else [check_name(path.name, path) for path in list_folders(annotations)]
        )
        entries = []
        for name in names:
            masks = list_images(annotations / name)
            if not masks:
                raise DataError(f"{annotations / name} holds no masks: PNG files, one a frame, were expected")
            entries += [_describe(name, target) for target in _list_objects(_read_mask(masks[0]))]
        return tuple(entries)

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`."""
        return list_images(root / sequence.frames)

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`: the folder of masks."""
        return root / sequence.annotation

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`. A frame whose mask lacks the object is absent."""
        folder = self.annotation_path(root, sequence)
        masks = list_images(folder)
        if not masks:
            raise DataError(f"{folder} holds no masks: PNG files were expected")
        film = _read_film(masks, tuple(map(time_of_change, masks)))
        boxes = film.boxes_xywh[sequence.target].copy()
        return build_annotation(boxes, image_size=film.image_size, origin=sequence.name)


@dataclass(frozen=True)
class _Film:
    """What the masks of a film say of all its objects."""

    boxes_xywh: FloatArray
    """`(255, T, 4)` px, by the number of the object; NaN where it is absent."""
    image_size: tuple[int, int]
    """Width and height, px."""


@lru_cache(maxsize=4)
def _read_film(masks: tuple[Path, ...], _modified: tuple[int, ...]) -> _Film:
    """Boxes of all objects in a single pass, read once for each state of the files; not to be written to."""
    boxes = np.full((_UNJUDGED, len(masks), 4), np.nan)
    shapes = []
    for frame, path in enumerate(masks):
        mask = _read_mask(path)
        shapes.append(mask.shape)
        for target in _list_objects(mask):
            boxes[target, frame] = _bounding_box(mask == target)
    height, width = shapes[0]
    return _Film(boxes, (width, height))


def _describe(film: str, target: int) -> SequenceDescription:
    return SequenceDescription(
        name=f"{film}_{target}",
        frames=f"JPEGImages/480p/{film}",
        annotation=f"Annotations/480p/{film}",
        target=target,
    )


def _read_mask(path: Path) -> npt.NDArray[Any]:
    """Object numbers, `(H, W)`.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    mask = read_voc_mask(path)
    if mask is None:
        raise DataError(f"cannot read mask {path}: a PNG image was expected")
    return mask


def _list_objects(mask: npt.NDArray[Any]) -> list[int]:
    """Numbers of the objects in a mask, in rising order."""
    return [target for target in np.unique(mask).tolist() if 0 < target < _UNJUDGED]


def _bounding_box(mask: npt.NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Left, top, width and height of the pixels that are set, px; of one at least."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
