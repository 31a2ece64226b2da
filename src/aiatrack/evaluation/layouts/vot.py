"""VOT-style folders: a list of sequences, regions as rectangles, polygons or run-length masks."""

import re
from pathlib import Path

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, FloatArray, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import check_name, list_folders, list_images
from aiatrack.number_files import read_number_rows, read_text
from aiatrack.paths import is_file

_ABSENT = (np.nan,) * 4


class VotLayout:
    """`list.txt`, `NAME/groundtruth.txt` and frames in `NAME/color/`, `NAME/img/` or `NAME/` itself."""

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: the names in `list.txt`, or else every folder with an annotation."""
        listing = next(
            (path for path in (root / "list.txt", root / "sequences" / "list.txt") if is_file(path)), None
        )
        if listing is not None:
            below = listing.parent.relative_to(root)
            names = read_text(listing).split()
        else:
            below = Path()
            names = [
                check_name(path.name, path)
                for path in list_folders(root)
                if is_file(path / "groundtruth.txt")
            ]
        if not names:
            raise DataError(
                f"{root} holds no VOT sequence: list.txt, or folders with groundtruth.txt, were expected"
            )
        return tuple(
            SequenceDescription(
                name=name, frames=str(below / name), annotation=str(below / name / "groundtruth.txt")
            )
            for name in names
        )

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`."""
        folder = root / sequence.frames
        found = (list_images(folder / below) for below in ("color", "img", ""))
        return next((paths for paths in found if paths), ())

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return root / sequence.annotation

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`. Polygons and masks become the smallest upright box around them."""
        path = self.annotation_path(root, sequence)
        if any(line.startswith("m") for line in read_text(path).split("\n")):
            boxes = np.array([_region_box(line, path) for line in read_text(path).split("\n")])
        else:
            boxes = _polygon_boxes(read_number_rows(path), path)
        return build_annotation(boxes, origin=str(path))


def _polygon_boxes(rows: FloatArray, origin: Path) -> FloatArray:
    """Rectangles as they are, polygons of three corners or more by their bounding boxes; `(T, 4)` xywh."""
    columns = rows.shape[1]
    if columns == 4:
        return rows
    if columns < 6 or columns % 2:
        raise DataError(f"{origin}: a region is x,y,w,h or a polygon of corners x,y; got {columns} numbers")
    corners = rows.reshape(len(rows), -1, 2)
    low = corners.min(axis=1)
    return np.concatenate((low, corners.max(axis=1) - low), axis=1)


def _region_box(line: str, origin: Path) -> tuple[float, ...]:
    """Box of one region: `m x0,y0,w,h,run,run,...` with runs of zeros first, `x,y,w,h`, a polygon, or `0`."""
    try:
        numbers = np.array([float(part) for part in re.split(r"[,\s]+", line.removeprefix("m").strip())])
    except ValueError as error:
        raise DataError(f"{origin}: not a region: {line[:60]!r}") from error
    if len(numbers) == 1:
        return _ABSENT
    if not line.startswith("m"):
        return tuple(_polygon_boxes(numbers[None], origin)[0].tolist())
    if len(numbers) < 4:
        raise DataError(f"{origin}: a mask is m x0,y0,w,h,runs; got {line[:60]!r}")
    left, top, width, height, *runs = numbers.astype(int).tolist()
    ends = np.cumsum(runs)
    if not width or not height or len(ends) < 2:
        return _ABSENT
    if ends[-1] > width * height:
        raise DataError(f"{origin}: the runs of a mask cover {ends[-1]} pixels, its frame {width} x {height}")
    pixels = np.concatenate([np.arange(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False)])
    if not len(pixels):
        return _ABSENT
    rows, columns = pixels // width, pixels % width
    box = (left + columns.min(), top + rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    return tuple(float(number) for number in box)
