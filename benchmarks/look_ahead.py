"""What looking ahead costs in accuracy, and how many frames it takes at a time.

    python benchmarks/look_ahead.py SEQUENCES lite nano --look-ahead 1 2 4

Success AUC of sequences as they are, and the mean of four ways to track them: forwards and backwards, from
the beginning and from a third on. How fast it is: `aiatrack bench --look-ahead 1,4`.
"""

import argparse
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ingredients import Sequence, read_sequences
from rounding import cut_four_ways

from aiatrack.api import load_tracker
from aiatrack.crop import Image
from aiatrack.evaluation.running import validate_tracker
from aiatrack.tracking import Tracker, TrackResult


class AheadTracker:
    """Looks ahead in the film that it is shown, and hands out what it finds frame by frame.

    Args:
        tracker: that follows.
        look_ahead: frames that it may look at together.

    Attributes:
        film: all frames; to be set before `start`.
        calls: how often it looked.
        frames: at how many it was asked.
    """

    def __init__(self, tracker: Tracker, look_ahead: int) -> None:
        self.film: list[Image] = []
        self.calls = self.frames = 0
        self._tracker = tracker
        self._look_ahead = look_ahead

    def start(self, frame: Image, box: tuple[float, float, float, float]) -> TrackResult:
        """Begin with what is inside a box."""
        self._next, self._found = 1, deque[TrackResult]()
        return self._tracker.start(frame, box)

    def update(self, frame: Image) -> TrackResult:
        """Find the target in the next frame, as before or by looking again."""
        if not self._found:
            self._found.extend(
                self._tracker.update_ahead(self.film[self._next : self._next + self._look_ahead])
            )
            self.calls += 1
        self._next += 1
        self.frames += 1
        return self._found.popleft()


@dataclass(frozen=True)
class ShownClip(Sequence):
    """A sequence whose frames a tracker is shown before their time."""

    tracker: AheadTracker

    def frames(self) -> Iterator[Image]:
        """All of them, one by one."""
        self.tracker.film = list(super().frames())
        return iter(self.tracker.film)


def main() -> None:
    """Track, print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sequences", type=Path, help="folder of NAME/img and NAME/groundtruth.txt")
    parser.add_argument("model", nargs="+")
    parser.add_argument("--look-ahead", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--precision", default="float32")
    options = parser.parse_args()
    clips = read_sequences(options.sequences)
    print("| model | look ahead | frames a look | success AUC | four ways |")
    print("|---|---:|---:|---:|---:|")
    for model in options.model:
        tracker = load_tracker(model, "cpu", precision=options.precision)
        for look_ahead in options.look_ahead:
            ahead = AheadTracker(tracker, look_ahead)
            aucs = [track(ahead, cut) for cut in cut_four_ways(clips)]
            frames = ahead.frames / ahead.calls
            print(
                f"| {model} | {look_ahead} | {frames:.2f} | {aucs[0]:.4f} | {np.mean(aucs):.4f} |", flush=True
            )


def track(tracker: AheadTracker, clips: list[Sequence]) -> float:
    """Success AUC."""
    shown = [ShownClip(clip.name, clip.boxes_xywh, clip.paths, tracker) for clip in clips]
    return validate_tracker(lambda: tracker, shown).success_auc


if __name__ == "__main__":
    main()
