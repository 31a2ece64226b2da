"""The files of a VOT workspace: trackers, experiments, and own sequences as the toolkit reads them."""

import shlex
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from aiatrack.atomic_files import write_text
from aiatrack.errors import DataError, OutputError, SettingsError
from aiatrack.evaluation.annotation import Annotation, BoolArray
from aiatrack.evaluation.benchmark import Benchmark, BenchmarkSequence

ANCHOR_SPACING = 50
"""Frames between the starts of a multi-start run (Kristan et al., VOT2020)."""

EXPERIMENTS: Mapping[str, Any] = {
    "unsupervised": {
        "type": "unsupervised",
        "repetitions": 1,
        "analyses": [{"type": "average_accuracy", "name": "accuracy", "burnin": 10}],
    },
    "baseline": {
        "type": "multistart",
        "analyses": [{"type": "multistart_average_ar", "name": "ar"}],
    },
}
"""What a workspace of own sequences runs: once through, and from many starts."""

_STACK = "stack.yaml"


def write_workspace(
    folder: Path,
    commands: Mapping[str, Sequence[str]],
    *,
    benchmark: Benchmark | None = None,
    stack: str | None = None,
) -> None:
    """Write `config.yaml`, `trackers.ini` and, for own sequences, `stack.yaml` and `sequences/`.

    Args:
        folder: of the workspace; what is there of these files is replaced, results stay.
        commands: how to start each tracker process, by the tracker's name.
        benchmark: whose sequences to link into the workspace, boxes as rectangles.
        stack: instead, an experiment stack of the toolkit, such as `vot2022/shorttermbox`, which brings its
            own sequences.

    Raises:
        SettingsError: neither a benchmark nor a stack, or both.
        DataError: a sequence without frames or with frames of several types.
        OutputError: a file cannot be written.
    """
    if (benchmark is None) == (stack is None):
        raise SettingsError("a VOT workspace needs either sequences of your own or a stack of the toolkit")
    if benchmark is not None:
        names = [_link_sequence(sequence, folder / "sequences") for sequence in benchmark.sequences]
        write_text(folder / "sequences" / "list.txt", "".join(f"{name}\n" for name in names))
        content = {"title": benchmark.description.title, "experiments": dict(EXPERIMENTS)}
        write_text(folder / _STACK, yaml.safe_dump(content, sort_keys=False))
    write_text(folder / "trackers.ini", _describe_trackers(commands))
    config = {"registry": ["./trackers.ini"], "stack": stack or _STACK}
    write_text(folder / "config.yaml", yaml.safe_dump(config))


def select_anchors(visible: BoolArray, spacing: int = ANCHOR_SPACING) -> list[int]:
    """Where a multi-start run begins, and which way it goes from there.

    Args:
        visible: `(T,)`, whether the target is there to begin with.
        spacing: frames between starts.

    Returns:
        For each frame 1 (a start forwards), -1 (a start backwards) or 0. The way is the longer one; a start
        without target moves towards where it goes, at most as far as the next one.
    """
    frames = len(visible)
    anchors = [0] * frames
    for start in (*range(0, frames - 1, spacing), frames - 1):
        way = 1 if start < frames - 1 - start else -1
        place = next(
            (
                index
                for index in range(start, start + way * spacing, way)
                if 0 <= index < frames and visible[index]
            ),
            None,
        )
        if place is not None and not anchors[place]:
            anchors[place] = way
    return anchors


def _link_sequence(sequence: BenchmarkSequence, parent: Path) -> str:
    """Lay out one sequence as the toolkit wants it; frames are links to where they lie."""
    annotation, frames = sequence.read_annotation(), sequence.frame_paths
    suffixes = {path.suffix for path in frames}
    if len(frames) != len(annotation) or len(suffixes) != 1:
        raise DataError(
            f"{sequence.name}: the VOT toolkit needs a frame for each of {len(annotation)} rows, all "
            f"of one type; got {len(frames)} frames of types {', '.join(sorted(suffixes)) or 'none'}"
        )
    folder = parent / sequence.name
    (suffix,) = suffixes
    _link_frames(frames, folder / "color", suffix)
    properties = {
        "name": sequence.name,
        "fps": 30,
        "format": "default",
        "channels.color": f"color/%08d{suffix}",
        "length": len(frames),
    }
    write_text(folder / "sequence", "".join(f"{key}={value}\n" for key, value in properties.items()))
    write_text(folder / "groundtruth.txt", _regions(annotation))
    anchors = select_anchors(annotation.visible)
    write_text(folder / "anchor.value", "".join(f"{anchor}\n" for anchor in anchors))
    return sequence.name


def _link_frames(frames: Sequence[Path], folder: Path, suffix: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(frames, start=1):
            link = folder / f"{number:08d}{suffix}"
            link.unlink(missing_ok=True)
            link.symlink_to(path.resolve())
    except OSError as error:
        raise OutputError(f"cannot link frames into {folder}: {error.strerror or error}") from error


def _regions(annotation: Annotation) -> str:
    boxes = np.where(annotation.visible[:, None], annotation.boxes_xywh, np.nan)
    return "".join(",".join(f"{number:.4f}" for number in box) + "\n" for box in boxes.tolist())


def _describe_trackers(commands: Mapping[str, Sequence[str]]) -> str:
    # The toolkit reads the file with interpolation, in which a per cent sign must be doubled.
    parser = ConfigParser(interpolation=None)
    for name, command in commands.items():
        parser[name] = {
            "label": name,
            "protocol": "trax",
            "command": shlex.join(command).replace("%", "%%"),
            # Weights may have to be read from a slow disk before the first answer.
            "timeout": "120",
        }
    text = StringIO()
    parser.write(text)
    return text.getvalue()
