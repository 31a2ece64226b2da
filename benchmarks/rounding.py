"""How far a runtime's or a precision's boxes are from PyTorch's in float32, one frame at a time.

python benchmarks/rounding.py SEQUENCES lite --against openvino:float32 --against openvino:bf16

Regions are cut around the true box of the frame before, references are frame 0 and ten frames ago with their
true boxes: unlike when tracking, no difference grows from frame to frame. `--track` tracks as well: each
sequence forwards and backwards, from its beginning and from a third on.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ingredients import Sequence, read_sequences

from aiatrack.api import open_network
from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import TrackingSettings
from aiatrack.crop import Crop, crop_region
from aiatrack.evaluation.running import validate_tracker
from aiatrack.tracking import ReferenceSet, Tracker
from aiatrack.tracking.network import Network
from aiatrack.video.image_source import read_image

FRAMES_AGO = 10
SMALL = 0.01
"""Of the crop's side."""

Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Moment:
    """Two references and a search region, and where the target is in each, normalised to the crop."""

    crops: tuple[Crop, Crop, Crop]
    boxes_xywh: Boxes


def main() -> None:
    """Locate, compare, print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sequences", type=Path, help="folder of NAME/img and NAME/groundtruth.txt")
    parser.add_argument("model", nargs="+")
    parser.add_argument("--against", action="append", help="RUNTIME:PRECISION; openvino:bf16 if not given")
    parser.add_argument("--each", type=int, default=12, help="moments of each sequence")
    parser.add_argument("--track", action="store_true", help="success AUC of tracking, too")
    options = parser.parse_args()
    clips = read_sequences(options.sequences)
    print(
        "| model | runtime | mean IoU | box apart, median | 90 % | 99 % | most | below 0.01 | score apart "
        "| AUC, forwards | four ways |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for model in options.model:
        settings, exact = open_network(model, "cpu", runtime="eager", precision="float32")
        factor, size = settings.tracking.search_factor, settings.network.crop_size
        moments = [m for clip in clips for m in choose_moments(clip, options.each, factor, size)]
        truth = np.stack([moment.boxes_xywh[-1] for moment in moments])
        expected = locate(exact, moments)
        for name in ["eager:float32", *(options.against or ["openvino:bf16"])]:
            runtime, precision = name.split(":")
            _, network = open_network(model, "cpu", runtime=runtime, precision=precision)
            tracked = success_aucs(network, settings.tracking, clips) if options.track else []
            report((model, name), truth, locate(network, moments), expected, tracked)


def choose_moments(clip: Sequence, count: int, factor: float, size: int) -> Iterator[Moment]:
    """Moments of a sequence, by chance but always the same, where the target is in all frames concerned."""
    boxes = clip.boxes_xywh
    visible = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 2).all(axis=1)
    later = np.arange(FRAMES_AGO, len(boxes))
    usable = later[visible[later] & visible[later - 1] & visible[later - FRAMES_AGO] & visible[0]]
    chosen = np.random.default_rng(0).permutation(usable)[:count]
    for t in chosen:
        shown = ((0, 0), (t - FRAMES_AGO, t - FRAMES_AGO), (t, t - 1))  # frame, and box to cut around
        crops = [crop_region(read_image(clip.paths[frame]), boxes[box], factor, size) for frame, box in shown]
        inside = [_normalise(boxes[frame], crop) for (frame, _), crop in zip(shown, crops, strict=True)]
        yield Moment((crops[0], crops[1], crops[2]), np.stack(inside))


def locate(network: Network, moments: list[Moment]) -> tuple[Boxes, npt.NDArray[np.float32]]:
    """Boxes `(M, 4)` and scores `(M,)` found."""
    found = []
    for moment in moments:
        crops = [np.stack([getattr(crop, part) for crop in moment.crops]) for part in ("image", "padding")]
        images, padding = crops
        first, recent = network.remember(
            network.encode(images[:2], padding[:2]), [0, 1], moment.boxes_xywh[:2]
        )
        references = ReferenceSet(first.long_term, [first.short_term, recent.short_term], [2, 1])
        found.append(network.locate(network.encode(images[2:], padding[2:]), [references]))
    return (
        np.concatenate([one.boxes_xywh for one in found]),
        np.concatenate([one.scores for one in found]),
    )


def success_aucs(network: Network, settings: TrackingSettings, clips: list[Sequence]) -> list[float]:
    """Of all sequences as they are, and the mean of four ways to track them."""
    aucs = [
        validate_tracker(lambda: Tracker(network, settings), cut).success_auc for cut in cut_four_ways(clips)
    ]
    return [aucs[0], float(np.mean(aucs))]


def cut_four_ways(clips: list[Sequence]) -> Iterator[list[Sequence]]:
    """Sequences as they are, from a third on, and both backwards; without those where the target is not."""
    for step in (1, -1):
        for share in (0, 1 / 3):
            begins = [round(share * len(clip.paths)) for clip in clips]
            cut = [
                Sequence(clip.name, clip.boxes_xywh[::step][begin:], clip.paths[::step][begin:])
                for clip, begin in zip(clips, begins, strict=True)
            ]
            yield [clip for clip in cut if np.isfinite(clip.boxes_xywh[0]).all()]


def report(names: tuple[str, str], truth: Boxes, found: Any, expected: Any, tracked: list[float]) -> None:
    """Print a row."""
    corners = [xywh_to_xyxy(boxes) for boxes in (truth, found[0], expected[0])]
    iou = np.mean([box_iou(one, other) for one, other in zip(corners[0], corners[1], strict=True)])
    apart = np.abs(corners[1] - corners[2]).max(axis=1)
    median, most, nearly_all = np.quantile(apart, [0.5, 0.9, 0.99])
    scores = np.abs(found[1] - expected[1]).mean()
    numbers = [f"{number:.4f}" for number in (iou, median, most, nearly_all, apart.max())]
    aucs = [f"{auc:.3f}" for auc in tracked] or ["", ""]
    row = (*names, *numbers, f"{(apart < SMALL).mean():.1%}", f"{scores:.4f}", *aucs)
    print("|", " | ".join(row), "|", flush=True)


def _normalise(box_xywh: npt.NDArray[np.float64], crop: Crop) -> Boxes:
    """From px of the frame to shares of the crop's side."""
    window = crop.window
    corner = (box_xywh[:2] - (window.left, window.top)) / window.side
    return np.concatenate((corner, box_xywh[2:] / window.side)).astype(np.float32)


if __name__ == "__main__":
    main()
