"""Paths that cannot even be asked about end in one line that names them and the reason."""

import errno
import os
from pathlib import Path

import pytest

from aiatrack.errors import DataError, OutputError
from aiatrack.paths import exists, is_file, is_folder, why_unreachable
from aiatrack.video.output_path import check_output_path

LONG = "n" * 300

COMMANDS = {
    "film": ("track", f"{LONG}.mp4", "--box", "1,1,9,9", "-o", "out.mp4"),
    "image": ("track", f"{LONG}.jpg", "--box", "1,1,9,9", "-o", "out.mp4"),
    "pattern": ("track", f"{LONG}*.jpg", "--box", "1,1,9,9", "-o", "out.mp4"),
    "folder": ("track", f"{LONG}/film", "--box", "1,1,9,9", "-o", "out.mp4"),
    "model": ("info", LONG),
    "weights": ("info", f"{LONG}.safetensors"),
    "checkpoint": ("convert", LONG, "-o", "out.safetensors"),
    "converted": ("convert", "gone.tar", "-o", f"{LONG}/out.safetensors"),
    "export": ("export", "lite", "-o", LONG),
    "exported": ("export", LONG, "-o", "folder"),
    "recipe": ("train", LONG, "--folder", "run"),
    "run folder": ("train", "lite", "--folder", LONG, "data.sources.0.path=gone"),
    "training data": ("train", "lite", "--folder", "run", f"data.sources.0.path={LONG}"),
    "data": ("data", "check", LONG),
    "results": ("score", LONG, "-b", "folders", "--root", "benchmark"),
    "benchmark": ("score", "results", "-b", "folders", "--root", LONG),
    "evaluated": ("evaluate", "folders", "--root", LONG, "-o", "results"),
    "benchmarks": ("benchmarks", "check", LONG),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_name_that_is_too_long_is_one_line(run, here, name):
    outcome = run(*COMMANDS[name])
    assert outcome.err.startswith("error: "), outcome
    assert outcome.err.count("\n") == 1, outcome
    assert outcome.code > 1, outcome


@pytest.mark.parametrize(
    "layout", ["json_lines", "lasot", "got10k", "trackingnet", "coco", "yolo", "mot_challenge"]
)
def test_data_sources_name_path_and_reason(run, here, layout):
    outcome = run("data", "check", LONG, "--layout", layout)
    assert outcome.code == DataError.exit_code
    assert LONG in outcome.err
    assert "name too long" in outcome.err


def test_weights_name_path_and_reason(run, here):
    assert f"{LONG} (File name too long)" in run("info", LONG).err


@pytest.mark.parametrize("path", [Path(f"{LONG}.mp4"), Path(LONG) / "out.mp4"])
def test_outputs_name_path_and_reason(here, path):
    with pytest.raises(OutputError, match=r"nnn.*name too long"):
        check_output_path(path, inputs=())


def test_a_folder_that_may_not_be_searched(tmp_path, monkeypatch):
    """Root may search every folder, so that the refusal is played."""
    path = tmp_path / "closed" / "file"

    def refuse(place, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(place))

    monkeypatch.setattr(os, "stat", refuse)
    assert not exists(path)
    assert not is_file(path)
    assert not is_folder(path)
    assert why_unreachable(path) == " (Permission denied)"


def test_what_is_just_not_there_needs_no_reason(tmp_path):
    assert why_unreachable(tmp_path / "gone") == ""
    assert why_unreachable(tmp_path) == ""


def test_a_path_at_home_of_a_user_without_one(run, here, monkeypatch):
    def fail(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    outcome = run("info", "~/model.safetensors")
    assert outcome.err.startswith("error: "), outcome
    assert "~/model.safetensors" in outcome.err
