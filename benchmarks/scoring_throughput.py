"""How long it takes to read and score published results under every rule set.

    python benchmarks/scoring_throughput.py PUBLISHED

PUBLISHED holds `results/`, all files in one folder, and `annotations/otb100`, `uav123` and `lasot`.
"""

import argparse
import time
from pathlib import Path

from aiatrack.evaluation import (
    RULE_SETS,
    FrameTable,
    open_benchmark,
    read_annotations,
    read_results,
    score_frames,
)


def main() -> None:
    """Read and score everything, and print seconds for each benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("published", type=Path)
    published: Path = parser.parse_args().published
    begin = time.perf_counter()
    for name in ("otb100", "uav123", "lasot"):
        start = time.perf_counter()
        benchmark = open_benchmark(name, published / "annotations" / name)
        annotations = read_annotations(benchmark)
        table = FrameTable(read_results(published / "results", benchmark, annotations).boxes, annotations)
        read = time.perf_counter()
        for rules in RULE_SETS.values():
            score_frames(table, rules)
        frames, scored = len(table.sequence), time.perf_counter()
        print(f"{name}: {frames} frames, read in {read - start:.2f} s, scored in {scored - read:.2f} s")
    print(f"all: {time.perf_counter() - begin:.2f} s")


if __name__ == "__main__":
    main()
