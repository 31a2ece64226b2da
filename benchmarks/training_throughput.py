"""Samples a second of training: data alone, forward pass, whole step.

python benchmarks/training_throughput.py PACK --recipe nano --recipe lite_cpu --recipe paper --device cpu
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from aiatrack.config import load_recipe
from aiatrack.data import SampleBatch
from aiatrack.training import CorpusStream, build_initial_network
from aiatrack.training.objective import TrackingObjective
from aiatrack.training.trainee import Trainee


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path, help="folder of JSON lines")
    parser.add_argument("--recipe", action="append", help="nano, lite_cpu and paper if not given")
    parser.add_argument("--device", default="auto", help="auto or cpu")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument(
        "--set", nargs="*", default=[], help="further settings: key=value, such as batch_size=64"
    )
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {_device_name()}; medians\n")
    print("| recipe | model | batch | trained | data alone | forward | whole step |")
    print("|---|---|---:|---|---:|---:|---:|")
    for recipe in options.recipe or ["nano", "lite_cpu", "paper"]:
        # Speed does not depend on the weights' values; random ones need no download.
        changes = [f"device={options.device}", "init=random", *options.set]
        changes.append(f"data.sources=[{{path: {options.pack}, without_identity: [camvid_driving]}}]")
        measure(recipe, changes, options.repeat)


def measure(recipe: str, changes: list[str], repeat: int) -> None:
    """Print one row."""
    settings = load_recipe(recipe, changes)
    trainee = Trainee(settings, build_initial_network(settings))
    device = trainee.accelerator.device
    batches = CorpusStream(settings)(rank=0, world_size=1, start_step=0)
    objective = TrackingObjective(trainee.network, settings.loss)
    next(batches)
    data = _median(lambda: next(batches), repeat)
    ready = _cycle([next(batches).to(device) for _ in range(3)])

    def forward() -> None:
        with torch.no_grad(), trainee.accelerator.autocast():
            objective(next(ready))

    def step() -> None:
        trainee.begin_step()
        trainee.learn(next(ready), lambda *_: None)

    rates = [f"{settings.batch_size / _median(work, repeat):.1f}" for work in (forward, step)]
    row = (recipe, settings.model, settings.batch_size, f"all but {settings.optimizer.frozen.value}")
    print("|", " | ".join(map(str, (*row, f"{settings.batch_size / data:.1f}", *rates))), "|", flush=True)


def _median(work: Callable[[], object], repeat: int) -> float:
    """Seconds of one call; the first two are not counted."""
    seconds = []
    for _ in range(repeat + 2):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:])


def _cycle(batches: list[SampleBatch]) -> Iterator[SampleBatch]:
    while True:
        yield from batches


def _device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


if __name__ == "__main__":
    main()
