"""TrackingNet: frames and annotation in two trees; the test split annotates frame 0 alone."""

from pathlib import Path

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import check_name, list_numbered_images
from aiatrack.number_files import read_number_rows
from aiatrack.paths import is_folder


class TrackingNetLayout:
    """`TEST/frames/NAME/0.jpg`, `TEST/anno/NAME.txt`."""

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: every annotation file names a sequence."""
        below = description.folder if is_folder(root / description.folder / "anno") else ""
        files = sorted((root / below / "anno").glob("*.txt"))
        if not files:
            raise DataError(
                f"{root} holds no TrackingNet split: {description.folder}/anno/NAME.txt was expected"
            )
        return tuple(
            SequenceDescription(
                name=check_name(path.stem, path),
                frames=str(Path(below) / "frames" / path.stem),
                annotation=str(Path(below) / "anno" / path.name),
            )
            for path in files
        )

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`: by the numbers of their names, from 0 to the last that is there."""
        return list_numbered_images(root / sequence.frames, first=0)

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return root / sequence.annotation

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`. Frames that only the server has boxes for are NaN."""
        path = self.annotation_path(root, sequence)
        boxes = read_number_rows(path, columns=4)
        frames = len(self.frame_paths(root, sequence))
        if len(boxes) == 1 and frames > 1:
            boxes = np.concatenate((boxes, np.full((frames - 1, 4), np.nan)))
        return build_annotation(boxes, origin=str(path))
