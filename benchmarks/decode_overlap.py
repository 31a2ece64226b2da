"""Frames per second from file to box with frames decoded ahead on another thread, and without, by turns.

python benchmarks/decode_overlap.py --model nano --precision bf16
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from aiatrack.api import load_tracker
from aiatrack.timing import TimingFilm, render_film
from aiatrack.tracking import Tracker
from aiatrack.video import FrameSource, open_frames, read_ahead


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    tracker = load_tracker(options.model, runtime=options.runtime, precision=options.precision)
    with TemporaryDirectory() as folder:
        film = render_film(Path(folder), options.frames, targets=1)
        rates = [
            [track_film(tracker, film, arrange) for arrange in (lambda source: source, read_ahead)]
            for _ in range(options.repeat)
        ]
    plain, ahead = np.median(rates, axis=0)
    gain = np.median([ahead / plain for plain, ahead in rates])
    print(
        f"{options.model}: {plain:.1f} frames/s in turn, {ahead:.1f} decoded ahead, {gain:.2f} times as many"
    )


def track_film(tracker: Tracker, film: TimingFilm, arrange: Callable[[FrameSource], FrameSource]) -> float:
    """Frames per second after the first one."""
    with arrange(open_frames(film.path)) as frames:
        tracker.start(next(frames).image, film.boxes[0])
        start, count = time.perf_counter(), 0
        for frame in frames:
            tracker.update(frame.image)
            count += 1
        return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
