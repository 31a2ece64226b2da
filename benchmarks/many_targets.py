"""What 32 targets in one 720p frame cost, followed together, against as many trackers of one.

    python benchmarks/many_targets.py                      # lite and nano, the default runtime
    python benchmarks/many_targets.py --model lite --batch-sizes 8 16 32

Both see the same frames of a rendered film and are timed frame by frame in turn, from the frame to the boxes.
Also prints how far their boxes come apart, over the side of the search region; each goes on from its own.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np

from aiatrack.api import open_network
from aiatrack.config import TrackingSettings
from aiatrack.crop import Image
from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings
from aiatrack.tracking import MultiTracker

WARM_UP_FRAMES = 3


def main() -> None:
    """Measure and print a line for each model and batch size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", default=["lite", "nano"])
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--targets", type=int, default=32)
    parser.add_argument("--frames", type=int, default=10)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[TrackingSettings().batch_size])
    options = parser.parse_args()
    frames, boxes = render(options.targets, options.frames + WARM_UP_FRAMES + 1)
    for model in options.model:
        # One each: a network keeps the references of its last call in place.
        (settings, network), (_, network_of_singles) = (
            open_network(model, runtime=options.runtime, precision=options.precision) for _ in range(2)
        )
        for size in options.batch_sizes:
            tracking = settings.tracking.replace(batch_size=size)
            print(f"{model}, batches of {size}: ", end="", flush=True)
            together = MultiTracker(network, tracking)
            singles = [MultiTracker(network_of_singles, tracking) for _ in boxes]
            print(compare(together, singles, frames, boxes))


def render(targets: int, frames: int) -> tuple[list[Image], np.ndarray]:
    """1280 x 720 frames and boxes in the first of them: around eight things, then a little beside them."""
    world = SyntheticWorld(
        SyntheticWorldSettings(
            width=1280, height=720, frames=frames, targets=8, target_size=0.08, distractors=0, speed=0.3
        )
    )
    boxes = world.boxes_xywh(0)
    boxes = np.resize(boxes[~np.isnan(boxes[:, 0])], (targets, 4))
    boxes[:, :2] = np.maximum(boxes[:, :2] - np.arange(targets)[:, None] // 2, 0)
    return [shown.image for shown in world], boxes


def compare(
    together: MultiTracker, singles: Sequence[MultiTracker], frames: Sequence[Image], boxes: np.ndarray
) -> str:
    """Follow the same boxes together and one by one."""
    for number, box in enumerate(boxes):
        together.add(frames[0], box, id=number)
        singles[number].add(frames[0], box, id=number)
    readings, apart = [], []
    for frame in frames[1:]:
        start = _clocks()
        batched = together.update(frame)
        middle = _clocks()
        alone = {number: tracker.update(frame)[number] for number, tracker in enumerate(singles)}
        readings.append((middle - start, _clocks() - middle))
        apart.append(_largest_difference(batched, alone, together.settings.search_factor))
    batched_s, single_s = np.array(readings[WARM_UP_FRAMES:]).transpose(
        1, 2, 0
    )  # each (wall and CPU, frames)
    low, ratio, high = np.percentile(batched_s[0] / single_s[0], (10, 50, 90))
    return (
        f"{len(boxes)} targets together {1000 * np.median(batched_s[0]):.0f} ms, one by one "
        f"{1000 * np.median(single_s[0]):.0f} ms, ratio {ratio:.2f} ({low:.2f}-{high:.2f}), of CPU time "
        f"{np.median(batched_s[1] / single_s[1]):.2f}; boxes apart by {apart[0]:.1e} of the region after a "
        f"frame, {max(apart):.1e} within {len(apart)}"
    )


def _clocks() -> np.ndarray:
    """Seconds on the wall and of all cores for this process: a busy machine stretches only the first."""
    return np.array((time.perf_counter(), time.process_time()))


def _largest_difference(batched: dict, alone: dict, search_factor: float) -> float:
    """Between the two boxes of a target, over the side of a region around it."""
    differences = []
    for number, result in batched.items():
        ours, theirs = np.array(result.box_xywh), np.array(alone[number].box_xywh)
        differences.append(np.abs(ours - theirs).max() / (search_factor * np.sqrt(ours[2] * ours[3])))
    return float(max(differences))


if __name__ == "__main__":
    main()
