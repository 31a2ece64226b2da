"""What each ingredient of training brings: short runs of equal budget, each without one of them.

python benchmarks/ingredients.py PACK SEQUENCES --steps 600 --folder runs/ingredients

Runs that are done are not run again; one that was stopped goes on.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from aiatrack.api.training import open_training_run
from aiatrack.config import TrackingSettings, TrainingSettings, load_recipe
from aiatrack.evaluation import open_benchmark, read_annotations
from aiatrack.evaluation.running import validate_tracker
from aiatrack.model import build_network, load_network, load_state
from aiatrack.model.network import AiATrack
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import Tracker
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
    parser.add_argument("--only", nargs="*", choices=list(CHANGES), help="these runs alone")
    parser.add_argument("--set", nargs="*", default=[], help="further settings for all runs: key=value")
    options = parser.parse_args()
    clips = read_sequences(options.sequences)
    print("| run | IoU in training | success AUC |", "|---|---:|---:|", sep="\n", flush=True)
    for name in options.only or CHANGES:
        for seed in range(options.seeds):
            settings = load_recipe(
                options.recipe,
                [
                    f"data.sources.0.path={options.pack}",
                    f"steps={options.steps}",
                    f"seed={seed}",
                    "log.pictures_every_steps=0",
                    *CHANGES[name],
                    *(_without_small_sources(options.pack) if name == "no small sources" else []),
                    *options.set,
                ],
            )
            report(name, settings, options.folder / f"{name.replace(' ', '_')}_{seed}", clips)


def report(name: str, settings: TrainingSettings, folder: Path, clips: list[Sequence]) -> None:
    """Train a run if need be and print its rows; the first run also without what only testing decides."""
    train(settings, folder)
    model, network = load_network(folder / "last.safetensors")
    state = torch.load(sorted((folder / "checkpoints").glob("step_*.pt"))[-1], weights_only=True)
    iou = f"{_last_training_iou(folder):.3f}"
    print(f"| {name} | {iou} | {success_auc(network, model.tracking, clips):.3f} |", flush=True)
    if name != "everything":
        return
    _, network = load_network(folder / "last.safetensors")
    alone = success_auc(network, model.tracking.replace(ensemble_size=0), clips)
    print(f"| the same, tracked without short-term memory | | {alone:.3f} |", flush=True)
    raw = build_network(model.network)
    load_state(raw, state["network"], origin=str(folder))
    auc = success_auc(raw, model.tracking, clips)
    print(f"| the same, last weights instead of their average | | {auc:.3f} |", flush=True)


def train(settings: TrainingSettings, folder: Path) -> None:
    """Train unless it is done; go on where it was stopped."""
    if (folder / "last.safetensors").is_file():
        return
    started = any((folder / "checkpoints").glob("step_*.pt"))
    open_training_run(settings, folder, resume=started).run()


def success_auc(network: AiATrack, tracking: TrackingSettings, clips: list[Sequence]) -> float:
    """Of tracking; frame 0 and absent frames left out."""
    runtime = EagerNetwork(network, torch.device("cpu"))
    return validate_tracker(lambda: Tracker(runtime, tracking), clips).success_auc


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
        if len(path.read_text().splitlines()) < SMALL_SOURCE_IMAGES
    ]
    return [f"data.sources.0.weights.{name}=0" for name in small]


def _last_training_iou(folder: Path) -> float:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return float(np.mean([row["mean_iou"] for row in rows if "mean_iou" in row][-4:]))


if __name__ == "__main__":
    main()
