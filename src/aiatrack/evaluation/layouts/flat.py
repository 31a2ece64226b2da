"""Annotation alone: one `NAME.txt` a sequence in one folder, with `absent/NAME.txt` where targets leave."""

from pathlib import Path

from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription
from aiatrack.evaluation.layouts.layout import Layout, check_name
from aiatrack.evaluation.layouts.numbered import drop_unannotated_start
from aiatrack.number_files import read_number_rows, read_numbers
from aiatrack.paths import is_file


class FlatLayout:
    """`NAME.txt`, `absent/NAME.txt`; no frames. Stands in for a benchmark's own layout."""

    def __init__(self, own: Layout, *, needs_flags: bool = False) -> None:
        """Wrap the layout that knows the benchmark's list of sequences.

        Args:
            own: the benchmark's layout.
            needs_flags: whether a missing `absent/NAME.txt` is an error.
        """
        self._own = own
        self._needs_flags = needs_flags

    def list_sequences(
        self, root: Path, description: BenchmarkDescription
    ) -> tuple[SequenceDescription, ...]:
        """See `Layout`: the listed sequences, or else every text file."""
        if description.listed_sequences():
            return self._own.list_sequences(root, description)
        return tuple(
            SequenceDescription(name=check_name(path.stem, path)) for path in sorted(root.glob("*.txt"))
        )

    def frame_paths(self, root: Path, sequence: SequenceDescription) -> tuple[Path, ...]:
        """See `Layout`: none."""
        return ()

    def annotation_path(self, root: Path, sequence: SequenceDescription) -> Path:
        """See `Layout`."""
        return root / f"{sequence.name}.txt"

    def read_annotation(self, root: Path, sequence: SequenceDescription) -> Annotation:
        """See `Layout`."""
        path = self.annotation_path(root, sequence)
        absent = root / "absent" / path.name
        annotation = build_annotation(
            read_number_rows(path, columns=4),
            flagged_absent=read_numbers(absent) if self._needs_flags or is_file(absent) else None,
            origin=str(path),
        )
        return drop_unannotated_start(annotation, sequence, path)
