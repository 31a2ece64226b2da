"""GOT-10k: a split's folders, cover labels, image size and class in `meta_info.ini`."""

import configparser
from ast import literal_eval
from pathlib import Path

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import list_numbered_images
from aiatrack.number_files import read_number_rows, read_numbers, read_text
from aiatrack.paths import is_file, is_folder


class Got10kLayout:
    """`SPLIT/NAME/00000001.jpg`, `groundtruth.txt`, `cover.label`, `meta_info.ini`."""

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: numbered names below the split's folder, or the root itself if it is that folder."""
        split = root / description.folder
        below = description.folder if is_folder(split) else ""
        entries = [
            entry.replace(frames=str(Path(below) / entry.name)) for entry in description.listed_sequences()
        ]
        return tuple(
            entry.replace(object_class=self._meta(root, entry).get("object_class")) for entry in entries
        )

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`: by the numbers of their names, from 1 to the last that is there."""
        return list_numbered_images(root / sequence.frames, first=1)

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return root / sequence.frames / "groundtruth.txt"

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`. Absent is what has cover label 0; the test split annotates frame 0 alone."""
        path = self.annotation_path(root, sequence)
        boxes = read_number_rows(path, columns=4)
        frames = len(self.frame_paths(root, sequence))
        if len(boxes) == 1 and frames > 1:
            boxes = np.concatenate((boxes, np.full((frames - 1, 4), np.nan)))
        cover = path.parent / "cover.label"
        return build_annotation(
            boxes,
            flagged_absent=read_numbers(cover) == 0 if is_file(cover) else None,
            image_size=self._image_size(root, sequence),
            origin=str(path),
        )

    def _image_size(self, root: Path, sequence: SequenceDescription) -> tuple[int, int] | None:
        text = self._meta(root, sequence).get("resolution")
        if text is None:
            return None
        try:
            width, height = literal_eval(text)
            return int(width), int(height)
        except (ValueError, SyntaxError, TypeError) as error:
            raise DataError(
                f"{sequence.name}: resolution in meta_info.ini must be (width, height); got {text}"
            ) from error

    def _meta(self, root: Path, sequence: SequenceDescription) -> dict[str, str]:
        path = root / sequence.frames / "meta_info.ini"
        if not is_file(path):
            return {}
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(read_text(path))
        except configparser.Error as error:
            raise DataError(f"{path} is not an INI file: {error}") from error
        entries: dict[str, str] = {}
        for section in parser.sections():
            entries.update(parser[section])
        return {key.replace("object class", "object_class"): value for key, value in entries.items()}
