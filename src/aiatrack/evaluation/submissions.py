"""Archives that the GOT-10k and TrackingNet servers take, checked before they are written."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from aiatrack.atomic_files import replace_file
from aiatrack.errors import DataError, SettingsError
from aiatrack.evaluation.annotation import FloatArray
from aiatrack.evaluation.benchmark import Benchmark, BenchmarkSequence
from aiatrack.evaluation.dialects import Dialect
from aiatrack.evaluation.results import find_result_file, read_result_boxes
from aiatrack.number_files import read_number_rows, read_numbers
from aiatrack.paths import AnyPath, expand_home, is_file

REPETITIONS = 3
"""Runs that the GOT-10k server wants of a tracker that is not deterministic."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_TEXT = Dialect("server")

Files = dict[str, str]
"""Text by path inside an archive."""


def collect_got10k(folder: AnyPath, benchmark: Benchmark, *, deterministic: bool = True) -> Files:
    """Gather `SEQ/SEQ_001.txt` and `SEQ/SEQ_time.txt` of every sequence.

    Args:
        folder: of results: `NAME.txt` or `NAME/NAME_001.txt`, with `NAME_time.txt` beside.
        benchmark: GOT-10k, with frames or full annotation, so that rows can be counted.
        deterministic: one run will do; else `NAME/NAME_002.txt` and `NAME_003.txt` are wanted too, and the
            times have a column for each.

    Raises:
        DataError: a file is missing or does not fit the sequence; all sequences are named.
    """
    results = expand_home(folder)

    def collect(sequence: BenchmarkSequence, frames: int) -> Files:
        name = sequence.name
        first = _result_file(results, sequence, benchmark)
        runs = [first]
        if not deterministic:
            runs += [results / name / f"{name}_{run:03d}.txt" for run in range(2, REPETITIONS + 1)]
        files = {
            f"{name}/{name}_{index:03d}.txt": _TEXT.format_boxes(_checked(run, frames, sequence))
            for index, run in enumerate(runs, start=1)
        }
        files[f"{name}/{name}_time.txt"] = _times(first.parent / f"{name}_time.txt", frames, len(runs))
        return files

    return _collect_all(benchmark, collect)


def collect_trackingnet(folder: AnyPath, benchmark: Benchmark) -> Files:
    """Gather a flat `SEQ.txt` of every sequence.

    Args:
        folder: of results, one `NAME.txt` a sequence.
        benchmark: TrackingNet's test split, with frames, so that rows can be counted.

    Raises:
        DataError: a file is missing or does not fit the sequence; all sequences are named.
    """
    results = expand_home(folder)

    def collect(sequence: BenchmarkSequence, frames: int) -> Files:
        boxes = _checked(_result_file(results, sequence, benchmark), frames, sequence)
        return {f"{sequence.name}.txt": _TEXT.format_boxes(boxes)}

    return _collect_all(benchmark, collect)


def write_submission(files: Mapping[str, str], path: AnyPath) -> None:
    """Write an archive; equal files give equal bytes.

    Args:
        files: from one of the `collect_` functions.
        path: of the archive, ending in `.zip`.

    Raises:
        SettingsError: the name does not end in `.zip`.
        OutputError: it cannot be written.
    """
    path = expand_home(path)
    if path.suffix.lower() != ".zip":
        raise SettingsError(f"a submission is a zip archive: give a name ending in .zip; got {path.name}")
    with replace_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])


def _collect_all(benchmark: Benchmark, collect: Callable[[BenchmarkSequence, int], Files]) -> Files:
    files: Files = {}
    problems = []
    for sequence in benchmark.sequences:
        try:
            files |= collect(sequence, _count_frames(sequence))
        except DataError as error:
            problems.append(f"{sequence.name}: {error}")
    expected = benchmark.description.expected_sequences
    if expected is not None and len(benchmark.sequences) != expected:
        problems.append(f"{len(benchmark.sequences)} sequences on disk, {expected} in the benchmark")
    if problems:
        shown = "; ".join(problems[:8]) + (f"; and {len(problems) - 8} more" if len(problems) > 8 else "")
        raise DataError(f"the server would refuse this: {len(problems)} problems ({shown})")
    return files


def _count_frames(sequence: BenchmarkSequence) -> int:
    """As many as frame files, or, without those, annotated rows; one row alone says nothing of the others."""
    frames = len(sequence.frame_paths) or len(sequence.read_annotation())
    if frames < 2:
        raise DataError("its number of frames is not known: the frames must lie below the root")
    missing = sequence.missing_frames
    if missing:
        # Whatever ran on this copy did not see what the server's copy shows.
        raise DataError(f"{len(missing)} of {frames} frames missing, first {missing[0]}")
    return frames


def _result_file(folder: Path, sequence: BenchmarkSequence, benchmark: Benchmark) -> Path:
    path = find_result_file(folder, sequence.name, benchmark.description.result_prefix)
    if path is None:
        raise DataError("no result file")
    return path


def _checked(path: Path, frames: int, sequence: BenchmarkSequence) -> FloatArray:
    """Boxes with the given one in frame 0, as both servers take it for granted."""
    boxes = read_result_boxes(path, frames)
    start = sequence.read_annotation().boxes_xywh[0]
    return np.concatenate((start[None], boxes[1:]))


def _times(path: Path, frames: int, runs: int) -> str:
    """Seconds a frame: a row a frame with a column a run, or, of one run, numbers in rows of any length."""
    if not is_file(path):
        raise DataError(f"no times: {path.name} with seconds a frame was expected")
    seconds = read_number_rows(path) if runs > 1 else read_numbers(path)[:, None]
    if seconds.shape != (frames, runs):
        raise DataError(f"{path.name}: {frames} rows of {runs} times were expected, got {seconds.shape}")
    if not (np.isfinite(seconds) & (seconds >= 0)).all():
        raise DataError(f"{path.name}: seconds must be finite and not negative")
    return "".join(",".join(f"{value:.8f}" for value in row) + "\n" for row in seconds.tolist())
