"""Ctrl-C, termination and a plain kill in the middle of a film: what was tracked is on disk, whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_inputs import BOX, film_times, make_film

SIGNALS = {"SIGINT": 130, "SIGTERM": 130, "SIGKILL": -signal.SIGKILL}
ROWS_BEFORE = 80
PATIENCE_S = 120.0
# A shell without job control starts its jobs deaf to Ctrl-C.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from aiatrack.cli.main import main
main()
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


def start(folder: Path, film: Path, model: Path) -> subprocess.Popen[str]:
    folder.mkdir()
    command = [sys.executable, "-c", PROGRAM, "track", film, "--box", BOX, "--model", model]
    return subprocess.Popen(
        [*map(str, command), "-o", "out.mp4", "--save-boxes", "boxes.csv"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, tiny_weights):
    """One run for each signal, all at once: folder, exit code, standard output and error."""
    root = tmp_path_factory.mktemp("stopped")
    film = make_film(root / "long.mp4", 2500)
    children = {name: start(root / name, film, tiny_weights) for name in SIGNALS}
    try:
        outcomes = {}
        for name, child in children.items():
            boxes = root / name / "boxes.csv"
            patience = time.monotonic() + PATIENCE_S
            while not boxes.exists() or boxes.read_bytes().count(b"\n") < ROWS_BEFORE:
                assert child.poll() is None, child.communicate()
                assert time.monotonic() < patience, "tracking never got going"
                time.sleep(0.02)
            child.send_signal(getattr(signal, name))
            out, err = child.communicate(timeout=PATIENCE_S)
            outcomes[name] = root / name, child.returncode, out, err
        return outcomes
    finally:
        for child in children.values():
            child.kill()
            child.wait()


@pytest.mark.parametrize("name", SIGNALS)
def test_outputs_are_whole(name, stopped):
    folder, code, out, err = stopped[name]
    assert code == SIGNALS[name], (out, err)
    assert err == ""
    text = (folder / "boxes.csv").read_text()
    assert text.endswith("\n")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert {len(row) for row in rows} == {10}
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    assert len(rows) >= ROWS_BEFORE - 1
    shown = film_times(folder / "out.mp4")
    if name == "SIGKILL":
        # The last second may still have been in the encoder.
        assert len(shown) >= len(rows) - 75
        assert len(shown) > 0
    else:
        assert abs(len(shown) - len(rows)) <= 1
        assert out.startswith(f"stopped: {len(shown)} frames at ")
        assert "wrote out.mp4 and boxes.csv" in out
