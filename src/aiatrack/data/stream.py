"""The endless stream of training batches: the same for the same seed, from whatever step it is taken up."""

import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from aiatrack.config.data import DataSettings
from aiatrack.data.batch import SampleBatch
from aiatrack.data.corpus import Part
from aiatrack.data.images import FlatImages, ImageBank
from aiatrack.data.plan import SamplePlan
from aiatrack.data.render_opencv import render_views
from aiatrack.data.render_torch import TorchRenderer
from aiatrack.data.sampling import Sampler
from aiatrack.data.sources import open_sources
from aiatrack.data.stacked_plans import StackedPlans, stack_plans
from aiatrack.errors import DataError, SettingsError

_Batch = TypeVar("_Batch")
_log = logging.getLogger(__name__)
_MOST_SPARES = 20


@dataclass(frozen=True)
class _BatchPlaces:
    """Which samples of the endless stream are this process's: those of `rank` among `world_size`."""

    batch_size: int
    seed: int
    rank: int
    world_size: int

    def __post_init__(self) -> None:
        if self.batch_size < 1 or not 0 <= self.rank < self.world_size:
            raise SettingsError(
                "expected batch_size of at least 1 and rank in [0, world_size), got "
                f"batch_size {self.batch_size}, rank {self.rank}, world_size {self.world_size}"
            )

    def plans(self, sampler: Sampler, step: int) -> list[SamplePlan]:
        first = self.rank * self.batch_size
        return [sampler.plan(self.seed, step, first + place) for place in range(self.batch_size)]

    def spare_plan(self, sampler: Sampler, step: int, place: int, spare: int) -> SamplePlan:
        return sampler.plan(self.seed, step, self.rank * self.batch_size + place, spare)


class _PlannedBatches(Dataset[StackedPlans]):
    """The plans of batch k for every k, to be drawn elsewhere."""

    def __init__(self, sampler: Sampler, places: _BatchPlaces) -> None:
        self.sampler, self.places = sampler, places

    def __getitem__(self, step: int) -> StackedPlans:
        return stack_plans(self.places.plans(self.sampler, step))


class _RenderedBatches(Dataset[SampleBatch]):
    """Batch k, drawn on the CPU, for every k."""

    def __init__(self, sampler: Sampler, images: ImageBank, places: _BatchPlaces) -> None:
        self.sampler, self.images, self.places = sampler, images, places

    def __getitem__(self, step: int) -> SampleBatch:
        plans = self.places.plans(self.sampler, step)
        try:
            return render_batch(plans, self.images, self.sampler.crop_size)
        except DataError:
            readable = [self._readable(plan, step, place) for place, plan in enumerate(plans)]
            return render_batch(readable, self.images, self.sampler.crop_size)

    def _readable(self, plan: SamplePlan, step: int, place: int) -> SamplePlan:
        """Return a plan, or where its images cannot be read another one, always the same."""
        for spare in range(1, _MOST_SPARES + 2):
            problem = _unreadable(plan, self.images)
            if problem is None:
                return plan
            _log.warning("step %d: another sample instead of one that cannot be read: %s", step, problem)
            plan = self.places.spare_plan(self.sampler, step, place, spare)
        raise DataError(
            f"{_MOST_SPARES} samples in a row cannot be read, the last: {problem}; check the sources"
        )


def _unreadable(plan: SamplePlan, images: ImageBank) -> str | None:
    try:
        for view in plan.views:
            images.read(view.image)
    except DataError as error:
        return str(error)
    return None


