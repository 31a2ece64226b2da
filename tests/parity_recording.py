"""Record a network on synthetic frames, in the layout of a recording of the published implementation.

    python tests/parity_recording.py tests/recordings/own

The recording stands in where none of the published implementation is at hand: it holds the network to what it
was when it was itself compared with the published one. Weights are functions of the published parameters'
names, so no checkpoint lies beside it. It is kept small: fewer tokens, pixels and frames.
"""

import hashlib
import json
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from aiatrack.config import TrackingSettings, load_preset
from aiatrack.config.training import FrozenPart
from aiatrack.crop import crop_region
from aiatrack.data import SampleBatch
from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings
from aiatrack.model import AiATrack, Memory, build_network, load_state, target_region
from aiatrack.model.positions import cell_padding, sine_positions
from aiatrack.model.published import rename_published
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import Tracker

Row = tuple[str, list[int], str]
"""Name, shape and number type of a published parameter."""

SALT = 7
_CORNER_SALT = 11  # puts the random heads' corners inside the crop, in the right order
TOKEN_STEP = 57  # two rows and 17 columns: every part of the 20 x 20 grid is met
CROP_STEP = 8
TRACKED_FRAMES = 6


def published_rows() -> list[Row]:
    """All entries of a published checkpoint's network, in its order."""
    return [*_backbone_rows(), *_transformer_rows(), *_head_rows()]


def _norm(name: str, channels: int) -> list[Row]:
    leaves = ("weight", "bias", "running_mean", "running_var")
    return [(f"{name}.{leaf}", [channels], "float32") for leaf in leaves]


def _affine(name: str, *weight_shape: int) -> list[Row]:
    return [
        (f"{name}.weight", list(weight_shape), "float32"),
        (f"{name}.bias", [weight_shape[0]], "float32"),
    ]


def _layer_norm(name: str, channels: int) -> list[Row]:
    return _affine(name, channels)


def _backbone_rows() -> Iterator[Row]:
    body = "backbone.0.body"
    yield f"{body}.conv1.weight", [64, 3, 7, 7], "float32"
    yield from _norm(f"{body}.bn1", 64)
    in_channels = 64
    for stage, (channels, blocks) in enumerate(((64, 3), (128, 4), (256, 6)), start=1):
        for block in range(blocks):
            name = f"{body}.layer{stage}.{block}"
            shapes = (
                [channels, in_channels, 1, 1],
                [channels, channels, 3, 3],
                [4 * channels, channels, 1, 1],
            )
            for i, shape in enumerate(shapes, start=1):
                yield f"{name}.conv{i}.weight", shape, "float32"
                yield from _norm(f"{name}.bn{i}", shape[0])
            if block == 0:
                yield f"{name}.downsample.0.weight", [4 * channels, in_channels, 1, 1], "float32"
                yield from _norm(f"{name}.downsample.1", 4 * channels)
            in_channels = 4 * channels


def _attention_rows(name: str) -> Iterator[Row]:
    yield f"{name}.in_proj_weight", [768, 256], "float32"
    yield f"{name}.in_proj_bias", [768], "float32"
    yield from _affine(f"{name}.out_proj", 256, 256)
    inner = f"{name}.inner_attn"
    yield from _affine(f"{inner}.corr_proj", 64, 400)
    for part in "qk":
        yield f"{inner}.corr_attn.{part}_proj_weight", [64, 64], "float32"
        yield f"{inner}.corr_attn.{part}_proj_bias", [64], "float32"
    yield from _affine(f"{inner}.corr_attn.out_proj", 400, 400)
    yield from _layer_norm(f"{inner}.feat_norm1", 64)
    yield from _layer_norm(f"{inner}.feat_norm2", 400)


def _layer_rows(name: str, attentions: tuple[str, ...]) -> Iterator[Row]:
    for attention in attentions:
        yield from _attention_rows(f"{name}.{attention}")
    yield from _affine(f"{name}.linear1", 1024, 256)
    yield from _affine(f"{name}.linear2", 256, 1024)
    yield from _layer_norm(f"{name}.norm1", 256)
    yield from _layer_norm(f"{name}.norm2", 256)


