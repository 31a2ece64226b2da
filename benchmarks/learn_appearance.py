"""Learn the space in which likeness is measured for a model's presence, and write it as a projection.

    python benchmarks/learn_appearance.py lite --pack PACK --gather lite.npz --samples 14000 --seed 1
    python benchmarks/learn_appearance.py lite --gathered lite.npz -o lite.safetensors

First, samples are drawn as the model's recipe for CPUs draws them, and embedded by the network as tracking
does: three views of a target each, in boxes that are a little off, and three other places of the last view.
Then a linear map is learned under which two views of a target are closer to one another than to other targets
of a large batch, and to other places (InfoNCE, van den Oord et al., 2018). The network stays as it is.
Gathering can be split over processes, by seeds. `calibrate_presence.py` comes after this, as its weights are
for what is learned here.
"""

import argparse
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from aiatrack.api import open_network
from aiatrack.atomic_files import replace_file
from aiatrack.config import load_recipe
from aiatrack.data import SampleBatch, build_batches
from aiatrack.tracking import Network

Embeddings = npt.NDArray[np.float16]

RECIPES = {"lite": "lite_cpu", "nano": "nano"}
_BATCH = 16
_VIEWS = 3
_BOX_NOISE = 0.07
"""Standard deviation of a box's corner, of its sides, and of the logarithm of its sides."""
_OTHER_PLACES = 3
_LEAST_DISTANCE = 0.9
"""Between the corners of a target and of another place, of the target's sides."""


class Gathered(NamedTuple):
    """N samples: `(N, 3, P C)` views of targets, `(N, 3, P C)` other places, NaN where there was no room."""

    targets: Embeddings
    others: Embeddings


def main() -> None:
    """Gather, learn, or both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="name of a shipped model, or a weights file")
    parser.add_argument("--pack", type=Path, help="training pack to gather from")
    parser.add_argument("--recipe", help="of the samples; that of a shipped model if not given")
    parser.add_argument("--cache", help="where decoded images of the pack are kept")
    parser.add_argument("--gather", type=Path, help="npz file to write embeddings to")
    parser.add_argument("--samples", type=int, default=10_000, help="to gather")
    parser.add_argument("--seed", type=int, default=0, help="of the samples")
    parser.add_argument("--precision", default="float32", help="of the network's arithmetic")
    parser.add_argument("--gathered", nargs="+", type=Path, help="npz files to learn from")
    parser.add_argument("--dimensions", type=int, default=64, help="of the learned space")
    parser.add_argument("--steps", type=int, default=3000, help="of learning")
    parser.add_argument("-o", "--output", type=Path, help="safetensors file to write")
    options = parser.parse_args()
    if options.gather:
        if not options.pack:
            parser.error("--gather needs a --pack to draw from")
        options.recipe = options.recipe or RECIPES.get(options.model)
        if not options.recipe:
            parser.error("--gather needs a --recipe for weights of your own")
        gather(options)
    if options.output:
        parts = [np.load(path) for path in options.gathered or [options.gather]]
        gathered = Gathered(*(np.concatenate([part[name] for part in parts]) for name in Gathered._fields))
        projection = learn(gathered, options.dimensions, options.steps)
        with replace_file(options.output) as temporary:
            temporary.write_bytes(save({name: value.half() for name, value in projection.items()}))


def gather(options: argparse.Namespace) -> None:
    """Draw samples, embed them, and write the embeddings."""
    settings, network = open_network(options.model, precision=options.precision)
    changes = [f"data.sources.0.path={options.pack}", "data.workers=0"]
    changes += [f"data.cache={options.cache}"] if options.cache else []
    batches = build_batches(
        load_recipe(options.recipe, changes).data,
        batch_size=_BATCH,
        crop_size=settings.network.crop_size,
        search_factor=settings.tracking.search_factor,
        seed=options.seed,
    )
    rng = np.random.default_rng(options.seed)
    count = math.ceil(options.samples / _BATCH)
    parts = [embed(network, batch, rng) for batch in track(islice(batches, count), "embedding", total=count)]
    arrays = Gathered(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    with replace_file(options.gather) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays._asdict())


def embed(network: Network, batch: SampleBatch, rng: np.random.Generator) -> Gathered:
    """Embed the targets of a batch, and other places."""
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
    for _ in range(_OTHER_PLACES):
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


def learn(gathered: Gathered, dimensions: int, steps: int, batch_size: int = 512) -> dict[str, Tensor]:
    """Fit `weight` `(D, P C)` and `bias` `(D,)` to embeddings as they are, and print how well they tell."""
    torch.manual_seed(0)
    targets, others = (torch.from_numpy(part.astype(np.float32)) for part in gathered)
    mean, deviation = targets.mean(dim=(0, 1)), targets.std(dim=(0, 1)) + 1e-3
    targets, others = (targets - mean) / deviation, (others - mean) / deviation
    kept = len(targets) // 20  # not learned from
    learned = _fit(targets[kept:], others[kept:], dimensions, steps, batch_size)
    print(f"of {kept} targets that nothing was learned from, each among all of them:", flush=True)
    for name, space in (("plain", None), ("learned", learned)):
        print(
            f"  {name}: {_found_again(targets[:kept], space):.1%} are nearest to themselves in another view"
        )
    weight = learned.weight.detach() / deviation
    return {"weight": weight, "bias": learned.bias.detach() - weight @ mean}


def _fit(targets: Tensor, others: Tensor, dimensions: int, steps: int, batch_size: int) -> nn.Linear:
    width = targets.shape[-1]
    space = nn.Linear(width, dimensions)
    nn.init.normal_(space.weight, std=width**-0.5)
    nn.init.zeros_(space.bias)
    sharpness = nn.Parameter(torch.tensor(1 / 0.07).log())
    decayed = {"params": space.parameters(), "weight_decay": 1.0}
    optimizer = torch.optim.AdamW([decayed, {"params": [sharpness], "weight_decay": 0.0}], lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in track(range(steps), "learning"):
        chosen = torch.randint(len(targets), (batch_size,))
        first = torch.randint(_VIEWS, (batch_size,))
        second = (first + torch.randint(1, _VIEWS, (batch_size,))) % _VIEWS
        loss = _contrast(
            sharpness.exp() * normalize(space(targets[chosen, first]), dim=-1),
            normalize(space(targets[chosen, second]), dim=-1),
            normalize(space(others[chosen].nan_to_num()), dim=-1),
            others[chosen, :, 0].isnan(),
            chosen,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return space


def _contrast(a: Tensor, b: Tensor, others: Tensor, is_missing: Tensor, chosen: Tensor) -> Tensor:
    """InfoNCE of paired views, both ways; other places stand against the first."""
    repeated = (chosen[:, None] == chosen) & ~torch.eye(len(chosen), dtype=torch.bool)
    likeness = (a @ b.T).masked_fill(repeated, -1e4)
    elsewhere = torch.einsum("bd,bkd->bk", a, others).masked_fill(is_missing, -1e4)
    right = torch.arange(len(chosen))
    return cross_entropy(torch.cat((likeness, elsewhere), dim=1), right) + cross_entropy(likeness.T, right)


@torch.no_grad()
def _found_again(targets: Tensor, space: nn.Linear | None) -> float:
    """Share of targets whose first view is nearest to its own last view among all."""
    views: Sequence[Tensor] = [
        normalize(targets[:, k] if space is None else space(targets[:, k]), dim=-1) for k in (0, _VIEWS - 1)
    ]
    nearest = (views[0] @ views[1].T).argmax(dim=1)
    return float((nearest == torch.arange(len(targets))).float().mean())


if __name__ == "__main__":
    main()
