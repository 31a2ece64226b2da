"""Learn the space in which likeness is measured for a model's presence, and write it as a projection.

    python benchmarks/learn_appearance.py lite --pack PACK --gather pack.npz --samples 14000 --seed 1
    python benchmarks/learn_appearance.py lite --films 1600 --gather films.npz --seed 2
    python benchmarks/learn_appearance.py lite --gathered pack.npz films.npz -o lite.safetensors

First, samples are drawn from the training pack as the model's recipe for CPUs draws them, or from films of
the synthetic world, and embedded by the network as tracking does: three views of a target each, in boxes that
are a little off, and three other things: places of the last view in the pack, other targets in a film.
Then a map is learned, with one hidden layer, under which two views of a target are closer to one another than
to other targets of a large batch, and to other things (InfoNCE, van den Oord et al., 2018). The network stays
as it is. Gathering can be split over processes, by seeds. `calibrate_presence.py` comes after this, as its
weights are for what is learned here.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from appearance_material import VIEWS, Gathered, embed_films, embed_pack
from rich.progress import track
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from aiatrack.api import open_network
from aiatrack.atomic_files import replace_file
from aiatrack.config import load_recipe

RECIPES = {"lite": "lite_cpu", "nano": "nano"}
_KEPT = 20
"""One in so many samples is not learned from."""
_HIDDEN = 256
_DROPOUT = 0.1
"""Of the hidden units."""


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
    parser.add_argument("--samples", type=int, default=10_000, help="to gather from the pack")
    parser.add_argument("--films", type=int, default=0, help="synthetic films to gather from as well")
    parser.add_argument("--seed", type=int, default=0, help="of the samples")
    parser.add_argument("--precision", default="float32", help="of the network's arithmetic")
    parser.add_argument("--gathered", nargs="+", type=Path, help="npz files to learn from")
    parser.add_argument("--dimensions", type=int, default=128, help="of the learned space")
    parser.add_argument("--steps", type=int, default=2500, help="of learning")
    parser.add_argument("-o", "--output", type=Path, help="safetensors file to write")
    options = parser.parse_args()
    if options.gather:
        gather(options, parser)
    if options.output:
        gathered = {path.name: Gathered(**np.load(path)) for path in options.gathered or [options.gather]}
        projection = learn(gathered, options.dimensions, options.steps)
        with replace_file(options.output) as temporary:
            temporary.write_bytes(save({name: value.half() for name, value in projection.items()}))


def gather(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Embed samples of the pack, of films, or of both, and write the embeddings."""
    if not (options.pack or options.films):
        parser.error("--gather needs a --pack or --films to draw from")
    settings, network = open_network(options.model, precision=options.precision)
    parts: list[Gathered] = []
    if options.pack:
        recipe = options.recipe or RECIPES.get(options.model)
        if not recipe:
            parser.error("--gather needs a --recipe for weights of your own")
        changes = [f"data.sources.0.path={options.pack}", "data.workers=0"]
        changes += [f"data.cache={options.cache}"] if options.cache else []
        data = load_recipe(recipe, changes).data
        parts += embed_pack(network, settings, data, options.samples, options.seed)
    if options.films:
        parts += embed_films(network, settings, options.films, options.seed)
    with replace_file(options.gather) as temporary, temporary.open("wb") as file:
        np.savez(file, **join(parts)._asdict())