def _transformer_rows() -> Iterator[Row]:
    yield from _affine("bottleneck", 256, 1024, 1, 1)
    yield "foreground_embed.weight", [1, 256], "float32"
    yield "background_embed.weight", [1, 256], "float32"
    for layer in range(3):
        yield from _layer_rows(f"transformer.encoder.layers.{layer}", ("self_attn",))
    yield from _layer_rows("transformer.decoder.layers.0", ("long_term_attn", "short_term_attn"))
    yield from _layer_norm("transformer.decoder.norm", 256)


def _counted_norm(name: str, channels: int) -> list[Row]:
    return [*_norm(name, channels), (f"{name}.num_batches_tracked", [], "int64")]


def _head_rows() -> Iterator[Row]:
    widths = (256, 256, 128, 64, 32)
    for corner in ("tl", "br"):
        for i in range(1, 5):
            yield from _affine(f"box_head.conv{i}_{corner}.0", widths[i], widths[i - 1], 3, 3)
            yield from _counted_norm(f"box_head.conv{i}_{corner}.1", widths[i])
        yield from _affine(f"box_head.conv5_{corner}", 1, 32, 1, 1)
    for i in range(1, 4):
        yield from _affine(f"iou_head.conv{i}.0", 256, 256, 3, 3)
        yield from _counted_norm(f"iou_head.conv{i}.1", 256)
    yield from _affine("iou_head.fc.linear", 256, 4096)
    yield from _counted_norm("iou_head.fc.bn", 256)
    yield from _affine("iou_head.iou_predictor", 1, 256)


def own_named_weights(rows: list[Row], salt: int) -> dict[str, np.ndarray]:
    """Deterministic weights: each a function of its name and shape, at scales that keep the network alive."""
    return {name: _own_tensor(name, shape, kind, salt) for name, shape, kind in rows}


def _own_tensor(name: str, shape: list[int], kind: str, salt: int) -> np.ndarray:
    if name.startswith("box_head"):
        salt += _CORNER_SALT
    seed = int.from_bytes(hashlib.sha256(f"{name}/{salt}".encode()).digest()[:8], "little")
    spread = np.random.default_rng(seed).uniform(-1, 1, shape)
    if kind == "int64":
        values = np.zeros(shape)
    elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        values = 1 + 0.3 * spread
    elif len(shape) < 2:
        values = 0.1 * spread
    else:
        values = spread * math.sqrt(3 / math.prod(shape[1:])) * _gain(name)
    return values.astype(kind)


def _gain(name: str) -> float:
    """Sharp corners and references that differ, so that an error anywhere moves the boxes."""
    if "conv5_" in name:
        return 7.0
    if "ground_embed" in name:
        return 20.0
    # Half of what goes through a ReLU is lost; the heads have no norm of their own that makes up for it.
    return 1.6 if "_head" in name else 1.0


def record(folder: Path) -> None:
    """Write `official_outputs.npz`, `state_dict.json` and `frames/`."""
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    rows = published_rows()
    (folder / "state_dict.json").write_text(
        "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
    )
    weights = {n: torch.from_numpy(np.asarray(v)) for n, v in own_named_weights(rows, SALT).items()}

    def fresh() -> AiATrack:
        network = build_network(load_preset("base").network)
        load_state(network, rename_published(weights), origin="names")
        return network.eval()

    images = _images()
    outputs = {**images, **_stages(fresh(), images)}
    outputs |= _losses(fresh(), outputs, list(weights))
    outputs |= _crops() | _tracked(fresh(), folder / "frames")
    outputs |= {"salt": np.int64(SALT), "token_step": np.int64(TOKEN_STEP)}
    np.savez_compressed(folder / "official_outputs.npz", **outputs)


def _film(seed: int, width: int, height: int, frames: int) -> SyntheticWorld:
    return SyntheticWorld(
        SyntheticWorldSettings(
            width=width,
            height=height,
            frames=frames,
            seed=seed,
            noise=0,
            clutter=1,
            occluders=0,
            distractors=1,
        )
    )


def _flat(image: np.ndarray) -> np.ndarray:
    """Few levels, so that the file stays small."""
    return (image & 0xE0) + 16


