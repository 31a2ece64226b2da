"""Look through a source before a run starts: what is there, what is usable, what is wrong."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aiatrack.config.data import DataSettings, SourceSettings
from aiatrack.data.annotations import Annotations, Clip, join_tracks
from aiatrack.data.box_use import judge_boxes
from aiatrack.data.declared_sizes import size_problem
from aiatrack.data.images import read_image
from aiatrack.data.sources import read_source
from aiatrack.mask_files import missing_mask, read_mask_of
from aiatrack.paths import is_file

CheckProgress = Callable[[str, int, int], None]
"""Called with the source's name, clips looked at and clips in all."""


@dataclass
class SourceReport:
    """What a check found in one source.

    Attributes:
        name: of the source.
        videos: clips with more than one frame.
        stills: images on their own.
        images: files looked at, or all that are named if they were not opened.
        boxes: annotated objects in single images.
        usable_boxes: those that can be followed: visible, of a size that the settings allow, not a cut-out's.
        cutouts: boxes on images with transparency, which are pasted over other images. Images that are not
            opened count as having none.
        cutout_images: images with transparency.
        videos_usable: videos long enough, with a target visible often enough.
        problems: one line for each thing that is missing, damaged or left out, naming it.
        note: where no box is usable, what else the source is good for, or why it is good for nothing.
    """

    name: str
    videos: int = 0
    stills: int = 0
    images: int = 0
    boxes: int = 0
    usable_boxes: int = 0
    cutouts: int = 0
    cutout_images: int = 0
    videos_usable: int = 0
    problems: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether samples can be drawn from the source: boxes, cut-outs to paste, or images to paste over.

        Images whose boxes are all unusable do not count: they were meant to be more than background.
        """
        is_background = self.boxes == 0 and self.images > self.cutout_images
        return self.usable_boxes > 0 or self.cutouts > 0 or is_background


def check_source(
    source: SourceSettings,
    settings: DataSettings | None = None,
    *,
    open_images: bool = True,
    progress: CheckProgress | None = None,
) -> list[SourceReport]:
    """Read a source's annotations, and open every image if wanted.

    Args:
        source: what to look at; a folder of JSON-lines files gives several reports.
        settings: which boxes and clips count as usable.
        open_images: decode every image, which takes long for large data sets; else only see if it is there.
        progress: told after every clip.

    Raises:
        DataError: nothing can be read there.
    """
    settings = settings or DataSettings()
    reports = []
    for found in read_source(source):
        report = SourceReport(found.annotations.name, problems=list(found.annotations.problems))
        for done, clip in enumerate(found.annotations.clips, start=1):
            _check_clip(clip, settings, open_images, report)
            if progress is not None:
                progress(report.name, done, len(found.annotations.clips))
        _check_names(found.annotations, report)
        report.note = _note(report, settings)
        reports.append(report)
    return reports


def _check_clip(clip: Clip, settings: DataSettings, open_images: bool, report: SourceReport) -> None:
    shapes = np.array([_image_shape(path, open_images, report) for path in clip.images]).reshape(-1, 3)
    sizes, is_cutout = shapes[:, :2], shapes[:, 2] == 4
    there = sizes[:, 0] >= 0
    report.images += int(there.sum())
    report.cutout_images += int(is_cutout.sum())
    report.problems += _problems_of_sizes(clip, sizes) + _problems_of_masks(clip, sizes)
    rows = join_tracks(clip.tracks)
    boxes = len(rows.frames)
    use = judge_boxes(rows.boxes_xywh, _sizes_or_declared(sizes, clip)[rows.frames], settings)
    visible, on_cutout = rows.visible & there[rows.frames], is_cutout[rows.frames]
    usable = visible & ~on_cutout & use.usable
    usable &= clip.is_video | (rows.boxes_xywh[:, 2:].min(axis=1) > settings.min_still_box_px)
    report.boxes += boxes
    report.usable_boxes += int(usable.sum())
    report.cutouts += int((visible & on_cutout).sum())
    if outside := int((visible & ~on_cutout & use.outside).sum()):
        report.problems.append(
            f"{clip.name}: {outside} of {boxes} boxes left out, wholly outside of the image"
        )
    if not clip.is_video:
        report.stills += 1
        return
    report.videos += 1
    visible_frames = int(np.bincount(rows.track[usable], minlength=1).max())
    long_enough = len(clip.images) >= settings.min_clip_frames
    report.videos_usable += int(long_enough and visible_frames >= settings.min_visible_frames)


def _sizes_or_declared(sizes: npt.NDArray[np.int_], clip: Clip) -> npt.NDArray[np.int_]:
    """`(T, 2)`; of images that were not opened, what the annotations state, where they do."""
    return sizes if clip.declared_sizes is None else np.where(sizes == 0, clip.declared_sizes, sizes)


def _problems_of_sizes(clip: Clip, sizes: npt.NDArray[np.int_]) -> list[str]:
    if clip.declared_sizes is None:
        return []
    found = map(size_problem, clip.images, sizes.tolist(), clip.declared_sizes.tolist())
    return [problem for problem in found if problem]


def _problems_of_masks(clip: Clip, sizes: npt.NDArray[np.int_]) -> list[str]:
    """What is wrong with masks, as a run would say; of images that were not opened, if theirs are missing."""
    problems = []
    for path, (width, height) in zip(clip.masks or (), sizes.tolist(), strict=False):
        if path is None or width < 0:
            continue
        problem = read_mask_of(path, width, height)[1] if width else missing_mask(path)
        problems += [problem] if problem else []
    return problems


def _note(report: SourceReport, settings: DataSettings) -> str:
    if report.usable_boxes:
        return ""
    if report.cutouts:
        return f"{report.cutouts} cut-outs, to be pasted over other images; no boxes to follow"
    if not report.images:
        return "none of its images can be read"
    if report.boxes:
        low, high = settings.box_share
        least = settings.min_still_box_px
        stills = f" (in a still image more than {least:g})" if least else ""
        return (
            f"none of its {report.boxes} boxes can be followed: a box must be visible and in its image, have "
            f"sides of at least {settings.min_box_px:g} px{stills} and cover {100 * low:g} to "
            f"{100 * high:g} % of its image"
        )
    if report.images == report.cutout_images:
        return "its cut-outs have no boxes"
    return "no boxes; its images serve as backgrounds and for random regions"


def _image_shape(path: Path, open_images: bool, report: SourceReport) -> tuple[int, int, int]:
    """Width, height and channels; 0 if the image was not opened, -1 if it is not there."""
    if not open_images:
        if is_file(path):
            return 0, 0, 0
        report.problems.append(f"{path}: missing")
        return -1, -1, -1
    image = read_image(path)
    if image is None:
        report.problems.append(f"{path}: missing or not an image")
        return -1, -1, -1
    return image.shape[1], image.shape[0], image.shape[2]


def _check_names(annotations: Annotations, report: SourceReport) -> None:
    for name in _repeated(clip.name for clip in annotations.clips):
        report.problems.append(f"{annotations.name}: more than one clip is called {name}")


def _repeated(names: Iterator[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
