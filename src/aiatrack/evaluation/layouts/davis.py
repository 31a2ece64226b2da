"""DAVIS: indexed masks as annotation; every object of a film is a sequence of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import check_name, list_folders, list_images
from aiatrack.mask_files import read_voc_mask
from aiatrack.number_files import read_text
from aiatrack.paths import is_file

_ABSENT = (np.nan,) * 4


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
            for target in np.unique(_read_mask(masks[0])):
                if 0 < target < 255:  # 255 marks pixels that are not judged
                    entries.append(_describe(name, int(target)))
        return tuple(entries)

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`."""
        return list_images(root / sequence.frames)

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`: the folder of masks."""
        return root / sequence.annotation

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`. A frame whose mask lacks the object is absent."""
        masks = [_read_mask(path) for path in list_images(self.annotation_path(root, sequence))]
        if not masks:
            raise DataError(f"{self.annotation_path(root, sequence)} holds no masks: PNG files were expected")
        boxes = np.array([_mask_box(mask == sequence.target) for mask in masks])
        height, width = masks[0].shape
        return build_annotation(boxes, image_size=(width, height), origin=sequence.name)


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


def _mask_box(mask: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return _ABSENT
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    return tuple(float(number) for number in box)
