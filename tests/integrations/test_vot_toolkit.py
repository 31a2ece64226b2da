"""Whole experiments inside the VOT toolkit, where it is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from vot_oracle import write_sequences

pytest.importorskip("vot", reason="the VOT toolkit is not installed: pip install 'aiatrack[vot]'")

LENGTHS = [60, 24]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the toolkit has run and analysed both experiments."""
    folder = tmp_path_factory.mktemp("vot")
    root = write_sequences(folder / "clips", LENGTHS)
    tracker = "python:vot_oracle:Oracle"
    _run("aiatrack", "vot", "workspace", folder / "ws", "-b", "folders", "--root", root, "--tracker", tracker)
    _run("vot", "evaluate", "--workspace", folder / "ws", "Oracle")
    _run("vot", "analysis", "--workspace", folder / "ws", "--name", "analysis", "Oracle")
    return folder / "ws"


def _run(module: str, *arguments: object) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_experiments_are_complete(workspace: Path) -> None:
    found = {
        path.relative_to(workspace / "results" / "Oracle").as_posix() for path in workspace.rglob("*.bin")
    }
    unsupervised = {f"unsupervised/s{number}/s{number}_001.bin" for number in range(2)}
    starts = [("s0", 0), ("s0", 50), ("s0", 59), ("s1", 0), ("s1", 23)]
    assert found == unsupervised | {f"baseline/{name}/{name}_{start:08d}.bin" for name, start in starts}


def test_a_perfect_tracker_is_perfect_to_the_toolkit(workspace: Path) -> None:
    """Any frame or box that arrived changed would cost accuracy."""
    results = json.loads((workspace / "analysis" / "analysis.json").read_text())["results"]
    assert results["unsupervised"]["results"] == [[[1.0]]]
    accuracy, robustness, *_ = results["baseline"]["results"][0][0]
    # The toolkit counts the frame in which each of the five runs begins, as one without overlap.
    frames = 60 + 51 + 60 + 24 + 24
    assert accuracy == pytest.approx((frames - 5) / frames)
    assert robustness == 1.0


def test_confidence_reaches_the_toolkit(workspace: Path) -> None:
    path = workspace / "results" / "Oracle" / "unsupervised" / "s1" / "s1_001_confidence.value"
    values = [float(line) for line in path.read_text().split("\n")[1:] if line]
    assert values == [0.5] * (LENGTHS[1] - 1)
