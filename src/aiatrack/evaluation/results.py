"""Result files of one tracker on one benchmark: found, read, checked against the annotation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.errors import DataError
from aiatrack.evaluation.annotation import Annotation, FloatArray
from aiatrack.evaluation.benchmark import Benchmark
from aiatrack.evaluation.checks import check_finite_rows
from aiatrack.evaluation.description import benchmark_names, load_description
from aiatrack.number_files import read_number_rows
from aiatrack.paths import AnyPath, expand_home, is_file, is_folder, why_unreachable

_SHOWN = 8
_LEAST_START_OVERLAP = 0.5
_REMEDY = "repair them, or leave these sequences out with --partial (in Python, partial=True)"


@dataclass(frozen=True)
class ResultProblem:
    """Why one sequence cannot be scored."""

    sequence: str
    problem: str


@dataclass(frozen=True, eq=False)
class BenchmarkAnnotations(Mapping[str, Annotation]):
    """Ground truth of a benchmark's sequences by name, and why it is lacking for some."""

    by_name: Mapping[str, Annotation]
    problems: tuple[ResultProblem, ...] = ()
    """Sequences that were left out since their annotation is missing or damaged."""

    def __getitem__(self, name: str) -> Annotation:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)


@dataclass(frozen=True)
class Results:
    """What was read from one folder of results."""

    boxes: dict[str, FloatArray]
    """`(T, 4)` xywh by sequence name, as many rows as annotated; only sound ones."""
    problems: tuple[ResultProblem, ...] = ()
    """The others, by name."""
    frame_seconds: dict[str, FloatArray] = field(default_factory=dict)
    """Seconds for each frame of every run, where the tracker left a sound `NAME_time.txt`."""
    notes: tuple[str, ...] = ()

    @property
    def frames_per_second(self) -> float | None:
        """Mean speed over all timed frames; None without times."""
        times = [seconds[seconds > 0] for seconds in self.frame_seconds.values()]
        timed = np.concatenate(times) if times else np.empty(0)
        return float(len(timed) / timed.sum()) if len(timed) else None


def read_annotations(benchmark: Benchmark, *, partial: bool = False) -> BenchmarkAnnotations:
    """Ground truth of all sequences by name.

    Args:
        benchmark: opened.
        partial: leave out sequences whose annotation is missing or damaged, which
            `BenchmarkAnnotations.problems` names.

    Raises:
        DataError: missing or damaged annotation, named, of any sequence or, if `partial`, of all; or a
            benchmark whose server keeps it.
    """
    if benchmark.description.annotated_frames == "first":
        raise DataError(
            f"{benchmark.description.title} annotates only frame 0, its server scores: write a submission"
        )
    return read_known_annotations(benchmark, partial=partial)


def read_known_annotations(benchmark: Benchmark, *, partial: bool = False) -> BenchmarkAnnotations:
    """As `read_annotations`, but of frame 0 alone where a server keeps the rest."""
    annotations: dict[str, Annotation] = {}
    problems = []
    for sequence in benchmark.sequences:
        try:
            annotations[sequence.name] = sequence.read_annotation()
        except DataError as error:
            problems.append(ResultProblem(sequence.name, str(error)))
    if problems and not (partial and annotations):
        raise DataError(
            f"annotation of {benchmark.name}: {_summary(problems, len(benchmark.sequences))}; {_REMEDY}"
        )
    return BenchmarkAnnotations(annotations, tuple(problems))


def find_result_file(folder: Path, sequence: str, prefix: str = "") -> Path | None:
    """A sequence's file, `PREFIXNAME.txt`, `NAME.txt` or `NAME/NAME_001.txt`; None if there is none."""
    names = dict.fromkeys((f"{prefix}{sequence}.txt", f"{sequence}.txt", f"{sequence}/{sequence}_001.txt"))
    return next((folder / name for name in names if is_file(folder / name)), None)


def select_results_folder(folder: Path, benchmark: str) -> Path:
    """The subfolder that is called after the benchmark, or the folder itself where there is none."""
    inner = folder / benchmark
    return inner if is_folder(inner) else folder


def read_results(
    folder: AnyPath, benchmark: Benchmark, annotations: BenchmarkAnnotations, *, partial: bool = False
) -> Results:
    """Read a tracker's results, any dialect of delimiter, and check them against the annotation.

    Args:
        folder: with one file a sequence; a subfolder called after the benchmark is looked into as well.
        benchmark: whose sequences are wanted.
        annotations: from `read_annotations`; its problems are among `Results.problems`.
        partial: score what is sound and leave out the rest, which `Results.problems` names.

    Raises:
        DataError: no folder, no result of this benchmark, boxes that do not start at the targets; or, unless
            `partial`, any problem at all. Nothing is padded, cut or guessed.
    """
    folder = expand_home(folder)
    if not is_folder(folder):
        raise DataError(
            f"there is no folder of results {folder}{why_unreachable(folder)}: one file NAME.txt a sequence "
            "was expected"
        )
    prefix = benchmark.description.result_prefix
    folder = select_results_folder(folder, benchmark.name)
    paths = {name: find_result_file(folder, name, prefix) for name in annotations}
    if not any(paths.values()):
        raise DataError(
            f"{folder} holds no result of {benchmark.description.title}{_likely_benchmark(folder)}"
        )
    results = _read_all(paths, annotations)
    if results.problems and not (partial and results.boxes):
        total = len(annotations) + len(annotations.problems)
        raise DataError(f"results in {folder}: {_summary(results.problems, total)}; {_REMEDY}")
    return _checked_starts(results, annotations, folder)


