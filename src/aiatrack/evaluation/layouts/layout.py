"""What a reader of one layout must answer, and the pieces that several readers share."""

from pathlib import Path
from typing import Protocol

from aiatrack.errors import DataError, SettingsError
from aiatrack.evaluation.annotation import Annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.image_files import frame_number, select_images
from aiatrack.paths import is_folder, why_unreachable


class Layout(Protocol):
    """Finds a benchmark's sequences, frames and annotation below a root folder."""

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """The benchmark's sequences; each answers the other questions together with the same root.

        Raises:
            DataError: the folders are not of this layout.
            SettingsError: a sequence cannot be called after its file or folder.
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


def list_numbered_images(folder: Path, first: int, last: int | None = None) -> tuple[Path, ...]:
    """Image files of a folder by the numbers that their names end with; by position if these are no numbers.

    A frame that is not there keeps its place: without it, later ones would shift against the boxes.

    Args:
        folder: of the frames, the first of them number 1, or 0 where that is wanted.
        first: number of the first frame wanted.
        last: number of the last frame wanted; the highest that is there if None.

    Raises:
        DataError: the folder may not be read.
    """
    frames = list_images(folder)
    numbered = _by_number(frames)
    if not numbered:
        return frames[max(first - 1, 0) : last]
    numbers = range(first, (max(numbered) if last is None else last) + 1)
    return tuple(numbered.get(number) or _numbered_like(frames[0], number) for number in numbers)


def _by_number(frames: tuple[Path, ...]) -> dict[int, Path]:
    """Frames by the number at the end of their names; empty if not every one has a number of its own."""
    found = {number: path for path in frames if (number := frame_number(path)) is not None}
    return found if len(found) == len(frames) else {}


def _numbered_like(frame: Path, number: int) -> Path:
    digits = len(frame.stem) - len(frame.stem.rstrip("0123456789"))
    return frame.with_name(f"{frame.stem[:-digits]}{number:0{digits}d}{frame.suffix}")


def time_of_change(path: Path) -> int:
    """When a file was written last, ns, to know it again by; 0 if it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def check_name(name: str, path: Path) -> str:
    """Return a sequence's name if it is text.

    Args:
        name: after a file or folder.
        path: of that.

    Raises:
        SettingsError: the name is not UTF-8, so that neither results nor notes could be called after it.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SettingsError(
            f"{path}: the name is not UTF-8 text, so no sequence can be called after it: rename it"
        ) from error
    return name


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
