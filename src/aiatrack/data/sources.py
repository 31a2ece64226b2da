"""Open the sources that the settings name: read annotations, decode what the store lacks, number it all."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiatrack.config.data import DataSettings, SourceSettings
from aiatrack.data.annotations import Annotations
from aiatrack.data.corpus import Corpus, Part
from aiatrack.data.images import FlatImages
from aiatrack.data.readers import read_json_lines
from aiatrack.data.store import build_store
from aiatrack.errors import DataError

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class WeightedSource:
    """A source's annotations and its share of the samples relative to the other sources."""

    annotations: Annotations
    weight: float


def default_cache() -> Path:
    """Folder for decoded images where the settings name none: in the user's cache folder."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "aiatrack" / "data"


def read_source(source: SourceSettings) -> list[WeightedSource]:
    """Read the annotations of one source, or of all sources in its folder.

    Raises:
        DataError: nothing can be read there.
    """
    if source.layout != "json_lines":
        raise DataError(f"there is no reader for layout {source.layout!r}: use json_lines")
    paths = [source.path] if source.path.is_file() else sorted(source.path.glob("*.jsonl"))
    if not paths:
        raise DataError(f"{source.path}: expected a .jsonl file or a folder of such files, found none")
    found = []
    for path in paths:
        weight = source.weight * source.weights.get(path.stem, 1.0)
        if weight > 0:
            identity = path.stem not in source.without_identity
            found.append(WeightedSource(read_json_lines(path, identity=identity), weight))
    return found


def open_sources(
    settings: DataSettings, *, part: Part = "train", progress: Progress | None = None
) -> tuple[FlatImages, Corpus]:
    """Return the images of all sources and what can be drawn from one part of them.

    Raises:
        DataError: there is no source, or one cannot be read.
    """
    if not settings.sources:
        raise DataError("the data settings name no sources: give at least one, with its path")
    sources: Sequence[WeightedSource] = [
        found for source in settings.sources for found in read_source(source)
    ]
    cache = settings.cache or default_cache()
    stored = [build_store(source.annotations, cache, progress) for source in sources]
    indexes = [index for _, index in stored]
    corpus = Corpus(indexes, [source.weight for source in sources], settings, part)
    return FlatImages([path for path, _ in stored], indexes), corpus
