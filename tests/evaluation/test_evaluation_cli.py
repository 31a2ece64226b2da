"""The commands, run as a user runs them."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aiatrack.cli import benchmarks, submit
from aiatrack.cli.report import report
from aiatrack.cli.score import score
from aiatrack.errors import AiATrackError, DataError, SettingsError
from aiatrack.evaluation.benchmark import Benchmark, open_benchmark
from aiatrack.evaluation.rules import RULE_SETS

app = typer.Typer()
app.command()(score)
app.command()(report)
app.add_typer(benchmarks.app, name="benchmarks")
app.add_typer(submit.app, name="submit")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    if isinstance(result.exception, AiATrackError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_score_states_its_rules(otb_like):
    root, results = otb_like()
    output = run("score", results, "-b", "folders", "--root", root)
    assert "95.24" in output
    assert "rules: aiatrack" in output
    assert "denominator: counted frames" in output
    assert "95 % interval" in output


def test_score_as_json_holds_everything(otb_like):
    root, results = otb_like()
    content = json.loads(
        run("score", results, "-b", "folders", "--root", root, "--rules", "stark", "--json", "--explain")
    )
    assert content["overall"]["success_auc"]["value"] == pytest.approx(20 / 21)
    assert content["rules"]["name"] == "stark"
    assert set(content["every_rule_set"]) == set(RULE_SETS)
    assert {item["to"] for item in content["explanations"]} == set(RULE_SETS) - {"stark"}
    for item in content["explanations"]:
        assert sum(part["difference"] for part in item["parts"]) == pytest.approx(
            item["difference"], abs=1e-9
        )
        assert item["difference"] == pytest.approx(item["after"] - item["before"], abs=1e-12)
    assert set(content["sequences"]) == {"cat", "dog", "bird"}
    assert len(content["curves"]["success"]) == 21


def test_explain_shows_rules_and_points(otb_like):
    root, results = otb_like()
    output = run(
        "score", results, "-b", "folders", "--root", root, "--explain-to", "trackingnet", "--sequences"
    )
    assert "aiatrack 95.24 -> trackingnet 100.00" in output
    assert "sum" in output
    assert "+4.762" in output
    assert "bird" in output


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--rules", "paper"], SettingsError, "no rule set"),
        (["--rules", "vot"], SettingsError, "VOT toolkit"),
        (["--explain-to", "paper"], SettingsError, "no rule set"),
        (["--explain", "--metric", "speed"], SettingsError, "no metric"),
        (["--metric", "bogus"], SettingsError, "no metric"),
    ],
)
def test_wrong_options_are_explained(otb_like, options, error, message):
    root, results = otb_like()
    with pytest.raises(error, match=message):
        run("score", results, "-b", "folders", "--root", root, *options)


def test_absent_frames_count_as_hits_only_on_demand(otb_like):
    root, results = otb_like(("cat",), frames=4)
    truth = root / "cat" / "groundtruth.txt"
    truth.write_text("".join([*truth.read_text().splitlines(keepends=True)[:2], "nan,nan,nan,nan\n" * 2]))
    found = {}
    for hits in ("none", "normalised", "both"):
        options = ("-b", "folders", "--root", root, "--absent-hits", hits, "--json")
        overall = json.loads(run("score", results, *options))["overall"]
        found[hits] = [overall[metric]["value"] for metric in ("precision", "normalised_precision")]
    assert found == {"none": [1, 1], "normalised": [1, 2], "both": [2, 2]}


def test_a_partial_score_lists_what_it_left_out(otb_like):
    root, results = otb_like()
    (results / "dog.txt").write_text("")
    with pytest.raises(DataError, match=r"dog.*--partial"):
        run("score", results, "-b", "folders", "--root", root)
    output = run("score", results, "-b", "folders", "--root", root, "--partial")
    assert "left out: 1 sequence\n" in output
    assert "dog" in output


def test_benchmarks_are_listed_and_checked(otb_like):
    root, _ = otb_like()
    assert "otb100" in run("benchmarks", "list")
    listed = {item["name"]: item for item in json.loads(run("benchmarks", "list", "--json"))}
    assert listed["lasot"]["rules"] == "lasot"
    with pytest.raises(DataError, match=r"3 sequences below .* are incomplete"):
        run("benchmarks", "check", root, "-b", "folders")
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        run("benchmarks", "check", root / "nowhere")
    for name in ("cat", "dog", "bird"):
        for frame in range(12):
            (root / name / "img" / f"{frame}.jpg").touch()
    assert "3 of 3 sequences complete" in run("benchmarks", "check", root, "-b", "folders")
    root.rename(root.parent / "folders")
    assert "3 of 3 sequences complete" in run("benchmarks", "check", root.parent)


def test_report_writes_all_that_is_asked_for(otb_like, tmp_path: Path):
    root, results = otb_like()
    page, table = tmp_path / "report.html", tmp_path / "report.csv"
    run("report", f"one={results}", results, "-b", "folders", "--root", root, "-o", page, "-o", table)
    assert "<td>one</td>" in page.read_text()
    assert "2 trackers (one, " in page.read_text()
    assert "<td>results</td>" in page.read_text()
    assert table.read_text().startswith("benchmark,rules,tracker")
    with pytest.raises(SettingsError, match="needs its --root"):
        run("report", results, "-b", "folders", "-b", "vot", "--root", root, "-o", page)


def test_a_report_on_one_tracker_says_so(otb_like, tmp_path: Path):
    root, results = otb_like()
    page = tmp_path / "report.html"
    run("report", f"one={results}", "-b", "folders", "--root", root, "-o", page)
    assert "1 tracker (one) on " in page.read_text()


def test_submit_text_rewrites_results_in_another_dialect(otb_like, tmp_path: Path):
    root, results = otb_like(("cat",), frames=2)
    options = ("-b", "folders", "--root", root, "-o", tmp_path / "out")
    run("submit", "text", results, *options, "--dialect", "pytracking")
    assert (tmp_path / "out" / "cat.txt").read_text() == "20\t30\t40\t50\n22\t31\t40\t50\n"
    with pytest.warns(UserWarning, match="do not start at their annotation"):
        run("submit", "text", results, *options, "--dialect", "plain", "--first-pixel", "1")
    assert (tmp_path / "out" / "cat.txt").read_text().startswith("19.0000,29.0000,40.0000")


@pytest.fixture
def one_based_benchmark(otb_like, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A benchmark whose boxes count pixels from 1, with results in its own numbers."""
    root, results = otb_like(("cat",), frames=2)

    def open_one_based(name: str, folder: Path) -> Benchmark:
        opened = open_benchmark(name, folder)
        return replace(opened, description=opened.description.model_copy(update={"first_pixel": 1}))

    monkeypatch.setattr(submit, "open_benchmark", open_one_based)
    return root, results