def _images() -> dict[str, np.ndarray]:
    crops, boxes = [], []
    for seed in (1, 2):
        world = _film(seed, 160, 120, 40)
        for index in (0, 20):
            frame, box = world.frame(index).image, world.boxes_xywh(index)[0]
            crop = crop_region(frame, box, 4.0, 320)
            crops.append(_flat(crop.image))
            boxes.append(crop.window.to_crop(box))
    padding = np.zeros((2, 320, 320), bool)
    padding[1, :64] = True
    true = np.array(boxes, np.float32)
    shifts = np.array([[0, 0, 0, 0], [0.1, 0, 0, 0], [-0.05, 0.1, 0.1, 0], [0.5, 0.6, 0.2, 0.3]], np.float32)
    return {
        "stage_reference_images": np.stack(crops[0::2]),
        "stage_search_images": np.stack(crops[1::2]),
        "stage_padding_masks": padding,
        "stage_target_regions": target_region(torch.from_numpy(true[0::2]), 20).numpy().astype(np.uint8),
        "stage_proposals_xywh": true[1::2, None] + shifts,
        "loss_ground_truth_xywh": true[1::2],
        "loss_proposal_iou": np.array([[1.0, 0.2, 0.1, -1.0], [1.0, 0.3, -0.2, -1.0]], np.float32),
    }


def _thin(tokens: torch.Tensor) -> np.ndarray:
    """`(B, N, C)` -> every `TOKEN_STEP`-th token, `(N', B, C)`."""
    return tokens.transpose(0, 1)[::TOKEN_STEP].contiguous().numpy()


@torch.inference_mode()
def _stages(network: AiATrack, images: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    tensors = {name: torch.from_numpy(value) for name, value in images.items()}
    references, searches = tensors["stage_reference_images"], tensors["stage_search_images"]
    padding = tensors["stage_padding_masks"]
    regions = tensors["stage_target_regions"].bool()[..., None]
    pixels = ((references - network.mean) / network.std).permute(0, 3, 1, 2)
    features = network.bottleneck(network.backbone(pixels)).flatten(2).transpose(1, 2)
    reference, search = network.encode(references, padding), network.encode(searches, padding)

    def remember(memory: Memory, inside: torch.Tensor):
        marked = network._mark(memory.tokens, inside)
        return network.decoder.project(memory.tokens, marked, memory.inner_positions)

    first, second = remember(reference, regions), remember(search, regions.flip(1))
    # Copied, not counted: counting is what the recording is there to check.
    decoded = network.decode(search, first[0], [first[1], second[1], first[1]])
    corners = network.corner_head(decoded)
    x1y1, x2y2 = corners.boxes_xyxy[:, :2], corners.boxes_xyxy[:, 2:]
    cells = cell_padding(padding, 20)
    return {
        "stage_reference_features": _thin(features),
        "stage_position_embedding": _thin(sine_positions(cells, 256)),
        "stage_inner_position_embedding": _thin(sine_positions(cells, 64)),
        "stage_reference_memory": _thin(reference.tokens),
        "stage_search_memory": _thin(search.tokens),
        "stage_decoder_output": _thin(decoded),
        "stage_top_left_scores": corners.top_left_scores[:, None].numpy(),
        "stage_bottom_right_scores": corners.bottom_right_scores[:, None].numpy(),
        "stage_boxes_xywh": torch.cat((x1y1, x2y2 - x1y1), 1).numpy(),
        "stage_boxes_cxcywh": torch.cat(((x1y1 + x2y2) / 2, x2y2 - x1y1), 1)[:, None].numpy(),
        "stage_predicted_iou": network.iou_head(decoded, tensors["stage_proposals_xywh"])[:, None].numpy(),
    }


def region_boxes(regions: torch.Tensor, grid: int) -> torch.Tensor:
    """`(B, 4)` normalised xywh of `(B, grid^2)` rectangular regions."""
    boxes = []
    for region in regions.view(-1, grid, grid):
        rows, columns = region.nonzero(as_tuple=True)
        x, y = columns.min(), rows.min()
        boxes.append(torch.stack((x, y, columns.max() + 1 - x, rows.max() + 1 - y)) / grid)
    return torch.stack(boxes)


def _losses(
    network: AiATrack, recorded: dict[str, np.ndarray], published_names: list[str]
) -> dict[str, np.ndarray]:
    from aiatrack.training import TrackingObjective
    from aiatrack.training.optimization import freeze_parts

    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in recorded.items()}
    references, search = tensors["stage_reference_images"], tensors["stage_search_images"]
    padding = tensors["stage_padding_masks"]
    boxes = region_boxes(tensors["stage_target_regions"], 20)
    batch = SampleBatch(
        reference_crops=torch.stack((references, search), 1),
        reference_padding=torch.stack((padding, padding), 1),
        reference_boxes_xywh=torch.stack((boxes, boxes.flip(0)), 1),
        search_crops=search,
        search_padding=padding,
        search_boxes_xywh=tensors["loss_ground_truth_xywh"],
        proposals_xywh=tensors["stage_proposals_xywh"],
        proposal_iou=(tensors["loss_proposal_iou"] + 1) / 2,
    )
    freeze_parts(network, FrozenPart.STEM)
    report = TrackingObjective(network).eval()(batch)
    report.total.backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    norms = {}
    for name in published_names:
        parts = [gradients[p] for p in rename_published({name: torch.zeros(3)}) if p in gradients]
        if parts:
            norms[name] = torch.cat([part.flatten() for part in parts]).norm().item()
    losses = {
        f"loss_{name}": np.float64(getattr(report, name).item())
        for name in ("total", "giou", "l1", "iou", "mean_iou")
    }
    return losses | {
        "loss_gradient_names": np.array(list(norms)),
        "loss_gradient_norms": np.array(list(norms.values())),
    }


