"""What each ingredient of training brings: short runs of equal budget, each without one of them.

python benchmarks/ingredients.py PACK SEQUENCES --steps 600 --folder runs/ingredients
python benchmarks/ingredients.py PACK SEQUENCES --steps 600 --ablations --folder runs/ablations

The second compares the paper's variants of the network instead.
Each run is judged by the same samples of clips that none is trained on, as they are filmed, and by tracking.
Runs that are done are not run again; one that was stopped goes on.
"""

import argparse
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from aiatrack.api.training import open_training_run
from aiatrack.config import TrackingSettings, TrainingSettings, load_recipe
from aiatrack.data import SampleBatch, build_batches
from aiatrack.evaluation import open_benchmark, read_annotations
from aiatrack.evaluation.running import validate_tracker
from aiatrack.model import build_network, load_network, load_state
from aiatrack.model.network import AiATrack
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import Tracker
from aiatrack.training.objective import TrackingObjective
from aiatrack.video.image_source import read_image

SMALL_SOURCE_IMAGES = 100
"""Sources with fewer images are those that the run without many small sources goes without."""

CHANGES: dict[str, list[str]] = {
    "everything": [],
    "no synthetic motion": ["data.still_motion=0", "data.clip_motion=0"],
    "no pasted cut-outs": ["data.pasted_share=0"],
    "no look-alikes": ["data.paste.distractor_probability=0"],
    "no random regions": ["data.region_share=0"],
    "no clips": ["data.clip_share=0"],
    "no small sources": [],  # completed from the pack
    "plain attention": ["network.refinement=none"],
    "taught one way": ["loss.both_ways=false"],
}
ABLATIONS: dict[str, list[str]] = {
    "attention in attention": [],
    "no refinement": ["network.refinement=none"],
    "a second plain attention": ["network.refinement=cascade"],
    "convolution of the map": ["network.refinement=convolution"],
    "without inner positions": ["network.refinement=aia_without_positions"],
    "in the encoder alone": ["network.refined_attention=encoder"],
    "in the decoder alone": ["network.refined_attention=decoder"],
    "target marked by a mask": ["network.marking=mask"],
    "target not marked": ["network.marking=none"],
    "references in one branch": ["network.combination=merged"],
    "long-term reference alone": ["network.combination=long_only"],
}
"""The paper's, by its settings; the first is the network as it is."""

AS_FILMED = ["data.clip_share=1", "data.clip_motion=0", "data.pasted_share=0", "data.region_share=0"]
KEPT_BATCHES = 40


@dataclass(frozen=True)
class Sequence:
    """One annotated sequence on disk; an `aiatrack.evaluation.running.validation.AnnotatedClip`."""

    name: str
    boxes_xywh: npt.NDArray[np.float64]
    paths: tuple[Path, ...]

    def frames(self) -> Iterator[npt.NDArray[np.uint8]]:
        """RGB, one by one."""
        return map(read_image, self.paths)


def main() -> None:
    """Train, track, print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path, help="folder of JSON lines to train on")
    parser.add_argument("sequences", type=Path, help="folder of NAME/img and NAME/groundtruth.txt to track")
    parser.add_argument("--recipe", default="nano")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs/ingredients"))
    parser.add_argument("--ablations", action="store_true", help="variants of the network, not of the data")
    parser.add_argument("--only", nargs="*", choices=[*CHANGES, *ABLATIONS], help="these runs alone")
    parser.add_argument("--set", nargs="*", default=[], help="further settings for all runs: key=value")
    options = parser.parse_args()
    common = [
        f"data.sources.0.path={options.pack}",
        f"steps={options.steps}",
        "log.pictures_every_steps=0",
        *options.set,
    ]
    jury = Jury(
        kept_samples(load_recipe(options.recipe, [*common, *AS_FILMED])), read_sequences(options.sequences)
    )
    print("| run | IoU, kept clips | success AUC |", "|---|---:|---:|", sep="\n", flush=True)
    for name in options.only or (ABLATIONS if options.ablations else CHANGES):
        changes = {**CHANGES, **ABLATIONS}[name]
        if name == "no small sources":
            changes = _without_small_sources(options.pack)
        for seed in range(options.seeds):
            settings = load_recipe(options.recipe, [*common, f"seed={seed}", *changes])
            report(name, settings, options.folder / f"{name.replace(' ', '_')}_{seed}", jury)


def report(name: str, settings: TrainingSettings, folder: Path, jury: "Jury") -> None:
    """Train a run if need be and print its rows; the first run also without what only testing decides."""
    train(settings, folder)
    model, network = load_network(folder / "last.safetensors")
    jury.print_row(name, network, model.tracking)
    if name != "everything":
        return
    alone = model.tracking.replace(ensemble_size=0)
    jury.print_row("the same, tracked without short-term memory", network, alone, sample_iou=False)
    raw = build_network(model.network)
    state = torch.load(sorted((folder / "checkpoints").glob("step_*.pt"))[-1], weights_only=True)
    load_state(raw, state["network"], origin=str(folder))
    jury.print_row("the same, last weights instead of their average", raw, model.tracking)


def train(settings: TrainingSettings, folder: Path) -> None:
    """Train unless it is done; go on where it was stopped."""
    if (folder / "last.safetensors").is_file():
        return
    started = any((folder / "checkpoints").glob("step_*.pt"))
    open_training_run(settings, folder, resume=started).run()


@dataclass(frozen=True)
class Jury:
    """What all runs are judged by."""

    samples: list[SampleBatch]
    clips: list[Sequence]

    def print_row(
        self, name: str, network: AiATrack, tracking: TrackingSettings, sample_iou: bool = True
    ) -> None:
        """Judge weights; without `sample_iou`, by tracking alone."""
        iou = f"{self.sample_iou(network):.3f}" if sample_iou else ""
        print(f"| {name} | {iou} | {self.success_auc(network, tracking):.3f} |", flush=True)

    @torch.no_grad()
    def sample_iou(self, network: AiATrack) -> float:
        """Mean IoU of the boxes found in single search regions."""
        objective = TrackingObjective(network.eval())
        return float(np.mean([objective(batch).mean_iou for batch in self.samples]))

    def success_auc(self, network: AiATrack, tracking: TrackingSettings) -> float:
        """Of tracking; frame 0 and absent frames left out."""
        # The runtime folds norms into the network that it is given.
        runtime = EagerNetwork(copy.deepcopy(network), torch.device("cpu"))
        return validate_tracker(lambda: Tracker(runtime, tracking), self.clips).success_auc


def kept_samples(settings: TrainingSettings) -> list[SampleBatch]:
    """The same for every run, from clips kept from training."""
    model = settings.model_settings()
    batches = build_batches(
        settings.data,
        batch_size=settings.batch_size,
        crop_size=model.network.crop_size,
        search_factor=model.tracking.search_factor,
        seed=0,
        part="validation",
    )
    return list(islice(batches, KEPT_BATCHES))


def read_sequences(root: Path) -> list[Sequence]:
    """Frames and truth of a folder of sequences."""
    benchmark = open_benchmark("folders", root)
    annotations = read_annotations(benchmark)
    return [
        Sequence(sequence.name, annotations[sequence.name].boxes_xywh, sequence.frame_paths)
        for sequence in benchmark.sequences
    ]


def _without_small_sources(pack: Path) -> list[str]:
    small = [
        path.stem
        for path in sorted(pack.glob("*.jsonl"))
        if len(path.read_text(encoding="utf-8").splitlines()) < SMALL_SOURCE_IMAGES
    ]
    return [f"data.sources.0.weights.{name}=0" for name in small]


if __name__ == "__main__":
    main()