def _rewritten(root: Path, out: Path, dialect: str) -> tuple[object, ...]:
    return ("-b", "folders", "--root", root, "-o", out, "--dialect", dialect)


@pytest.mark.parametrize(
    ("dialect", "options", "start"),
    [
        ("one_based", [], "20.0000,30.0000,40.0000"),
        ("plain", [], "20.0000,30.0000,40.0000"),
        ("got10k", [], "20.0000,30.0000,40.0000"),
        ("pytracking", [], "20\t30\t40"),
        ("one_based", ["--first-pixel", "1"], "20.0000,30.0000,40.0000"),
    ],
)
def test_submit_text_keeps_numbers_that_count_from_one(
    one_based_benchmark, tmp_path: Path, dialect, options, start
):
    root, results = one_based_benchmark
    out = tmp_path / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run("submit", "text", results, *_rewritten(root, out, dialect), *options)
    (path,) = out.rglob("*.txt")
    assert path.read_text().startswith(start)


@pytest.mark.parametrize(("dialect", "first_pixel"), [("one_based", 0), ("plain", 0)])
def test_submit_text_warns_of_boxes_that_leave_their_annotation(
    one_based_benchmark, tmp_path: Path, dialect, first_pixel
):
    root, results = one_based_benchmark
    options = (*_rewritten(root, tmp_path / "out", dialect), "--first-pixel", first_pixel)
    with pytest.warns(UserWarning, match=r"1 of 1 sequences do not start at their annotation \(cat\)"):
        run("submit", "text", results, *options)


def test_submit_text_counts_from_one_where_the_benchmark_counts_from_zero(otb_like, tmp_path: Path):
    root, results = otb_like(("cat",), frames=2)
    run("submit", "text", results, *_rewritten(root, tmp_path / "out", "one_based"))
    assert (tmp_path / "out" / "cat.txt").read_text().startswith("21.0000,31.0000,40.0000")


@pytest.fixture
def damaged(otb_like) -> tuple[Path, Path]:
    """A benchmark of three with results, the annotation of one damaged."""
    root, results = otb_like()
    (root / "dog" / "groundtruth.txt").write_text("garbage")
    return root, results


def test_one_damaged_annotation_leaves_the_others_to_be_scored(damaged, tmp_path: Path):
    root, results = damaged
    options = ("-b", "folders", "--root", root)
    with pytest.raises(DataError, match=r"1 of 3 sequences cannot be used .dog.*--partial"):
        run("score", results, *options)
    output = run("score", results, *options, "--partial")
    assert "2 sequences" in output
    assert "- dog: " in output
    table = tmp_path / "report.md"
    run("report", results, *options, "--partial", "-o", table)
    assert "1 sequence left out: dog" in table.read_text()
    for name in ("cat", "bird"):
        (root / name / "groundtruth.txt").write_text("garbage")
    with pytest.raises(DataError, match="3 of 3 sequences cannot be used"):
        run("score", results, *options, "--partial")


