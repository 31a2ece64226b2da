"""One folder a sequence: own recordings and TNL2K."""

import json
from pathlib import Path

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import check_name, list_folders, list_images
from aiatrack.number_files import read_number_rows, read_numbers, read_text
from aiatrack.paths import is_file, is_folder


class FolderLayout:
    """`NAME/img/*.jpg`, `NAME/groundtruth.txt`; perhaps `NAME/absent.txt` and `NAME/meta.json`."""

    frame_folder = "img"

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: every folder with an annotation, or with frames that lack one, is a sequence."""
        listed = description.listed_sequences()
        names = [
            check_name(path.name, path)
            for path in list_folders(root)
            if is_file(path / "groundtruth.txt") or is_folder(path / self.frame_folder)
        ]
        if not listed and not names:
            raise DataError(
                f"{root} holds no sequence: folders NAME with {self.frame_folder}/ and groundtruth.txt were "
                "expected"
            )
        return listed or tuple(SequenceDescription(name=name) for name in names)

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`."""
        return list_images(root / sequence.name / self.frame_folder)

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return root / sequence.name / "groundtruth.txt"

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`."""
        path = self.annotation_path(root, sequence)
        absent = path.parent / "absent.txt"
        return build_annotation(
            read_number_rows(path, columns=4),
            flagged_absent=read_numbers(absent) if is_file(absent) else None,
            attributes=self.read_attributes(path.parent),
            origin=str(path),
        )

    def read_attributes(self, folder: Path) -> tuple[str, ...]:
        """Challenges that `meta.json` lists."""
        path = folder / "meta.json"
        if not is_file(path):
            return ()
        try:
            listed = json.loads(read_text(path)).get("attributes", [])
        except (json.JSONDecodeError, AttributeError) as error:
            raise DataError(f"{path} is not a JSON object: {error}") from error
        if not isinstance(listed, list) or not all(isinstance(attribute, str) for attribute in listed):
            raise DataError(
                f'{path}: attributes must be a list of texts, such as ["fast motion"]; got {listed!r:.80}'
            )
        return tuple(listed)


TNL2K_ATTRIBUTES = (
    "camera motion",
    "rotation",
    "deformation",
    "full occlusion",
    "illumination variation",
    "out of view",
    "partial occlusion",
    "viewpoint change",
    "scale variation",
    "background clutter",
    "motion blur",
    "aspect ratio change",
    "low resolution",
    "fast motion",
    "adversarial samples",
    "thermal crossover",
    "modality switch",
)
"""The challenges of TNL2K (Wang et al., CVPR 2021, table 2), in the order of its attribute files."""


class Tnl2kLayout(FolderLayout):
    """`NAME/imgs/*.jpg` (or png), `NAME/groundtruth.txt`, 17 flags in `NAME/attributes.txt`."""

    frame_folder = "imgs"

    def read_attributes(self, folder: Path) -> tuple[str, ...]:
        """Challenges from the row of flags; none where the file has another number of them."""
        path = folder / "attributes.txt"
        flags = read_numbers(path) if is_file(path) else ()
        if len(flags) != len(TNL2K_ATTRIBUTES):
            return ()
        return tuple(name for name, flag in zip(TNL2K_ATTRIBUTES, flags, strict=True) if flag)
