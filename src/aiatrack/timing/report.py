"""What was measured, on what, as plain data."""

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aiatrack.atomic_files import write_text
from aiatrack.errors import OutputError
from aiatrack.evaluation.running.surroundings import describe_machine, read_versions
from aiatrack.timing.race import WARM_UP_FRAMES, FilmTimes, Timing
from aiatrack.timing.spread import Spread

REPORT_SUFFIXES = (".json", ".csv")


@dataclass(frozen=True)
class Report:
    """A whole run.

    Attributes:
        settings: what was asked for.
        film: times around the tracker.
        timings: one a contender.
    """

    settings: dict[str, Any]
    film: FilmTimes
    timings: list[Timing]

    @cached_property
    def header(self) -> dict[str, Any]:
        """Machine, threads, versions, and how it was measured."""
        return {
            "machine": describe_surroundings(),
            "versions": read_versions(),
            "settings": self.settings,
            "method": f"median and 10-90 %; the first {WARM_UP_FRAMES} updates of every pass left out",
        }

    def to_json(self) -> str:
        """Everything, nested."""
        rows = [_plain(timing) for timing in self.timings]
        return json.dumps({**self.header, "film": asdict(self.film), "rows": rows}, indent=2) + "\n"

    def to_csv(self) -> str:
        """A line for each stage of each contender; the header in lines that begin with `#`."""
        text = io.StringIO()
        for part, content in self.header.items():
            text.write(f"# {part}: {json.dumps(content)}\n")
        writer = csv.writer(text, lineterminator="\n")
        who_columns = ("tracker", "runtime", "precision", "targets", "look_ahead")
        writer.writerow((*who_columns, "stage", "unit", "median", "p10", "p90", "count"))
        for name, spread in vars(self.film).items():
            writer.writerow(("film", "-", "-", "-", "-", name.removesuffix("_ms"), "ms", *_numbers(spread)))
        for timing in self.timings:
            who = timing.contender
            for stage, unit, spread in _stages(timing):
                named = (who.name, who.runtime, who.precision, who.targets, who.look_ahead)
                writer.writerow((*named, stage, unit, *_numbers(spread)))
        return text.getvalue()


def write_report(report: Report, path: Path) -> None:
    """Write a report as its file's ending says.

    Raises:
        OutputError: another ending than .json or .csv, or not writable.
    """
    check_report_path(path)
    write_text(path, report.to_json() if path.suffix.lower() == ".json" else report.to_csv())


def check_report_path(path: Path) -> None:
    """Refuse an ending that is not known.

    Raises:
        OutputError: it is neither .json nor .csv.
    """
    if path.suffix.lower() not in REPORT_SUFFIXES:
        raise OutputError(f"a timing report ends in .json or .csv; got {path.name}: rename it")


def describe_surroundings() -> dict[str, Any]:
    """The machine without its name, its GPU, and how many threads compute on it."""
    import cv2
    import torch

    machine = {name: value for name, value in describe_machine().items() if name != "host"}
    return machine | {
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "opencv_threads": cv2.getNumThreads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _plain(timing: Timing) -> dict[str, Any]:
    who = timing.contender
    times = {"update_ms": timing.update_ms, "film_cpu_ms": timing.film_cpu_ms}
    times["film_frames_per_s"] = timing.film_frames_per_s
    return {
        "tracker": who.name,
        "runtime": who.runtime,
        "precision": who.precision,
        "targets": who.targets,
        "look_ahead": who.look_ahead,
        "note": who.note,
        "remembered_share": timing.remembered_share,
        "stages_ms": {name: asdict(spread) for name, spread in timing.stages_ms.items()},
        **{name: None if spread is None else asdict(spread) for name, spread in times.items()},
    }


def _stages(timing: Timing) -> Iterator[tuple[str, str, Spread]]:
    for name, spread in timing.stages_ms.items():
        yield name, "ms", spread
    if timing.update_ms is not None:
        yield "update", "ms", timing.update_ms
    if timing.film_cpu_ms is not None:
        yield "film_cpu", "ms", timing.film_cpu_ms
    if timing.film_frames_per_s is not None:
        yield "film", "frames/s", timing.film_frames_per_s


def _numbers(spread: Spread) -> tuple[str, str, str, int]:
    return (f"{spread.median:.4g}", f"{spread.low:.4g}", f"{spread.high:.4g}", spread.count)
