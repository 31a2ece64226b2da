"""Evaluations on a Ray cluster of one machine, where Ray is installed."""

import os
import sys
from pathlib import Path

import pytest
from running_trackers import LOG, write_benchmark

from aiatrack.errors import MissingExtraError, SettingsError
from aiatrack.evaluation.benchmark import Benchmark, open_benchmark
from aiatrack.evaluation.running import LocalPool, parse_tracker, run_tracker
from aiatrack.evaluation.running.ray_workers import RayPool

HERE = Path(__file__).parent


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    benchmark = open_benchmark("folders", write_benchmark(tmp_path / "clips", [3]))
    with pytest.raises(MissingExtraError, match=r"aiatrack\[cluster\]"):
        run_tracker(parse_tracker("opencv:mil"), benchmark, tmp_path / "out", pool=RayPool("local"))


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'aiatrack[cluster]'")
    monkeypatch.setenv(LOG, str(tmp_path / "log"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(HERE))
    return open_benchmark("folders", write_benchmark(tmp_path / "clips", [4, 6, 5, 4, 5]))


def _results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("s?.txt")}


def test_a_lost_worker_costs_nothing_but_time(benchmark: Benchmark, tmp_path: Path) -> None:
    here = parse_tracker("python:running_trackers:Drift")
    run_tracker(here, benchmark, tmp_path / "here", pool=LocalPool(jobs=1))
    (tmp_path / "log").unlink()
    killed = parse_tracker("python:running_trackers:KilledOnceOn1")
    outcome = run_tracker(killed, benchmark, tmp_path / "ray", pool=RayPool("local", jobs=2))
    starts = (tmp_path / "log").read_text().split("\n")
    assert outcome.failed == {}
    assert outcome.done == ("s0", "s1", "s2", "s3", "s4")
    assert starts.count("start 1") == 2
    assert [starts.count(f"end {number}") for number in range(5)] == [1] * 5
    assert _results(tmp_path / "ray") == _results(tmp_path / "here")


def test_a_crash_on_the_cluster_is_reported_as_here(benchmark: Benchmark, tmp_path: Path) -> None:
    crashing = parse_tracker("python:running_trackers:CrashingOn1")
    outcome = run_tracker(crashing, benchmark, tmp_path / "ray", pool=RayPool("local", jobs=1), retries=0)
    assert outcome.done == ("s0", "s2", "s3", "s4")
    assert "cannot follow sequence one" in outcome.failed["s1"]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_does_not_answer_is_named(benchmark: Benchmark, tmp_path: Path, address: str) -> None:
    with pytest.raises(SettingsError, match=f"cannot reach a Ray cluster at '{address}'"):
        run_tracker(parse_tracker("opencv:mil"), benchmark, tmp_path / "out", pool=RayPool(address))
