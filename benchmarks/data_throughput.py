"""Samples a second of the training data alone.

python benchmarks/data_throughput.py PACK --crop-size 256 --batch-size 128 --device cuda --workers 8
"""

import argparse
import time
from pathlib import Path

import torch

from aiatrack.config import DataSettings, SourceSettings
from aiatrack.data import build_batches


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="file or folder of JSON lines")
    parser.add_argument("--cache", type=Path, help="where decoded images are kept")
    parser.add_argument("--crop-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--batches", type=int, default=50)
    options = parser.parse_args()
    settings = DataSettings(
        sources=(SourceSettings(path=options.path),), cache=options.cache, workers=options.workers
    )
    batches = build_batches(
        settings,
        batch_size=options.batch_size,
        crop_size=options.crop_size,
        search_factor=4.0,
        seed=0,
        device=options.device,
    )
    for _ in range(5 + options.workers):
        next(batches)
    _wait(options.device)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(options.batches):
        next(batches)
    _wait(options.device)
    samples = options.batches * options.batch_size
    seconds = time.perf_counter() - start
    per_cpu_second = samples / (time.process_time() - cpu)
    print(f"{samples / seconds:.0f} samples/s, {per_cpu_second:.0f} per CPU second of this process")


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