def test_submit_text_leaves_out_what_is_damaged_on_demand(damaged, tmp_path: Path):
    root, results = damaged
    (results / "bird.txt").unlink()
    options = _rewritten(root, tmp_path / "out", "plain")
    with pytest.raises(DataError, match=r"dog.*--partial"):
        run("submit", "text", results, *options)
    with pytest.warns(UserWarning) as given:
        assert "wrote 1 files" in run("submit", "text", results, *options, "--partial")
    assert [str(item.message).split(":")[0] for item in given] == ["dog is left out", "bird is left out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["cat.txt"]
    (results / "cat.txt").unlink()
    with pytest.warns(UserWarning), pytest.raises(DataError, match="no sound result of any of 2 sequences"):
        run("submit", "text", results, *options, "--partial")


def test_one_sequence_has_no_interval(otb_like, tmp_path: Path):
    root, results = otb_like(("cat",))
    options = ("-b", "folders", "--root", root)
    output = run("score", results, *options)
    assert "Own sequences, 1 sequence\n" in output.replace(" \n", "\n").replace("  ", "")
    assert "95.24 - 95.24" not in output
    overall = json.loads(run("score", results, *options, "--json"))["overall"]
    assert overall["success_auc"] == {"value": pytest.approx(20 / 21), "low": None, "high": None}
    files = [tmp_path / f"report{suffix}" for suffix in (".md", ".csv", ".tex", ".html")]
    run(
        "report", f"a={results}", f"b={results}", *options, *(part for path in files for part in ("-o", path))
    )
    assert not any("95.24 - 95.24" in path.read_text() for path in files)
    assert "| +0.00 |  |  | no |" in files[0].read_text()
    assert ",all,precision,1.0,,," in files[1].read_text()


def test_names_are_never_markup(otb_like, tmp_path: Path):
    root, results = otb_like(("cat[bold]", ":dog:"))
    named = results.rename(tmp_path / "x[best]")
    options = ("-b", "folders", "--root", root)
    output = run("score", named, *options, "--sequences")
    assert "x[best] on Own sequences" in output
    assert "cat[bold]" in output
    assert ":dog:" in output
    for folder in ("m[", "n[old]"):
        path = tmp_path / folder / "b]" / "r.html"
        assert f"wrote {path}\n" in run("report", named, *options, "-o", path)
    path = tmp_path / "m[" / "b]"
    assert f"wrote 2 files to {path}\n" in run(
        "submit", "text", named, *options, "-o", path, "--dialect", "plain"
    )
    (named / "cat[bold].txt").write_text("")
    assert "- cat[bold]: " in run("score", named, *options, "--partial")
    assert (
        "- cat[bold]: " in CliRunner().invoke(app, ["benchmarks", "check", str(root), "-b", "folders"]).output
    )


def note_tracker(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)


def test_trackers_are_called_as_their_manifests_say(otb_like, tmp_path: Path):
    root, results = otb_like()
    options = ("-b", "folders", "--root", root)
    folders = [tmp_path / name / "folders" for name in ("lite", "nano")]
    for folder in folders:
        shutil.copytree(results, folder)
        note_tracker(folder, json.dumps({"identity": {"tracker": {"name": f"my_{folder.parent.name}"}}}))
    page = tmp_path / "report.html"
    run("report", *folders, *options, "-o", page)
    assert "2 trackers (my_lite, my_nano)" in page.read_text()
    run("report", folders[0].parent, f"own={folders[1]}", results, *options, "-o", page)
    assert "3 trackers (my_lite, own, results)" in page.read_text()
    assert "my_lite on Own sequences" in run("score", folders[0], *options)
    for text in ("[]", "{", '{"identity": {"tracker": {"name": 3}}}'):
        note_tracker(folders[0], text)
        assert "folders on Own sequences" in run("score", folders[0], *options)


def test_two_runs_of_one_tracker_are_told_apart_by_their_folders(otb_like, tmp_path: Path):
    root, results = otb_like()
    note_tracker(results, json.dumps({"identity": {"tracker": {"name": "lite"}}}))
    again = shutil.copytree(results, tmp_path / "again")
    run("report", results, again, "-b", "folders", "--root", root, "-o", tmp_path / "report.html")
    assert "2 trackers (results, again)" in (tmp_path / "report.html").read_text()


def test_submit_refuses_an_incomplete_benchmark(tmp_path: Path):
    folder = tmp_path / "test" / "GOT-10k_Test_000001"
    folder.mkdir(parents=True)
    (folder / "groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match="180 problems"):
        run("submit", "got10k", tmp_path, "--root", tmp_path, "-o", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_help_shows_examples():
    for command in (["score"], ["report"], ["submit", "got10k"], ["benchmarks", "check"]):
        assert "aiatrack " in run(*command, "--help")
