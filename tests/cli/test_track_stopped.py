"""Ctrl-C, termination and a plain kill: what was tracked is on disk, whole, and the exit code says it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_inputs import BOX, film_times, make_film

from aiatrack.video.film_writer import FilmWriter

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


@pytest.fixture
def signals_as_before():
    """Whatever a run makes of signals that were meant for it, pytest takes them as ever."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, previous, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("here", "signals_as_before")
@pytest.mark.parametrize("second", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", None])
def test_nothing_breaks_off_the_closing(first, second, track, film, monkeypatch):
    """The first signal comes after the third frame, or not at all; the second while the film is closed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    write, close = FilmWriter.write, FilmWriter.close

    def write_and_stop(self, frame):
        write(self, frame)
        if first is not None and frame.index == 2:
            os.kill(os.getpid(), getattr(signal, first))

    def stop_and_close(self):
        os.kill(os.getpid(), getattr(signal, second))
        close(self)

    monkeypatch.setattr(FilmWriter, "write", write_and_stop)
    monkeypatch.setattr(FilmWriter, "close", stop_and_close)
    outcome = track(film, "--box", BOX, "-o", "out.mp4", "--save-boxes", "boxes.cvat.xml")
    frames = 12 if first is None else 3
    assert (outcome.code, outcome.err) == (0 if first is None else 130, "")
    assert "wrote out.mp4 and boxes.cvat.xml" in outcome.out
    assert len(film_times(Path("out.mp4"))) == frames
    assert Path("boxes.cvat.xml").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# Sends itself a signal as a module is about to be imported.
STOPPED_AT_IMPORT = """
import os, runpy, signal, sys
number, module, *sys.argv[1:] = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)
class Stop:
    def find_spec(name, *_):
        if name == module:
            os.kill(os.getpid(), int(number))
sys.meta_path.insert(0, Stop)
runpy.run_module("aiatrack", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["typer", "aiatrack.cli.track", "aiatrack.api", "cv2"])
def test_stopped_while_it_is_imported(module, number, film, here):
    command = [sys.executable, "-c", STOPPED_AT_IMPORT, str(int(number)), module]
    done = subprocess.run(
        [*command, "track", str(film), "--box", BOX], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_interrupt_that_a_library_turns_into_an_error_of_import():
    """As pybind11 does, which OpenVINO is made with."""
    code = (
        "import sys, types, aiatrack.cli\n"
        "def main():\n    raise ImportError('initialization failed') from KeyboardInterrupt()\n"
        "sys.modules['aiatrack.cli.main'] = types.SimpleNamespace(main=main)\n"
        "import aiatrack.__main__\naiatrack.__main__.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
