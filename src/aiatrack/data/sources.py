"""Open the sources that the settings name: read annotations, decode what the store lacks, number it all."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiatrack.config.data import DataSettings, Layout, SourceSettings
from aiatrack.data.annotations import Annotations
from aiatrack.data.box_use import BoxCounts
from aiatrack.data.corpus import Corpus, Part
from aiatrack.data.declared_sizes import sizes_that_differ
from aiatrack.data.file_index import index_files
from aiatrack.data.images import FileImages, FlatImages, ImageBank, JoinedImages
from aiatrack.data.index import SourceIndex
from aiatrack.data.reachable import check_reachable
from aiatrack.data.readers import (
    read_coco,
    read_got10k,
    read_json_lines,
    read_lasot,
    read_mot_challenge,
    read_trackingnet,
    read_yolo,
)
from aiatrack.data.store import Progress, build_store
from aiatrack.errors import DataError
from aiatrack.paths import is_file, user_cache

_READERS: dict[Layout, Callable[[Path, str | None], Annotations]] = {
    Layout.LASOT: read_lasot,
    Layout.GOT10K: read_got10k,
    Layout.TRACKINGNET: read_trackingnet,
    Layout.COCO: read_coco,
    Layout.YOLO: read_yolo,
    Layout.MOT_CHALLENGE: read_mot_challenge,
}


class DataWarning(UserWarning):
    """A source can be used, though not all of it."""


@dataclass(frozen=True)
class WeightedSource:
    """A source's annotations and its share of the samples relative to the other sources.

    Attributes:
        annotations: as read.
        weight: relative share.
        packed: whether its images are decoded into the store.
    """

    annotations: Annotations
    weight: float
    packed: bool = True


def default_cache() -> Path:
    """Folder for decoded images where the settings name none: in the user's cache folder.

    Raises:
        DataError: there is no home that it could be in.
    """
    cache = user_cache()
    if cache is None:
        raise DataError("there is no home folder to keep decoded images in: choose one with data.cache")
    return cache / "data"


def check_sources(settings: DataSettings) -> None:
    """Find out what can be known of the sources without reading them: before anything else is done.

    Raises:
        DataError: there is no source, one cannot be reached, or there is no file of a name given a weight.
    """
    if not settings.sources:
        raise DataError("the data settings name no sources: give at least one, with its path")
    for place, source in enumerate(settings.sources):
        check_reachable(source.path)
        if source.layout is Layout.JSON_LINES:
            _find_json_lines(source, place)


def read_source(source: SourceSettings, place: int = 0) -> list[WeightedSource]:
    """Read the annotations of one source, or of all JSON-lines files in its folder.

    Args:
        source: what to read.
        place: its number among the settings' sources, for messages.

    Raises:
        DataError: nothing can be read there, or there is a source without a clip or image.
        SettingsError: the layout has no such split.
    """
    check_reachable(source.path)
    if source.layout is not Layout.JSON_LINES:
        found = _READERS[source.layout](source.path, source.split)
        return [WeightedSource(_not_empty(found, source.path, source.layout), source.weight, source.packed)]
    return [
        WeightedSource(
            _not_empty(_read_lines(path, source), path, source.layout),
            source.weight * source.weights.get(path.stem, 1.0),
            source.packed,
        )
        for path in _find_json_lines(source, place)
        if source.weight * source.weights.get(path.stem, 1.0) > 0
    ]


def _find_json_lines(source: SourceSettings, place: int) -> list[Path]:
    """The files of a source, among which must be all that the settings name."""
    paths = [source.path] if is_file(source.path) else sorted(source.path.glob("*.jsonl"))
    if not paths:
        raise DataError(f"{source.path}: expected a .jsonl file or a folder of such files, found none")
    unknown = sorted((set(source.weights) | set(source.without_identity)) - {path.stem for path in paths})
    if unknown:
        key = f"data.sources.{place}"
        raise DataError(
            f"{source.path}: there are no sources named {', '.join(unknown)} to give a weight to; where the "
            f"recipe brought these names, leave them out: `{key}.weights={{}} {key}.without_identity=[]`"
        )
    return paths


def _read_lines(path: Path, source: SourceSettings) -> Annotations:
    return read_json_lines(path, identity=path.stem not in source.without_identity)


def _not_empty(found: Annotations, path: Path, layout: Layout) -> Annotations:
    """Refuse a source that would drop out of a mixture without a word."""
    if not found.clips:
        first = f", {len(found.problems)} problems, the first: {found.problems[0]}" if found.problems else ""
        raise DataError(
            f"{path}: not one clip or image of layout {layout.value}{first}; correct its path, layout or "
            "split, or leave the source out"
        )
    return found


def read_sources(settings: DataSettings) -> list[WeightedSource]:
    """Read the annotations of all sources that the settings name.

    Raises:
        DataError: there is no source, or one cannot be read.
    """
    if not settings.sources:
        raise DataError("the data settings name no sources: give at least one, with its path")
    return [found for place, source in enumerate(settings.sources) for found in read_source(source, place)]


def store_sources(
    sources: Sequence[WeightedSource], settings: DataSettings, progress: Progress | None = None
) -> tuple[ImageBank, list[SourceIndex]]:
    """Decode what the store lacks; return all images, `FlatImages` if all are packed, and the indexes."""
    cache = settings.cache or default_cache()
    files: list[Path | None] = []
    indexes: list[SourceIndex] = []
    for source in sources:
        if source.packed:
            file, index = build_store(source.annotations, cache, progress)
        else:
            file, index = None, index_files(source.annotations)
        files.append(file)
        indexes.append(index)
    packed = [file for file in files if file is not None]
    if len(packed) == len(files):
        return FlatImages(packed, indexes), indexes
    banks: list[ImageBank] = [
        FileImages(source.annotations) if file is None else FlatImages([file], [index])
        for source, file, index in zip(sources, files, indexes, strict=True)
    ]
    return JoinedImages(banks, [len(index.image_offset) for index in indexes]), indexes


def open_sources(
    settings: DataSettings, *, part: Part = "train", progress: Progress | None = None
) -> tuple[ImageBank, Corpus]:
    """Return the images of all sources and what can be drawn from one part of them.

    A `DataWarning` counts what is left out of a source; another its boxes that are passed over, if they are
    more than half, or some lie outside of their images.

    Raises:
        DataError: there is no source, or one cannot be read.
    """
    sources = read_sources(settings)
    images, indexes = store_sources(sources, settings, progress)
    corpus = Corpus(indexes, [source.weight for source in sources], settings, part)
    for source, index, counts in zip(sources, indexes, corpus.counts, strict=True):
        others = sizes_that_differ(source.annotations, index)
        _warn_of_problems(source.annotations.name, [*index.problems.tolist(), *others])
        _warn_of_boxes(source.annotations.name, counts)
    return images, corpus


def _warn_of_problems(name: str, problems: Sequence[str]) -> None:
    if problems:
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems, the first"
        message = f"source {name}, {count}: {problems[0]}; `aiatrack data check` names what is left out"
        warnings.warn(message, DataWarning, stacklevel=3)


def _warn_of_boxes(name: str, counts: BoxCounts) -> None:
    # Large sources have many small boxes, which nobody misses: only what points to a mistake is told.
    is_doubtful = counts.outside > 0 or counts.usable < counts.boxes / 2
    if is_doubtful and (reasons := counts.passed_over()):
        advice = "`aiatrack data check --recipe` counts those that are usable"
        message = f"source {name}: {', '.join(reasons)}; {advice}"
        warnings.warn(message, DataWarning, stacklevel=3)