def render_batch(plans: list[SamplePlan], images: ImageBank, crop_size: int) -> SampleBatch:
    """Draw a batch of planned samples on the CPU.

    Args:
        plans: B samples.
        images: where their images are.
        crop_size: S, px.
    """
    count, references = len(plans), len(plans[0].views) - 1
    crops = np.empty((references + 1, count, crop_size, crop_size, 3), dtype=np.uint8)
    padding = np.empty(crops.shape[:-1], dtype=np.bool_)
    for place in range(references + 1):
        views = [plan.views[place] for plan in plans]
        render_views(views, images, crop_size, crops[place], padding[place])
    boxes = _tensor([[view.box_xywh for view in plan.views] for plan in plans])
    return SampleBatch(
        reference_crops=torch.from_numpy(crops[:-1]).transpose(0, 1),
        reference_padding=torch.from_numpy(padding[:-1]).transpose(0, 1),
        reference_boxes_xywh=boxes[:, :-1].contiguous(),
        search_crops=torch.from_numpy(crops[-1]),
        search_padding=torch.from_numpy(padding[-1]),
        search_boxes_xywh=boxes[:, -1].contiguous(),
        proposals_xywh=_tensor([plan.proposals_xywh for plan in plans]),
        proposal_iou=_tensor([plan.proposal_iou for plan in plans]),
    )


def _tensor(rows: list[Any]) -> torch.Tensor:
    return torch.from_numpy(np.array(rows, dtype=np.float32))


def build_batches(
    settings: DataSettings,
    *,
    batch_size: int,
    crop_size: int,
    search_factor: float,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    start_step: int = 0,
    part: Part = "train",
    device: torch.device | str = "cpu",
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[SampleBatch]:
    """Open the sources and return the endless stream of batches from step `start_step`.

    Batch k holds samples `rank * batch_size` to `(rank + 1) * batch_size` of the global batch k, each of
    which depends on the seed, k and its place alone: not on the number of processes or workers, nor on
    where the stream was taken up.

    Args:
        settings: sources and how samples are made of them.
        batch_size: B, samples per process.
        crop_size: S, px.
        search_factor: side of the search region over sqrt(width x height) of the target.
        seed: of everything random.
        rank: this process among `world_size`.
        world_size: number of processes.
        start_step: number of the first batch.
        part: of the sources, for training or for validation.
        device: where batches are drawn and stay. A GPU needs room for all images, four bytes a pixel.
        progress: told of images decoded while the store is made, which happens once.

    Raises:
        SettingsError: `rank` and `world_size` do not fit,
            or the device is a GPU and not all sources are packed.
        DataError: a source cannot be read, or there is nothing to draw from.
    """
    places = _BatchPlaces(batch_size, seed, rank, world_size)
    images, corpus = open_sources(settings, part=part, progress=progress)
    sampler = Sampler(corpus, settings, crop_size=crop_size, search_factor=search_factor)
    if torch.device(device).type == "cpu":
        return _load_ahead(_RenderedBatches(sampler, images, places), settings, start_step)
    if not isinstance(images, FlatImages):
        raise SettingsError(
            "drawing on a GPU needs all sources packed: set `packed: true`, or draw on the CPU"
        )
    renderer = TorchRenderer(images, crop_size=crop_size, device=torch.device(device))
    return map(renderer.render, _load_ahead(_PlannedBatches(sampler, places), settings, start_step))


def _load_ahead(batches: Dataset[_Batch], settings: DataSettings, start_step: int) -> Iterator[_Batch]:
    workers = _useful_workers(settings.workers)
    loader: DataLoader[_Batch] = DataLoader(
        batches,
        batch_size=None,
        sampler=itertools.count(start_step),
        num_workers=workers,
        prefetch_factor=settings.prefetch if workers else None,
        persistent_workers=workers > 0,
        worker_init_fn=_begin_worker if workers else None,
        multiprocessing_context=_worker_context() if workers else None,
    )
    yield from loader


def _useful_workers(wanted: int) -> int:
    """As `DataSettings.workers` says: recipes name what suits a large machine, and each takes memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(wanted, max(cores, 2))


def _worker_context() -> BaseContext:
    """How workers start: forked from a server that has imported this module once, where there is fork.

    A fork of this process would not survive CUDA and its threads. Spawned, each worker imports PyTorch for
    itself, and they do so in turn, since a process is not started before the last one has read its sampler.
    """
    if "forkserver" not in torch.multiprocessing.get_all_start_methods():
        return torch.multiprocessing.get_context("spawn")
    context = torch.multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _begin_worker(_: int) -> None:
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when who reads its batches is killed: PyTorch watches over the fork server instead."""
    parent = torch.multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
