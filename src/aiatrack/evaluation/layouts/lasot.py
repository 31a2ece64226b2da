"""LaSOT and its extension: folders by object class, flags for full occlusion and out of view."""

from pathlib import Path

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, BoolArray, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import list_images
from aiatrack.number_files import read_number_rows, read_numbers
from aiatrack.paths import is_folder


class LasotLayout:
    """`CLASS/CLASS-N/img/00000001.jpg`, `groundtruth.txt`, `full_occlusion.txt`, `out_of_view.txt`."""

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: the description's own list."""
        return tuple(
            entry.replace(object_class=entry.name.rsplit("-", 1)[0])
            for entry in description.listed_sequences()
        )

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`."""
        return list_images(self._folder(root, sequence) / "img")

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return self._folder(root, sequence) / "groundtruth.txt"

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`. Absent is what is fully occluded or out of view."""
        path = self.annotation_path(root, sequence)
        absent: BoolArray = self._flags(path.parent / "full_occlusion.txt")
        out_of_view = self._flags(path.parent / "out_of_view.txt")
        if len(absent) != len(out_of_view):
            raise DataError(
                f"{path.parent}: {len(absent)} flags of occlusion but {len(out_of_view)} of out of view"
            )
        boxes = read_number_rows(path, columns=4)
        attributes = ["full occlusion"] * bool(absent.any()) + ["out of view"] * bool(out_of_view.any())
        return build_annotation(
            boxes, flagged_absent=absent | out_of_view, attributes=attributes, origin=str(path)
        )

    def _folder(self, root: Path, sequence: SequenceDescription) -> Path:
        """Copies of LaSOT keep sequences below their class or side by side."""
        by_class = root / sequence.name.rsplit("-", 1)[0] / sequence.name
        beside = root / sequence.name
        return beside if is_folder(beside) and not is_folder(by_class) else by_class

    def _flags(self, path: Path) -> BoolArray:
        flags: BoolArray = read_numbers(path) != 0
        return flags
