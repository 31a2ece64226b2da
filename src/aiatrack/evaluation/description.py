"""Benchmarks as data: one JSON file each, inside the package."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from aiatrack.config import FrozenSettings
from aiatrack.config.shipped import ShippedFiles

_BENCHMARKS = ShippedFiles("benchmark", Path(__file__).parent / "benchmarks", suffix=".json")


class SequenceDescription(FrozenSettings):
    """Where one sequence of a benchmark lies; what a layout finds by itself may stay empty."""

    name: str = Field(min_length=1)
    frames: str = ""
    """Folder of the frames, below the benchmark's root."""
    first: int = 1
    """Number of the first frame file."""
    last: int | None = None
    """Number of the last frame file; None for all files in the folder."""
    digits: int = Field(8, ge=1)
    """Digits of the number in a frame's file name."""
    extension: str = "jpg"
    annotation: str = ""
    """Annotation file, below the root."""
    object_class: str | None = None
    target: int | None = None
    """Which target of the frames, where they hold several."""
    omit_initial: int = Field(0, ge=0)
    """Frames at the start that carry no annotation and are not tracked."""


class BenchmarkDescription(FrozenSettings):
    """Facts of one benchmark, as published."""

    name: str
    title: str
    source: str = ""
    """The paper to cite."""
    layout: str
    """Name of the reader of its folders; a key of `LAYOUTS`."""
    rules: str
    """Name of the rule set by which its numbers are usually reported."""
    first_pixel: int = Field(0, ge=0, le=1)
    """Whether its boxes count pixels from 0 or from 1. Trackers and scores use the numbers unchanged, so
    results count as the benchmark does; only `submit text` recounts."""
    result_prefix: str = ""
    """What published result files put before a sequence's name."""
    folder: str = ""
    """The part of the benchmark that is meant, such as `val`."""
    numbered_names: str | None = None
    """Pattern of sequence names that are numbers from 1 to `expected_sequences`."""
    expected_sequences: int | None = None
    """How many sequences there are, where their names are not listed."""
    annotated_frames: Literal["all", "first"] = "all"
    """`first` where the server keeps the rest: results can be submitted, not scored here."""
    absence_flags: bool = False
    """The benchmark flags absent targets in files of their own; without them scores would be wrong."""
    sequences: tuple[SequenceDescription, ...] = ()
    """Empty where the folders themselves say what there is."""

    @field_validator("sequences", mode="before")
    @classmethod
    def _names_alone_will_do(cls, values: Any) -> Any:
        return [{"name": value} if isinstance(value, str) else value for value in values]

    def listed_sequences(self) -> tuple[SequenceDescription, ...]:
        """The sequences that the description itself names; empty where a layout must look."""
        if self.sequences or self.numbered_names is None:
            return self.sequences
        numbers = range(1, (self.expected_sequences or 0) + 1)
        return tuple(SequenceDescription(name=self.numbered_names.format(number)) for number in numbers)


def benchmark_names() -> list[str]:
    """Names of the benchmarks that the package describes, such as `otb100`."""
    return _BENCHMARKS.names()


def load_description(name: str) -> BenchmarkDescription:
    """Read a benchmark's description from the package.

    Raises:
        SettingsError: no benchmark of that name; the message lists those that exist.
    """
    return BenchmarkDescription.parse(json.loads(_BENCHMARKS.read(name)), origin=f"benchmark {name}")
