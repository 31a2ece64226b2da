"""Whether memory and time per frame stay flat: targets that come and go for many frames.

    python benchmarks/soak.py --frames 100000 --targets 20

Things of a small synthetic film, played forwards and backwards without end, are followed with presence on.
Every few frames one target is let go and another one marked. Prints a row for each tenth of the run: resident
memory, and the median CPU time of a frame, which other work on the machine hardly moves.

By default a stand-in of a few NumPy lines takes the network's place, so that it is tracking itself that is
measured; `--network eager` runs a tiny network with random weights, for fewer frames.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aiatrack.config import Backbone, NetworkSettings, TrackingSettings
from aiatrack.data.synthetic import SyntheticFrame, SyntheticWorld, SyntheticWorldSettings
from aiatrack.tracking import LocatedTargets, MultiTracker, Network, ReferenceSet

FloatArray = npt.NDArray[np.float32]

_FRAMES_BETWEEN_CHANGES = 25


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--network", choices=("stand-in", "eager"), default="stand-in")
    options = parser.parse_args()
    network = StandIn() if options.network == "stand-in" else open_tiny_network()
    settings = TrackingSettings(
        search_factor=4.0, presence="on", memory_capacity=10, min_score_to_remember=-1, batch_size=32
    )
    tracker = MultiTracker(network, settings)
    frames = _endless_film(options.targets)
    rng = np.random.default_rng(0)
    first = next(frames)
    for k in range(options.targets):
        tracker.add(first.image, first.boxes_xywh[k])
    print(f"{'frames':>8s} {'MB':>8s} {'ms a frame':>11s} {'targets so far':>15s} {'lost now':>9s}")
    length = options.frames // options.rows
    for row in range(options.rows):
        times = _play(tracker, frames, length, rng)
        lost = sum(result.state.value == "lost" for result in tracker.latest.values())
        print(
            f"{(row + 1) * length:8d} {_resident_mb():8.1f} {1000 * np.median(times):11.2f} "
            f"{max(map(int, tracker.ids)):15d} {lost:9d}",
            flush=True,
        )


def _play(
    tracker: MultiTracker, frames: Iterator[SyntheticFrame], count: int, rng: np.random.Generator
) -> list[float]:
    """Track some frames; returns the CPU seconds that each took."""
    times = []
    for index in range(count):
        frame = next(frames)
        started = time.process_time()
        tracker.update(frame.image)
        times.append(time.process_time() - started)
        if index % _FRAMES_BETWEEN_CHANGES == 0:
            tracker.remove(tracker.ids[int(rng.integers(len(tracker.ids)))])
            seen = np.flatnonzero(np.isfinite(frame.boxes_xywh[:, 0]))
            tracker.add(frame.image, frame.boxes_xywh[rng.choice(seen)])
    return times


def _endless_film(targets: int) -> Iterator[SyntheticFrame]:
    """A short film, rendered once, forwards and backwards."""
    world = SyntheticWorldSettings(
        width=160, height=120, frames=40, targets=targets, target_size=0.12, distractors=0
    )
    film = list(SyntheticWorld(world))
    while True:
        yield from film
        yield from film[-2:0:-1]


class StandInReference(NamedTuple):
    """Colours of one crop."""

    long_term: FloatArray
    short_term: FloatArray
    embedding: FloatArray


class StandIn:
    """Finds targets roughly where they were, more or less surely, by what the crop's pixels say."""

    crop_size = 32

    def encode(self, crops: npt.NDArray[np.uint8], padding: npt.NDArray[np.bool_]) -> FloatArray:
        """`(B, 8, 8, 3)` mean colours."""
        return crops.reshape(len(crops), 8, 4, 8, 4, 3).mean(axis=(2, 4), dtype=np.float32) / 255

    def remember(
        self, memory: FloatArray, rows: Sequence[int], boxes_xywh: FloatArray
    ) -> list[StandInReference]:
        """Keeps the colours; in copies, as a real network does."""
        return [StandInReference(memory[row].copy(), memory[row].copy(), _embed(memory[row])) for row in rows]

    def locate(self, search: FloatArray, references: Sequence[ReferenceSet]) -> LocatedTargets:
        """Sure where a crop is like frame 0."""
        first = np.stack([asked.long_term for asked in references])
        unlike = np.abs(search - first).mean(axis=(1, 2, 3))
        shift = search[:, 3:5, 3:5, 0].mean(axis=(1, 2)) / 10
        boxes = np.stack([0.33 + shift, 0.33 + shift, 0.25 + 0 * shift, 0.25 + 0 * shift], axis=1)
        corners = np.zeros((len(search), 2, 2, 2), np.float32)
        corners[:, :, 0, 0] = 10 - 40 * unlike[:, None]
        embeddings = np.stack([_embed(colours) for colours in search])
        return LocatedTargets(boxes, (0.9 - 4 * unlike).astype(np.float32), corners, embeddings)


def _embed(colours: FloatArray) -> FloatArray:
    return colours[2:6, 2:6].mean(axis=(0, 1))[None]


def open_tiny_network() -> Network:
    """A real one, as small as they come."""
    import torch

    from aiatrack.model import build_network
    from aiatrack.runtimes import EagerNetwork

    torch.manual_seed(0)
    torch.set_num_threads(1)
    settings = NetworkSettings(
        backbone=Backbone.EFFICIENTNET_LITE0,
        crop_size=32,
        channels=16,
        heads=2,
        encoder_layers=1,
        feed_forward_channels=32,
        inner_channels=8,
        corner_head_channels=16,
        iou_head_channels=16,
    )
    return EagerNetwork(build_network(settings), torch.device("cpu"))


def _resident_mb() -> float:
    """Resident memory of this process, MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
