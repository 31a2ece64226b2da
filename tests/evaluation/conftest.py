"""Where the published results lie, and small benchmarks of our own making."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from running_trackers import LENGTHS, LOG, write_benchmark

from aiatrack.evaluation.annotation import Annotation, build_annotation
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.running import LocalPool, Outcome, parse_tracker, run_tracker

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def published() -> Path:
    """Folder with `annotations/` and `results/` of the authors; set AIATRACK_PUBLISHED to use another."""
    folder = Path(os.environ.get("AIATRACK_PUBLISHED", REPOSITORY / ".." / "shared" / "published")).resolve()
    if not (folder / "annotations").is_dir() or not (folder / "results").is_dir():
        pytest.skip("the authors' published results are not here: set AIATRACK_PUBLISHED to their folder")
    return folder


@pytest.fixture
def make_table() -> Callable[..., FrameTable]:
    """Build a table of one sequence, or of many from mappings."""

    def build(predicted: object, annotated: object, **more: object) -> FrameTable:
        if isinstance(predicted, Mapping):
            assert isinstance(annotated, Mapping)
            return FrameTable(predicted, annotated)
        annotation: Annotation = build_annotation(np.array(annotated, float), **more)  # type: ignore[arg-type]
        return FrameTable({"only": np.array(predicted, float)}, {"only": annotation})

    return build


@pytest.fixture
def otb_like(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write an own-folders benchmark and perfect results; returns (root, results)."""

    def write(names: tuple[str, ...] = ("cat", "dog", "bird"), frames: int = 12) -> tuple[Path, Path]:
        root, results = tmp_path / "benchmark", tmp_path / "results"
        results.mkdir(exist_ok=True)
        for index, name in enumerate(names):
            start = np.array([20.0 + index, 30.0, 40.0, 50.0])
            boxes = start + np.arange(frames)[:, None] * np.array([2.0, 1.0, 0.5, 0.25])
            text = "".join(",".join(f"{n:g}" for n in row) + "\n" for row in boxes)
            (root / name / "img").mkdir(parents=True, exist_ok=True)
            (root / name / "groundtruth.txt").write_text(text)
            (results / f"{name}.txt").write_text(text)
        return root, results

    return write


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOG, str(tmp_path / "log"))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return tmp_path / "log"


@pytest.fixture
def run(tmp_path: Path, log: Path) -> Callable[..., Outcome]:
    """Run a tracker of `running_trackers` over three sequences."""
    root = write_benchmark(tmp_path / "root", LENGTHS)

    def evaluate(tracker: str = "Drift", folder: str = "out", **options: object) -> Outcome:
        jobs, threads = options.pop("jobs", 1), options.pop("threads", 1)
        return run_tracker(
            parse_tracker(f"python:running_trackers:{tracker}"),
            open_benchmark("folders", root),
            tmp_path / folder,
            pool=LocalPool(jobs, threads),  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )

    return evaluate