def _read_all(paths: Mapping[str, Path | None], annotations: BenchmarkAnnotations) -> Results:
    boxes: dict[str, FloatArray] = {}
    seconds: dict[str, FloatArray] = {}
    problems = list(annotations.problems)
    repeated: list[str] = []
    mistimed: list[str] = []
    for name, path in paths.items():
        if path is None:
            problems.append(ResultProblem(name, "no result file"))
            continue
        frames = len(annotations[name])
        try:
            boxes[name] = read_result_boxes(path, frames)
        except DataError as error:
            problems.append(ResultProblem(name, str(error)))
            continue
        try:
            times = _read_times(path, name, frames)
        except DataError:
            # Boxes can be scored without times, but a speed from unsound ones would be wrong.
            mistimed.append(name)
        else:
            if times is not None:
                seconds[name] = times
        if path.name == f"{name}_001.txt" and is_file(path.with_name(f"{name}_002.txt")):
            repeated.append(name)
    return Results(boxes, tuple(problems), seconds, tuple(_notes(repeated, mistimed)))


def _notes(repeated: Sequence[str], mistimed: Sequence[str]) -> Iterator[str]:
    """What readers must know of sequences with several runs, and of those with unsound times."""
    if repeated:
        yield f"{len(repeated)} sequences were run more than once; the first run is scored"
    if mistimed:
        yield (
            f"times of {len(mistimed)} sequences ({', '.join(mistimed[:_SHOWN])}) are left out of the speed: "
            "a row a frame of 1 or 3 numbers, none negative, was expected"
        )


def read_result_boxes(path: Path, frames: int) -> FloatArray:
    """Read one result file, `(frames, 4)` xywh.

    Raises:
        DataError: not four numbers a row, another number of rows, or a box that is not finite or has a
            negative side.
    """
    boxes = read_number_rows(path, columns=4)
    if len(boxes) != frames:
        kind = "short" if len(boxes) < frames else "long"
        raise DataError(
            f"{path.name} is too {kind}: {frames} rows were expected, one a frame, got {len(boxes)}"
        )
    check_finite_rows(boxes, path.name)
    negative = (boxes[:, 2:] < 0).any(axis=1)
    if negative.any():
        raise DataError(
            f"{path.name}: {negative.sum()} boxes of negative size, first row {int(negative.argmax()) + 1}"
        )
    return boxes


def _read_times(result: Path, name: str, frames: int) -> FloatArray | None:
    """Seconds of every frame and run; a row a frame, a column for all runs or, in GOT-10k, for each of three.

    Raises:
        DataError: the file holds something else.
    """
    names = (f"{name}_time.txt", f"{result.stem}_time.txt", f"times/{name}_time.txt")
    path = next((result.parent / name for name in names if is_file(result.parent / name)), None)
    if path is None:
        return None
    times = read_number_rows(path)
    if times.shape not in ((frames, 1), (frames, 3)) or not (np.isfinite(times) & (times >= 0)).all():
        raise DataError(f"{path.name}: {frames} rows of 1 or 3 times, none negative, were expected")
    return times.ravel()


def _checked_starts(results: Results, annotations: Mapping[str, Annotation], folder: Path) -> Results:
    """Frame 0 is given: results that start elsewhere belong to other sequences or another box format."""
    off = [
        name for name, boxes in results.boxes.items() if not _starts_at_target(boxes[0], annotations[name])
    ]
    if len(off) * 2 > len(results.boxes):
        raise DataError(
            f"results in {folder} start away from their targets in {len(off)} of {len(results.boxes)} "
            f"sequences ({', '.join(off[:3])}): another benchmark, another scale, or boxes that are not "
            "x, y, width, height"
        )
    if not off:
        return results
    names = ", ".join(off[:_SHOWN])
    note = f"{len(off)} sequences start away from their target ({names}); frame 0 is taken as given"
    return replace(results, notes=(*results.notes, note))


def _starts_at_target(box: FloatArray, annotation: Annotation) -> bool:
    truth = annotation.boxes_xywh[0]
    # Without a finite box there is nothing to start from; two boxes of no area have no overlap to go by.
    if not np.isfinite(truth).all() or np.array_equal(box, truth):
        return True
    return bool(box_iou(xywh_to_xyxy(box), xywh_to_xyxy(truth)) >= _LEAST_START_OVERLAP)


def _likely_benchmark(folder: Path) -> str:
    stems = {path.stem for path in folder.glob("*.txt")} | {
        path.name for path in folder.glob("*") if is_folder(path) and any(path.glob("*.txt"))
    }
    if not stems:
        return ": it holds no text files"
    found: list[tuple[int, str]] = []
    for name in benchmark_names():
        description = load_description(name)
        listed = description.listed_sequences()
        hits = sum(e.name in stems or f"{description.result_prefix}{e.name}" in stems for e in listed)
        found.append((hits, name))
    hits, name = max(found)
    hint = f"; {hits} of them are named like sequences of {name}" if hits else ""
    return f": none of its {len(stems)} files is named after a sequence{hint}"


def _summary(problems: Sequence[ResultProblem], total: int) -> str:
    shown = "; ".join(f"{item.sequence}: {item.problem}" for item in problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return f"{len(problems)} of {total} sequences cannot be used ({shown}{more})"
