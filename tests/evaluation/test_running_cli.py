"""`aiatrack evaluate` as it is typed."""

import json
from pathlib import Path

import pytest
import typer
from running_trackers import write_benchmark
from typer.testing import CliRunner, Result

from aiatrack.cli.evaluate import evaluate
from aiatrack.errors import DataError, SettingsError

HERE = Path(__file__).parent

app = typer.Typer()
app.command()(evaluate)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))
    return write_benchmark(tmp_path / "clips", [3, 4])


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_one_tracker_writes_into_the_folder_itself(root: Path, tmp_path: Path) -> None:
    done = run(
        "folders", "--root", root, "--tracker", "python:running_trackers:Drift", "-o", tmp_path / "out"
    )
    assert done.exit_code == 0
    assert "Drift: 2 sequences run" in done.output
    assert (tmp_path / "out" / "s1.txt").read_text().count("\n") == 4
    again = run(
        "folders", "--root", root, "--tracker", "python:running_trackers:Drift", "-o", tmp_path / "out"
    )
    assert "0 sequences run, 2 done before" in again.output


def test_several_trackers_get_folders_of_their_own(root: Path, tmp_path: Path) -> None:
    trackers = [
        part for name in ("Drift", "CrashingOn1") for part in ("--tracker", f"python:running_trackers:{name}")
    ]
    done = run("folders", "--root", root, *trackers, "-o", tmp_path / "out", "--retries", 0)
    assert done.exit_code == 1
    assert "1 given up (s1)" in done.output
    assert "cannot follow sequence one" in done.output
    assert {path.parent.name for path in tmp_path.glob("out/*/s0.txt")} == {"Drift", "CrashingOn1"}


def test_without_a_folder_results_are_where_score_looks(root: Path, tmp_path: Path) -> None:
    run("folders", "--root", root, "--tracker", "python:running_trackers:Drift", "--sequences", "s1")
    folder = tmp_path / "results" / "Drift" / "folders"
    assert [path.name for path in sorted(folder.glob("s?.txt"))] == ["s1.txt"]
    assert list(json.loads((folder / "manifest.json").read_text())["sequences"]) == ["s1"]


def test_a_later_tracker_that_cannot_be_built_is_found_before_the_first_runs(
    root: Path, tmp_path: Path
) -> None:
    trackers = [
        "--tracker",
        "python:running_trackers:Drift",
        "--tracker",
        f"opencv:vit:{tmp_path / 'no.onnx'}",
    ]
    with pytest.raises(DataError, match=r"no\.onnx"):
        run("folders", "--root", root, *trackers, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_trackers_of_one_name_are_refused(root: Path) -> None:
    with pytest.raises(SettingsError, match="called csrt"):
        run("folders", "--root", root, "--tracker", "opencv:csrt", "--tracker", "opencv:csrt")


def test_an_unknown_sequence_is_named(root: Path) -> None:
    with pytest.raises(SettingsError, match="no sequence s9"):
        run("folders", "--root", root, "--tracker", "opencv:mil", "--sequences", "s0,s9")