def join(parts: Sequence[Gathered]) -> Gathered:
    """All samples of several."""
    return Gathered(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def learn(
    gathered: Mapping[str, Gathered], dimensions: int, steps: int, batch_size: int = 512
) -> dict[str, Tensor]:
    """Fit `weight` `(D, P C)` and `bias` `(D,)` to embeddings as they are, and print how well they tell.

    Args:
        gathered: samples by where they come from.
        dimensions: D.
        steps: of learning.
        batch_size: samples of a step.
    """
    torch.manual_seed(0)
    kept = {name: len(samples.targets) // _KEPT for name, samples in gathered.items()}
    learned_from = [Gathered(*(array[kept[name] :] for array in each)) for name, each in gathered.items()]
    targets, others = (torch.from_numpy(array.astype(np.float32)) for array in join(learned_from))
    mean, deviation = targets.mean(dim=(0, 1)), targets.std(dim=(0, 1)) + 1e-3
    learned = _fit((targets - mean) / deviation, (others - mean) / deviation, dimensions, steps, batch_size)
    for name, samples in gathered.items():
        print(f"of {kept[name]} targets of {name} that nothing was learned from, each among all of them:")
        views = (torch.from_numpy(samples.targets[: kept[name]].astype(np.float32)) - mean) / deviation
        for space_name, space in (("plain", None), ("learned", learned)):
            print(
                f"  {space_name}: {_found_again(views, space):.1%} are nearest to themselves in another view"
            )
    return learned.as_projection(mean, deviation)


class Space(nn.Module):
    """Maps standardised embeddings `(..., P C)` to `(..., D)`: a linear map, then a residual hidden layer."""

    def __init__(self, width: int, dimensions: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, dimensions)
        self.hidden = nn.Linear(dimensions, _HIDDEN)
        self.output = nn.Linear(_HIDDEN, dimensions, bias=False)
        self.dropout = nn.Dropout(_DROPOUT)
        for layer in (self.linear, self.hidden):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.output.weight)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Map them."""
        straight = self.linear(embeddings)
        return cast(Tensor, straight + self.output(self.dropout(self.hidden(straight).relu())))

    def as_projection(self, mean: Tensor, deviation: Tensor) -> dict[str, Tensor]:
        """The tensors of `aiatrack.tracking.appearance.Projection`, for embeddings as they are."""
        weight = self.linear.weight.detach() / deviation
        return {
            "weight": weight,
            "bias": self.linear.bias.detach() - weight @ mean,
            "hidden_weight": self.hidden.weight.detach(),
            "hidden_bias": self.hidden.bias.detach(),
            "output_weight": self.output.weight.detach(),
        }


def _fit(targets: Tensor, others: Tensor, dimensions: int, steps: int, batch_size: int) -> Space:
    space = Space(targets.shape[-1], dimensions)
    sharpness = nn.Parameter(torch.tensor(1 / 0.07).log())
    decayed = {"params": space.parameters(), "weight_decay": 1.0}
    optimizer = torch.optim.AdamW([decayed, {"params": [sharpness], "weight_decay": 0.0}], lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in track(range(steps), "learning"):
        chosen = torch.randint(len(targets), (batch_size,))
        first = torch.randint(VIEWS, (batch_size,))
        second = (first + torch.randint(1, VIEWS, (batch_size,))) % VIEWS
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
    return space.eval()


def _contrast(a: Tensor, b: Tensor, others: Tensor, is_missing: Tensor, chosen: Tensor) -> Tensor:
    """InfoNCE of paired views, both ways; other places stand against the first."""
    repeated = (chosen[:, None] == chosen) & ~torch.eye(len(chosen), dtype=torch.bool)
    likeness = (a @ b.T).masked_fill(repeated, -1e4)
    elsewhere = torch.einsum("bd,bkd->bk", a, others).masked_fill(is_missing, -1e4)
    right = torch.arange(len(chosen))
    return cross_entropy(torch.cat((likeness, elsewhere), dim=1), right) + cross_entropy(likeness.T, right)


@torch.no_grad()
def _found_again(targets: Tensor, space: Space | None) -> float:
    """Share of targets whose first view is nearest to its own last view among all."""
    views: Sequence[Tensor] = [
        normalize(targets[:, k] if space is None else space(targets[:, k]), dim=-1) for k in (0, VIEWS - 1)
    ]
    nearest = (views[0] @ views[1].T).argmax(dim=1)
    return float((nearest == torch.arange(len(targets))).float().mean())


if __name__ == "__main__":
    main()
