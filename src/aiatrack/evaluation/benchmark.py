"""A benchmark on disk: its description, a root folder, and the reader that fits the two."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from aiatrack.errors import AiATrackError, DataError, SettingsError
from aiatrack.evaluation.annotation import Annotation
from aiatrack.evaluation.description import BenchmarkDescription, SequenceDescription, load_description
from aiatrack.evaluation.layouts import LAYOUTS, FlatLayout, Layout
from aiatrack.image_files import read_image_size
from aiatrack.paths import AnyPath, exists, expand_home, is_file, is_folder, why_unreachable


@dataclass(frozen=True)
class BenchmarkSequence:
    """One sequence; nothing is read before it is asked for."""

    name: str
    description: SequenceDescription
    root: Path
    layout: Layout

    @cached_property
    def frame_paths(self) -> tuple[Path, ...]:
        """Frame files in order, as many as annotated rows; empty where frames are not there."""
        return self.layout.frame_paths(self.root, self.description)

    @property
    def missing_frames(self) -> list[Path]:
        """Frame files that are not there; none where no frames are."""
        return [path for path in self.frame_paths if not is_file(path)]

    @property
    def annotation_path(self) -> Path:
        """The file or folder with the sequence's boxes."""
        return self.layout.annotation_path(self.root, self.description)

    def read_annotation(self) -> Annotation:
        """Read the sequence's ground truth, the size of its frames included where they are there.

        Raises:
            DataError: it is missing or damaged.
        """
        annotation = self.layout.read_annotation(self.root, self.description)
        if annotation.image_size is not None or not self.frame_paths:
            return annotation
        try:
            return replace(annotation, image_size=read_image_size(self.frame_paths[0]))
        except DataError:
            # A bad picture does not spoil boxes; rules that clip to the image say that its size is not known.
            return annotation


@dataclass(frozen=True)
class Benchmark:
    """A benchmark whose annotation was found below `root`."""

    description: BenchmarkDescription
    root: Path
    sequences: tuple[BenchmarkSequence, ...]
    has_frames: bool
    """False where only annotation files lie below the root: results can be scored, trackers not run."""

    @property
    def name(self) -> str:
        """Name of the description, such as `otb100`."""
        return self.description.name

    def select_sequences(self, names: list[str]) -> "Benchmark":
        """The same benchmark with some of its sequences.

        Raises:
            SettingsError: a name is not among the sequences.
        """
        known = {sequence.name: sequence for sequence in self.sequences}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise SettingsError(
                f"{self.name} has no sequence {', '.join(unknown)}; its names look like {next(iter(known))}"
            )
        return Benchmark(self.description, self.root, tuple(known[name] for name in names), self.has_frames)


@dataclass(frozen=True)
class SequenceCheck:
    """What a look at the disk found for one sequence."""

    name: str
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether annotation and all frames are there and agree."""
        return not self.problems


def open_benchmark(name: str, root: AnyPath) -> Benchmark:
    """Open a benchmark below a folder.

    Args:
        name: a name of `benchmark_names`, such as `otb100`.
        root: the folder in the benchmark's own layout, or one of flat annotation files (`NAME.txt`); either
            may also lie in a subfolder called after the benchmark. A leading `~` is the home folder.

    Raises:
        SettingsError: there is no benchmark of that name, or a sequence cannot be called after its folder.
        DataError: the folder is missing or holds nothing of the benchmark.
    """
    description = load_description(name)
    if description.layout not in LAYOUTS:
        raise SettingsError(f"benchmark {name}: no reader for layout {description.layout!r}")
    root = expand_home(root)
    own = LAYOUTS[description.layout]
    if not is_folder(root):
        raise DataError(
            f"there is no folder {root}{why_unreachable(root)}: give the folder that holds "
            f"{description.title}"
        )
    below = root / description.name
    flat = FlatLayout(own, needs_flags=description.absence_flags)
    candidates = [(folder, layout) for folder in (root, below) if is_folder(folder) for layout in (own, flat)]
    failures = []
    for folder, layout in candidates:
        try:
            entries = layout.list_sequences(folder, description)
        except DataError as error:
            failures.append(str(error))
            continue
        if any(exists(layout.annotation_path(folder, entry)) for entry in entries):
            sequences = tuple(BenchmarkSequence(entry.name, entry, folder, layout) for entry in entries)
            return Benchmark(description, folder, sequences, has_frames=layout is own)
    detail = f" ({failures[0]})" if failures else ""
    raise DataError(
        f"{root} holds no annotation of {description.title}{detail}: "
        f"give the folder in the benchmark's own layout, or one of files NAME.txt"
    )


def check_benchmark(benchmark: Benchmark) -> list[SequenceCheck]:
    """Look for every file of every sequence; annotation is read, frames are only looked for.

    Where a benchmark's sequences are counted but not listed, a wrong count is one more entry under its name.
    """
    expected, found = benchmark.description.expected_sequences, len(benchmark.sequences)
    count = [f"{found} sequences found, {expected} expected"] * (expected not in (None, found))
    return [SequenceCheck(benchmark.name, (problem,)) for problem in count] + [
        SequenceCheck(sequence.name, tuple(_problems(sequence, benchmark)))
        for sequence in benchmark.sequences
    ]


def _problems(sequence: BenchmarkSequence, benchmark: Benchmark) -> list[str]:
    try:
        annotated = len(sequence.read_annotation())
    except AiATrackError as error:
        return [str(error)]
    if not benchmark.has_frames:
        return []
    frames = sequence.frame_paths
    if not frames:
        return ["no frames"]
    missing = sequence.missing_frames
    problems = []
    if missing:
        problems.append(f"{len(missing)} of {len(frames)} frames missing, first {missing[0]}")
    if len(frames) != annotated:
        problems.append(f"{len(frames)} frames but {annotated} annotated rows")
    return problems
