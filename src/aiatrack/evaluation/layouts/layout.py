"""What a reader of one layout must answer, and the pieces that several readers share."""

from pathlib import Path
from typing import Protocol

from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.image_files import select_images
from aiatrack.paths import is_folder, why_unreachable


class Layout(Protocol):
    """Finds a benchmark's sequences, frames and annotation below a root folder."""

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """The benchmark's sequences; each answers the other questions together with the same root.

        Raises:
            DataError: the folders are not of this layout.
        """
        ...

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """Frame files in order, whether or not they exist; empty if their folder is not there."""
        ...

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """The file or folder that holds the sequence's boxes, whether or not it exists."""
        ...

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """Ground truth of one sequence.

        Raises:
            DataError: the annotation is missing or damaged.
        """
        ...


def list_images(folder: Path) -> tuple[Path, ...]:
    """Image files of a folder, the same and in the same order as `aiatrack track` takes them for a video.

    Empty without such a folder.

    Raises:
        DataError: the folder may not be read.
    """
    return tuple(select_images(_entries(folder))) if is_folder(folder) else ()


def list_folders(folder: Path) -> list[Path]:
    """Folders inside a folder by name, hidden ones left out.

    Raises:
        DataError: there is no such folder, or it may not be read.
    """
    if not is_folder(folder):
        raise DataError(
            f"there is no folder {folder}{why_unreachable(folder)}: give the root folder of the benchmark"
        )
    return sorted(path for path in _entries(folder) if is_folder(path) and not path.name.startswith("."))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error
