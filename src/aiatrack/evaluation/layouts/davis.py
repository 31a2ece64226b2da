"""DAVIS: indexed masks as annotation; every object of a film is a sequence of its own."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import check_name, list_folders, list_images
from aiatrack.evaluation.number_files import read_text
from aiatrack.evaluation.pictures import read_picture
from aiatrack.image_files import png_chunks
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
    """Object numbers, `(H, W)`: indices of a PNG with a palette, else grey levels, else of VOC's colours.

    Raises:
        DataError: the file is missing, damaged or no image.
    """
    mask = _read_indices(path) if _has_palette(path) else read_picture(path, cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise DataError(f"cannot read mask {path}: a PNG image was expected")
    return mask if mask.ndim == 2 else _voc_index(mask[..., :3].astype(np.int64))


def _read_indices(path: Path) -> npt.NDArray[Any] | None:
    # Imported where it is needed: the room of training data brings PyTorch, which scoring does without.
    from aiatrack.data.masks import read_mask

    return read_mask(path)


def _has_palette(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return any(kind == b"IHDR" and file.read(10)[9:] == b"\x03" for kind, _ in png_chunks(file))
    except OSError:
        return False


def _voc_index(colours_bgr: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Invert the colour map of VOC and DAVIS: each channel holds every third bit of the index.

    Copies that were saved without their palette have nothing but its colours.
    """
    index = np.zeros(colours_bgr.shape[:2], np.int64)
    for channel, shift in ((2, 0), (1, 1), (0, 2)):
        plane = colours_bgr[..., channel]
        for place in range(8):
            bit = (plane >> (7 - place)) & 1
            index |= bit << (3 * place + shift)
    return index


def _mask_box(mask: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return _ABSENT
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    return tuple(float(number) for number in box)
