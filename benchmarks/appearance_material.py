"""Embeddings of targets as tracking sees them, to learn from what they are recognised by.

Legend: P parts of a box, C channels.
"""

import math
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.progress import track

from aiatrack.config import DataSettings, ModelSettings
from aiatrack.crop import crop_window, cut_regions
from aiatrack.data import SampleBatch, build_batches
from aiatrack.data.synthetic import SyntheticFrame, SyntheticWorld, random_world_settings
from aiatrack.tracking import Network

Embeddings = npt.NDArray[np.float16]

VIEWS = 3
"""Of each target."""
_BATCH = 16
_BOX_NOISE = 0.07
"""Standard deviation of a box's corner, of its sides, and of the logarithm of its sides."""
_OTHERS = 3
"""Places of the last view, or targets of the same frame, that are not the target."""
_LEAST_DISTANCE = 0.9
"""Between the corners of a target and of another place, of the target's sides."""
_TARGETS_IN_FILM = 6
_FRAMES_IN_FILM = 90
_LEAST_VISIBLE = 0.5
"""Share of a target of a film that must be seen for it to be looked at."""
_REGION_SHIFT = 0.4
"""Standard deviation of a search region's centre in a film, of the target's size."""


class Gathered(NamedTuple):
    """N samples: `(N, VIEWS, P C)` views of targets, `(N, 3, P C)` other things, NaN where there was none."""

    targets: Embeddings
    others: Embeddings


def embed_pack(
    network: Network, settings: ModelSettings, data: DataSettings, samples: int, seed: int
) -> Iterator[Gathered]:
    """Draw samples as training does, and embed them; other things are other places of the last view."""
    batches = build_batches(
        data,
        batch_size=_BATCH,
        crop_size=settings.network.crop_size,
        search_factor=settings.tracking.search_factor,
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    count = math.ceil(samples / _BATCH)
    for batch in track(islice(batches, count), "embedding samples of the pack", total=count):
        yield _embed_batch(network, batch, rng)


def _embed_batch(network: Network, batch: SampleBatch, rng: np.random.Generator) -> Gathered:
    views = [
        (batch.reference_crops[:, 0], batch.reference_padding[:, 0], batch.reference_boxes_xywh[:, 0]),
        (batch.reference_crops[:, -1], batch.reference_padding[:, -1], batch.reference_boxes_xywh[:, -1]),
        (batch.search_crops, batch.search_padding, batch.search_boxes_xywh),
    ]
    targets: list[Embeddings] = []
    others: list[Embeddings] = []
    for crops, padding, boxes in views:
        memory = network.encode(np.ascontiguousarray(crops), np.ascontiguousarray(padding))
        boxes_xywh = np.asarray(boxes)
        targets.append(_embed_boxes(network, memory, _shake(boxes_xywh, rng)))
    for _ in range(_OTHERS):
        places, is_apart = _other_places(boxes_xywh, rng)
        embedded = _embed_boxes(network, memory, places)
        embedded[~is_apart] = np.nan
        others.append(embedded)
    return Gathered(np.stack(targets, axis=1), np.stack(others, axis=1))


def _embed_boxes(network: Network, memory: object, boxes_xywh: npt.NDArray[np.float32]) -> Embeddings:
    references = network.remember(memory, range(len(boxes_xywh)), boxes_xywh.astype(np.float32))
    return np.stack([reference.embedding.ravel() for reference in references]).astype(np.float16)


def _shake(boxes_xywh: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """As a tracker finds them."""
    noise = rng.normal(0, _BOX_NOISE, boxes_xywh.shape)
    corners = boxes_xywh[:, :2] + noise[:, :2] * boxes_xywh[:, 2:]
    return np.concatenate((corners, boxes_xywh[:, 2:] * np.exp(noise[:, 2:])), axis=1)


def _other_places(
    boxes_xywh: npt.NDArray[np.float32], rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Boxes of the same size anywhere in the crop, and whether they lie apart from the target."""
    sides = boxes_xywh[:, 2:]
    corners = rng.random(sides.shape) * (1 - sides.clip(max=0.95))
    distance = (np.abs(corners - boxes_xywh[:, :2]) / sides).max(axis=1)
    return np.concatenate((corners, sides), axis=1), distance >= _LEAST_DISTANCE


def embed_films(network: Network, settings: ModelSettings, films: int, seed: int) -> Iterator[Gathered]:
    """Embed what is seen well in a frame of each third of a film; other things are others of the last one."""
    for film in track(range(films), "embedding targets of films"):
        rng = np.random.default_rng((seed, film))
        changes = {"targets": _TARGETS_IN_FILM, "frames": _FRAMES_IN_FILM}
        world = SyntheticWorld(random_world_settings(rng, size=(400, 300)).replace(**changes))
        third = _FRAMES_IN_FILM // VIEWS
        frames = [world.frame(int(rng.integers(third)) + view * third) for view in range(VIEWS)]
        visibility = np.min([frame.visibility for frame in frames], axis=0)
        visible = np.flatnonzero(visibility > _LEAST_VISIBLE)
        if len(visible) <= _OTHERS:
            continue
        views = np.stack([_embed_targets(network, settings, frame, visible, rng) for frame in frames], axis=1)
        last = views[:, -1]
        others = [rng.choice(np.delete(last, k, axis=0), _OTHERS, replace=False) for k in range(len(last))]
        yield Gathered(views, np.stack(others))


def _embed_targets(
    network: Network,
    settings: ModelSettings,
    frame: SyntheticFrame,
    targets: npt.NDArray[np.int_],
    rng: np.random.Generator,
) -> Embeddings:
    """Each in a region of its own, `(K, P C)`."""
    boxes = frame.boxes_xywh[targets]
    shifts = rng.normal(0, _REGION_SHIFT, (len(boxes), 2)) * np.sqrt(boxes[:, 2:].prod(axis=1, keepdims=True))
    around = np.concatenate((boxes[:, :2] + shifts, boxes[:, 2:]), axis=1)
    windows = [crop_window(box, settings.tracking.search_factor, network.crop_size) for box in around]
    memory = network.encode(*cut_regions([frame.image], windows, "rgb"))
    in_crops = np.stack([window.to_crop(box) for window, box in zip(windows, boxes, strict=True)])
    return _embed_boxes(network, memory, _shake(in_crops, rng))
