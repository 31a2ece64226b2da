"""OTB, UAV123 and NfS: numbered frame files whose ranges the benchmark's description lists."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.number_files import read_number_rows, read_numbers, read_text
from aiatrack.paths import is_file, is_folder

UAV_ATTRIBUTES = (
    "scale variation",
    "aspect ratio change",
    "low resolution",
    "fast motion",
    "full occlusion",
    "partial occlusion",
    "out of view",
    "background clutter",
    "illumination variation",
    "viewpoint change",
    "camera motion",
    "similar object",
)
"""Columns of UAV123's attribute files, in order (Mueller et al., ECCV 2016, table 2)."""


def drop_unannotated_start(annotation: Annotation, sequence: SequenceDescription, origin: Path) -> Annotation:
    """Drop rows of initial frames that are not tracked, if the file still has them; check the number of rows.

    Raises:
        DataError: rows for neither all frames nor the tracked ones.
    """
    if sequence.last is None:
        return annotation
    frames = sequence.last - sequence.first + 1
    tracked = frames - sequence.omit_initial
    if len(annotation) == tracked:
        return annotation
    if len(annotation) != frames:
        raise DataError(f"{origin}: {tracked} rows were expected for {sequence.name}, got {len(annotation)}")
    start = sequence.omit_initial
    return replace(
        annotation,
        boxes_xywh=annotation.boxes_xywh[start:],
        visible=annotation.visible[start:],
        flagged_absent=None if annotation.flagged_absent is None else annotation.flagged_absent[start:],
    )


class OtbLayout:
    """`NAME/img/0001.jpg`, `NAME/groundtruth_rect.txt`: commas or tabs; second targets in own files."""

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: the description's own list."""
        return description.listed_sequences()

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`: numbered files from the first tracked frame to the last."""
        folder = root / sequence.frames
        if sequence.last is None or not is_folder(folder):
            return ()
        numbers = range(sequence.first + sequence.omit_initial, sequence.last + 1)
        return tuple(folder / f"{number:0{sequence.digits}d}.{sequence.extension}" for number in numbers)

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return root / sequence.annotation

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`."""
        path = self.annotation_path(root, sequence)
        boxes = read_number_rows(path, columns=4)
        attributes = self.read_attributes(root, sequence)
        annotation = build_annotation(boxes, attributes=attributes, origin=str(path))
        return drop_unannotated_start(annotation, sequence, path)

    def read_attributes(self, root: Path, sequence: SequenceDescription) -> tuple[str, ...]:
        """Challenges, from `NAME/attrs.txt` where a copy of the benchmark has it."""
        path = root / Path(sequence.frames).parent / "attrs.txt"
        if not is_file(path):
            return ()
        return tuple(part.strip() for part in read_text(path, may_be_empty=True).split(",") if part.strip())


class UavLayout(OtbLayout):
    """`data_seq/UAV123/NAME/000001.jpg`, `anno/UAV123/NAME.txt` (NaN: absent), `att/NAME.txt`."""

    def read_attributes(self, root: Path, sequence: SequenceDescription) -> tuple[str, ...]:
        """Challenges, from the row of twelve flags beside the annotation."""
        annotation = root / sequence.annotation
        path = annotation.parent / "att" / annotation.name
        if not is_file(path):
            return ()
        flags = read_numbers(path)
        if flags.shape != (len(UAV_ATTRIBUTES),):
            raise DataError(f"{path}: {len(UAV_ATTRIBUTES)} flags were expected, got {len(flags)}")
        return tuple(np.array(UAV_ATTRIBUTES)[flags != 0].tolist())


class NfsLayout(OtbLayout):
    """`sequences/NAME/00001.jpg`, `anno/nfs_NAME.txt`."""

    def read_attributes(self, root: Path, sequence: SequenceDescription) -> tuple[str, ...]:
        """None: NfS keeps its challenges in no machine-readable file."""
        return ()
