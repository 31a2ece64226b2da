"""Whatever is wrong with what a user gives: one line that says so, its exit code, older outputs untouched."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli_inputs import BOX, Outcome, make_film, make_folder, make_sound
from safetensors.numpy import save_file

from aiatrack.cli import selection
from aiatrack.video.box_formats import documents

FULL = Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")


BOTH_OUTPUTS = ("-o", "out.mp4", "--save-boxes", "boxes.txt")


def refused(run: Callable[..., Outcome], *arguments: object, code: int, words: str) -> str:
    """Run and expect one line of error."""
    outcome = run(*arguments)
    assert outcome.err.startswith("error: "), outcome
    assert outcome.err.count("\n") == 1, outcome.err
    assert words in outcome.err
    assert outcome.code == code
    return outcome.out


@pytest.fixture
def old(here: Path) -> Callable[[], None]:
    """Outputs of an earlier run; the check tells that they were left alone."""
    names = ["out.mp4", "boxes.txt"]
    for name in names:
        (here / name).write_bytes(b"precious")

    def check() -> None:
        assert [(here / name).read_bytes() for name in names] == [b"precious"] * 2

    return check


def empty(here: Path) -> Path:
    (here / "empty.mp4").touch()
    return here / "empty.mp4"


def cut_header(here: Path) -> Path:
    (here / "cut.mp4").write_bytes(make_film(here / "whole.mp4", 3).read_bytes()[:200])
    return here / "cut.mp4"


def text(here: Path) -> Path:
    (here / "notes.mp4").write_text("not a film\n" * 100)
    return here / "notes.mp4"


def bare_folder(here: Path) -> Path:
    (here / "bare").mkdir()
    return here / "bare"


def damaged_picture(here: Path) -> Path:
    folder = make_folder(here / "pictures", [(96, 64)])
    (folder / "0000.png").write_bytes(b"\x89PNG broken")
    return folder


SOURCES = {
    "missing": (lambda here: here / "missing.mp4", "No such file"),
    "empty": (empty, "is empty (0 bytes)"),
    "header cut": (cut_header, "cut.mp4"),
    "text": (text, "is not a film"),
    "sound only": (lambda here: make_sound(here / "song.wav"), "no moving picture"),
    "bare folder": (bare_folder, "has no image"),
    "damaged picture": (damaged_picture, "damaged or not an image"),
    "glob of nothing": (lambda here: here / "*.png", "matches nothing"),
    "unknown protocol": (lambda here: "gopher://host/film", "gopher"),
    "empty name": (lambda here: "", "empty string"),
    "no such camera": (lambda here: "97", "camera 97"),
    "no server": (lambda here: "http://127.0.0.1:9/film.mp4", "cannot open"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_source(name, track, here, old):
    make, words = SOURCES[name]
    source = make(here)
    refused(track, source, "--box", BOX, *BOTH_OUTPUTS, code=5, words=words)
    old()


BOXES = {
    "NaN": ("nan,20,20,20", "finite"),
    "infinite": ("20,inf,20,20", "finite"),
    "zero width": ("20,20,0,20", "positive width and height"),
    "negative height": ("20,20,20,-5", "positive width and height"),
    "right of the frame": ("96,20,20,20", "outside the 96 x 64 frame"),
    "left of the frame": ("-30,20,20,20", "outside the 96 x 64 frame"),
    "three numbers": ("20,20,20", "takes X,Y,WIDTH,HEIGHT"),
    "five numbers": ("20,20,20,20,20", "takes X,Y,WIDTH,HEIGHT"),
    "words": ("the red car", "takes X,Y,WIDTH,HEIGHT"),
    "empty": ("", "takes X,Y,WIDTH,HEIGHT"),
}


@pytest.mark.parametrize("name", BOXES)
def test_box(name, track, old, film):
    box, words = BOXES[name]
    refused(track, film, "--box", box, *BOTH_OUTPUTS, code=3, words=words)
    old()


OPTIONS = {
    "neither box nor select": ((), 2, "either with --box"),
    "both box and select": (("--box", BOX, "--select"), 2, "either with --box"),
    "no length": (("--box", BOX, "--start", "0.2", "--end", "0.2"), 2, "end must lie after start"),
    "end before start": (("--box", BOX, "--start", "0.3", "--end", "0.1"), 2, "end must lie after start"),
    "negative start": (("--box", BOX, "--start", "-1"), 2, "start must be"),
    "start is NaN": (("--box", BOX, "--start", "nan"), 2, "start must be"),
    "start after the film": (("--box", BOX, "--start", "60"), 5, "widen the range"),
    "frame rate of zero": (("--box", BOX, "--frame-rate", "0"), 2, "frame_rate must be"),
    "unknown model": (("--box", BOX, "--model", "huge"), 2, "choose one of base, lite, nano"),
    "unknown device": (("--box", BOX, "--device", "toaster"), 2, "cannot use device 'toaster'"),
    "device without numbers": (("--box", BOX, "--device", "meta"), 2, "choose auto, cpu"),
    "device not there": (("--box", BOX, "--device", "cuda:99"), 2, "cannot use device 'cuda:99'"),
    "unknown benchmark": (("--box", BOX, "--benchmark", "imagenet"), 2, "choose one of"),
    "film of unknown kind": (("--box", BOX, "-o", "out.gif"), 6, "must end in .mp4"),
    "boxes of unknown kind": (("--box", BOX, "--save-boxes", "boxes.xml"), 6, "must end in .txt"),
    "film in no folder": (("--box", BOX, "-o", "none/out.mp4"), 6, "create it first"),
    "boxes in no folder": (("--box", BOX, "--save-boxes", "none/boxes.txt"), 6, "create it first"),
    "model is missing": (("--box", BOX, "--model", "gone.safetensors"), 7, "there is no weights file"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_option(name, track, old, film):
    options, code, words = OPTIONS[name]
    outputs = () if {"-o", "--save-boxes"} & set(options) else BOTH_OUTPUTS
    refused(track, film, *options, *outputs, code=code, words=words)
    old()


def cut_weights(here: Path, tiny: Path) -> Path:
    (here / "cut.safetensors").write_bytes(tiny.read_bytes()[:5000])
    return here / "cut.safetensors"


def foreign_weights(here: Path, tiny: Path) -> Path:
    save_file({"weight": np.zeros(3, np.float32)}, here / "foreign.safetensors")
    return here / "foreign.safetensors"


def unknown_settings(here: Path, tiny: Path) -> Path:
    metadata = {"format": "aiatrack-1", "settings": '{"colour": "blue"}'}
    save_file({"weight": np.zeros(3, np.float32)}, here / "odd.safetensors", metadata)
    return here / "odd.safetensors"


def other_shapes(here: Path, tiny: Path) -> Path:
    metadata = {"format": "aiatrack-1", "settings": '{"network": {"backbone": "efficientnet_lite0"}}'}
    save_file({"weight": np.zeros(3, np.float32)}, here / "shapes.safetensors", metadata)
    return here / "shapes.safetensors"


def no_weights(here: Path, tiny: Path) -> Path:
    (here / "text.safetensors").write_text("hello")
    return here / "text.safetensors"


WEIGHTS = {
    "cut": (cut_weights, 7, "not a readable safetensors file"),
    "text": (no_weights, 7, "not a readable safetensors file"),
    "foreign": (foreign_weights, 7, "carries no aiatrack settings"),
    "unknown settings": (unknown_settings, 7, "colour"),
    "other shapes": (other_shapes, 7, "do not fit this network"),
    "folder": (lambda here, tiny: here, 7, "there is no weights file"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name, run, old, film, tiny_weights):
    make, code, words = WEIGHTS[name]
    model = make(Path.cwd(), tiny_weights)
    refused(run, "track", film, "--box", BOX, "--model", model, *BOTH_OUTPUTS, code=code, words=words)
    old()


@pytest.mark.parametrize("output", ["street.mp4", "./street.mp4", "link.mp4"])
def test_output_is_the_input(output, track, here):
    source = make_film(here / "street.mp4", 3)
    (here / "link.mp4").symlink_to(source)
    before = source.read_bytes()
    refused(track, source, "--box", BOX, "-o", output, code=6, words="is the input itself")
    assert source.read_bytes() == before


def test_boxes_would_replace_the_input(track, here, film):
    source = here / "film.txt"
    source.write_bytes(film.read_bytes())
    refused(track, source, "--box", BOX, "--save-boxes", "film.txt", code=6, words="is the input itself")
    assert source.read_bytes() == film.read_bytes()


@pytest.mark.parametrize("source", ["pictures", "pictures/*.png", "pictures/0001.png"])
@pytest.mark.parametrize("output", ["pictures/0001.png", "./pictures/../pictures/0001.png", "link.png"])
def test_boxes_would_replace_a_picture(source, output, track, here):
    folder = make_folder(here / "pictures", [(96, 64)] * 3)
    (here / "link.png").symlink_to(folder / "0001.png")
    before = (folder / "0001.png").read_bytes()
    arguments = ("--box", BOX, "--save-boxes", output, "--format", "csv")
    refused(track, source, *arguments, code=6, words="is the input itself")
    assert (folder / "0001.png").read_bytes() == before


def test_boxes_would_replace_a_picture_outside_the_span(track, here):
    folder = make_folder(here / "pictures", [(96, 64)] * 3)
    before = (folder / "0000.png").read_bytes()
    arguments = ("--box", BOX, "--save-boxes", folder / "0000.png", "--format", "csv", "--start", "0.05")
    refused(track, folder, *arguments, code=6, words="is the input itself")
    assert (folder / "0000.png").read_bytes() == before


@pytest.mark.parametrize(("option", "name"), [("-o", "out.mp4"), ("--save-boxes", "boxes.txt")])
def test_output_is_a_folder(option, name, track, here, film):
    (here / name).mkdir()
    refused(track, film, "--box", BOX, option, name, code=6, words="is a folder")


@needs_full_device
@pytest.mark.parametrize(("option", "name"), [("-o", "out.mp4"), ("--save-boxes", "boxes.txt")])
def test_disk_is_full(option, name, track, here, film):
    (here / name).symlink_to(FULL)
    outcome = track(film, "--box", BOX, option, name)
    assert outcome.code == 6
    assert outcome.err.splitlines()[-1].startswith("error: no space left on the disk")


@needs_full_device
def test_disk_is_full_when_the_document_is_made(track, here, film, monkeypatch):
    (here / "boxes.coco.json").write_text("precious")
    with monkeypatch.context() as patched:
        patched.setattr(documents, "replace_file", lambda path: nullcontext(FULL))
        outcome = track(film, "--box", BOX, "--save-boxes", "boxes.coco.json")
    journal = here / "boxes.coco.json.journal"
    assert outcome.code == 6
    assert outcome.out.startswith("broken off: 12 frames")
    assert outcome.out.endswith(f"; wrote {journal}\n")
    assert outcome.err.startswith("error: no space left on the disk")
    assert f"its boxes are in {journal}" in outcome.err
    assert (here / "boxes.coco.json").read_text() == "precious"
    # The error says what to run.
    python, *arguments = shlex.split(outcome.err.partition("make it with ")[2])
    assert python == "python"
    subprocess.run([sys.executable, *arguments], check=True)
    assert len(json.loads((here / "boxes.coco.json").read_text())["annotations"]) == 12
    assert not journal.exists()


def test_size_changes_in_mid_stream(track, here):
    folder = make_folder(here / "pictures", [(96, 64)] * 4 + [(64, 64)])
    words = "frame 4 is 64 x 64 pixels but the first was 96 x 64"
    out = refused(track, folder, "--box", BOX, *BOTH_OUTPUTS, code=4, words=words)
    assert "broken off: 4 frames" in out
    rows = (here / "boxes.txt").read_text().splitlines()
    assert [len(row.split(",")) for row in rows] == [4] * 4


def test_picture_breaks_in_mid_stream(track, here):
    folder = make_folder(here / "pictures", [(96, 64)] * 4)
    (folder / "0002.png").write_bytes(b"")
    refused(track, folder, "--box", BOX, "--save-boxes", "boxes.csv", code=5, words="is empty (0 bytes)")
    assert len((here / "boxes.csv").read_text().splitlines()) == 3


def test_select_without_screen(track, old, film, monkeypatch):
    class TclError(Exception):
        pass

    def no_screen() -> None:
        raise TclError("no display name")

    monkeypatch.setattr(selection, "tkinter", SimpleNamespace(Tk=no_screen, TclError=TclError))
    refused(track, film, "--select", *BOTH_OUTPUTS, code=2, words="needs a screen")
    old()


def test_select_without_tk(track, here, film, monkeypatch):
    monkeypatch.setattr(selection, "tkinter", None)
    refused(track, film, "--select", code=2, words="python3-tk")


def as_child(*arguments: object, env: dict[str, str] | None = None, **streams: Any) -> Outcome:
    """Run in a process of its own, whose streams and environment are read as it starts."""
    command = [sys.executable, "-m", "aiatrack", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    done = subprocess.run(
        command, env=os.environ | (env or {}), text=True, encoding="utf-8", check=False, **streams
    )
    return Outcome(done.returncode, done.stdout or "", done.stderr or "")


def test_standard_output_is_closed(track, here, film, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    outcome = track(film, "--box", BOX, "--save-boxes", "boxes.csv")
    assert (outcome.code, outcome.err) == (0, "")
    assert len((here / "boxes.csv").read_text().splitlines()) == 13


@needs_full_device
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [("--help",), ("benchmarks", "list"), ("--version",)])
def test_standard_output_takes_nothing(arguments, unbuffered):
    with FULL.open("w") as full:
        outcome = as_child(*arguments, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
    assert outcome.err.startswith("error: cannot print to standard output: No space left on device")
    assert (outcome.code, outcome.err.count("\n")) == (6, 1)


@needs_full_device
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_error_takes_nothing(here, unbuffered):
    with FULL.open("w") as full:
        environment = {"PYTHONUNBUFFERED": unbuffered}
        outcome = as_child("track", "gone.mp4", "--box", BOX, stderr=full, env=environment)
    assert (outcome.code, outcome.out) == (5, "")


def test_help_on_a_terminal_without_its_letters():
    outcome = as_child("--help", env={"COLUMNS": "20", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert (outcome.code, outcome.err) == (0, "")
    assert "?" in outcome.out
    assert outcome.out.isascii()


def test_a_terminal_of_no_columns(here):
    outcome = as_child("track", "gone.mp4", "--box", BOX, env={"COLUMNS": "0"})
    assert outcome.err.startswith("error: cannot open gone.mp4")
    assert "Point at a thing" in as_child("--help", env={"COLUMNS": "00"}).out


def test_frame_rate_of_a_film_is_a_warning(track, here, film):
    outcome = track(film, "--box", BOX, "--save-boxes", "boxes.txt", "--frame-rate", "10")
    assert outcome.code == 0
    expected = f"warning: {film}: a film has times of its own: the frame rate of 10 is not used\n"
    assert outcome.err == expected


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no /dev/stdin on this system")
def test_film_on_standard_input(here, tiny_weights):
    film = make_film(here / "film.mkv", 5)
    arguments = ("track", "-", "--box", BOX, "--model", tiny_weights, "--save-boxes", "boxes.txt")
    command = [sys.executable, "-m", "aiatrack", *map(str, arguments)]
    # What is handed over as `input` comes through a pipe.
    done = subprocess.run(command, input=film.read_bytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(Path("boxes.txt").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    "arguments",
    [("track",), ("track", "a.mp4", "--start", "soon"), ("track", "a.mp4", "--bx", "1"), ("fly",)],
)
def test_usage(arguments, run):
    outcome = run(*arguments)
    assert outcome.code == 2
    assert "Usage: aiatrack" in outcome.err + outcome.out
    assert "Traceback" not in outcome.err


def test_odd_names_are_not_markup(run, here, tiny_weights):
    refused(run, "track", "[red]x[/].mp4", "--box", BOX, code=5, words="[red]x[/].mp4")


def test_name_that_is_no_text(run, here):
    refused(run, "track", "caf\udce9.mp4", "--box", BOX, code=5, words="cannot open caf\\udce9.mp4")
