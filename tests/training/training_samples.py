"""A small seeded world for the tests of training: a striped rectangle on a speckled ground."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config.training import TrainingSettings
from aiatrack.data import SampleBatch


def draw_crop(size: int, generator: torch.Generator, colour: Tensor) -> tuple[Tensor, Tensor]:
    """One `(size, size, 3)` uint8 crop and the `(4,)` xywh box of the rectangle in it, normalised."""
    ground = torch.randint(60, 120, (size, size, 3), generator=generator, dtype=torch.uint8)
    sides = 0.25 + 0.25 * torch.rand(2, generator=generator)
    corner = 0.1 + torch.rand(2, generator=generator) * (0.8 - sides)
    x, y, width, height = (torch.cat((corner, sides)) * size).round().int().tolist()
    ground[y : y + height, x : x + width] = colour
    ground[y : y + height : 6, x : x + width] = 255 - colour
    return ground, torch.tensor([x, y, width, height]) / size


def build_sample_batch(
    seed: int, *, batch_size: int = 8, crop_size: int = 96, references: int = 2, proposals: int = 4
) -> SampleBatch:
    """A batch that depends on its arguments only."""
    generator = torch.Generator().manual_seed(seed)
    crops, boxes = [], []
    for _ in range(batch_size):
        colour = torch.randint(0, 256, (3,), generator=generator, dtype=torch.uint8)
        pairs = [draw_crop(crop_size, generator, colour) for _ in range(references + 1)]
        crops.append(torch.stack([crop for crop, _ in pairs]))
        boxes.append(torch.stack([box for _, box in pairs]))
    all_crops, all_boxes = torch.stack(crops), torch.stack(boxes)
    padding = torch.zeros(all_crops.shape[:-1], dtype=torch.bool)
    search_boxes = all_boxes[:, -1]
    noise = 0.08 * torch.randn(batch_size, proposals, 4, generator=generator)
    around = search_boxes[:, None] + noise * search_boxes[:, None, 2:].repeat(1, 1, 2)
    overlap = box_iou(xywh_to_xyxy(around), xywh_to_xyxy(search_boxes[:, None]))
    return SampleBatch(
        all_crops[:, :-1],
        padding[:, :-1],
        all_boxes[:, :-1],
        all_crops[:, -1],
        padding[:, -1],
        search_boxes,
        around,
        overlap,
    )


class SampleStream:
    """An endless stream, as `aiatrack.data.build_batches` would open it.

    Args:
        batch_size: samples per batch and process.
        crop_size: px.
        repeat: distinct batches, after which the stream starts again; None: never.
    """

    def __init__(self, batch_size: int = 4, crop_size: int = 64, repeat: int | None = None) -> None:
        self._batch_size = batch_size
        self._crop_size = crop_size
        self._repeat = repeat

    def __call__(self, *, rank: int, world_size: int, start_step: int) -> Iterator[SampleBatch]:
        index = start_step * world_size + rank
        while True:
            seed = index if self._repeat is None else index % self._repeat
            yield build_sample_batch(seed, batch_size=self._batch_size, crop_size=self._crop_size)
            index += world_size


def tiny_settings(**changes: Any) -> TrainingSettings:
    """Six float32 steps of a very small network from random weights, on the CPU."""
    network = {
        "crop_size": 64,
        "channels": 16,
        "heads": 2,
        "feed_forward_channels": 32,
        "inner_channels": 8,
        "corner_head_channels": 16,
        "iou_head_channels": 8,
        "dropout": 0.1,
    }
    values: dict[str, Any] = {
        "name": "tiny",
        "model": "nano",
        "network": network,
        "init": "random",
        "steps": 6,
        "batch_size": 4,
        "precision": "float32",
        "device": "cpu",
        "optimizer": {"learning_rate": 1e-3, "frozen": "backbone", "ema_decay": 0.9, "schedule": "cosine"},
        "log": {"log_every_steps": 1, "checkpoint_every_steps": 2, "pictures_every_steps": 0},
    }
    for name, change in changes.items():
        nested = isinstance(values.get(name), dict) and isinstance(change, dict)
        values[name] = values[name] | change if nested else change
    return TrainingSettings(**values)


def read_losses(journal: Path) -> dict[int, tuple[float, ...]]:
    """Losses, IoU and gradient norm by step, without times, from a `metrics.jsonl`."""
    names = ("total", "giou", "l1", "iou", "mean_iou", "gradient_norm")
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)), f"steps are repeated or out of order: {steps}"
    return {row["step"]: tuple(row[name] for name in names) for row in rows}