def _crops() -> dict[str, np.ndarray]:
    frame = _flat(_film(3, 320, 240, 2).frame(0).image)
    boxes = np.array(
        [
            [140, 100, 40, 30], [5, 5, 30, 40], [290, 210, 25, 25], [-20, 100, 50, 50],
            [300, -15, 60, 45], [319, 239, 40, 40], [150.5, 110.25, 7.75, 9.5], [-80, -60, 60, 50],
        ],
        np.float32,
    )  # fmt: skip
    crops = [crop_region(frame, box, 5.0, 320) for box in boxes.astype(np.float64)]
    shifted = [(x + 3, y - 2, w * 1.1, h * 0.9) for x, y, w, h in boxes.astype(np.float64)]
    return {
        "crop_source_image": frame,
        "crop_boxes_xywh": boxes,
        "crop_images": np.stack([crop.image[::CROP_STEP, ::CROP_STEP] for crop in crops]),
        "crop_resize_factors": np.array([crop.window.scale for crop in crops]),
        "crop_padding_masks_packed": np.stack([np.packbits(crop.padding) for crop in crops]),
        "crop_offset_boxes_normalized": np.array(
            [crop.window.to_crop(np.array(box)) for crop, box in zip(crops, shifted, strict=True)], np.float32
        ),
    }


def _tracked(network: AiATrack, folder: Path) -> dict[str, np.ndarray]:
    world = _film(4, 192, 144, 60)
    frames = [_flat(world.frame(4 * index).image) for index in range(TRACKED_FRAMES)]
    for index, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{index:04d}.png"), frame[..., ::-1])
    start = world.boxes_xywh(0)[0]
    eager = EagerNetwork(network, torch.device("cpu"))

    def run(threshold: float) -> list:
        tracker = Tracker(
            eager, TrackingSettings(memory_capacity=3, ensemble_size=3, min_score_to_remember=threshold)
        )
        return [tracker.start(frames[0], start), *(tracker.update(frame) for frame in frames[1:])]

    # Between the scores, and far from each, so that some frames are remembered, some not, on any machine.
    scores = sorted(result.score for result in run(-1.0)[1:])
    _, threshold = max((high - low, (high + low) / 2) for low, high in pairwise(scores))
    results = run(threshold)
    return {
        "track_boxes_xywh": np.array([result.box_xywh for result in results]),
        "track_predicted_iou": np.array([result.score for result in results[1:]]),
        "track_update_threshold": np.float64(threshold),
        "track_memory_capacity": np.int64(3),
        "track_short_term_references": np.int64(3),
        "track_updated": np.array([result.remembered for result in results[1:]]),
    }


if __name__ == "__main__":
    record(Path(sys.argv[1]))
