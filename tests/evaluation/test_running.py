"""Evaluations as a whole: resumed, crashed, killed, in one process or several."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running_trackers import LENGTHS, write_benchmark

from aiatrack.errors import DataError, OutputError, SettingsError, TrackingError
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.dialects import DIALECTS, import_results, write_results
from aiatrack.evaluation.entry import open_entry
from aiatrack.evaluation.report import build_report, write_report
from aiatrack.evaluation.results import read_annotations
from aiatrack.evaluation.running import Observer, Outcome, parse_tracker, run_tracker
from aiatrack.evaluation.running.results_folder import ResultsFolder

HERE = Path(__file__).parent

Run = Callable[..., Outcome]


def results(folder: Path) -> dict[str, bytes]:
    """Everything that must not depend on how the run went: boxes and scores."""
    return {path.name: path.read_bytes() for path in folder.glob("*.txt") if not path.stem.endswith("_time")}


class Recorder(Observer):
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.crashes: list[tuple[str, str, bool]] = []
        self.began_with: list[str] = []
        self.plan: dict[str, int] = {}

    def planned(self, sequences: int, frames: int, *, sequences_done: int, frames_done: int) -> None:
        self.plan = {
            "sequences": sequences,
            "frames": frames,
            "before": sequences_done,
            "frames_before": frames_done,
        }

    def began(self, worker: int, sequence: str, frames: int) -> None:
        self.began_with.append(sequence)

    def crashed(self, worker: int | None, sequence: str, reason: str, *, again: bool) -> None:
        self.crashes.append((sequence, reason, again))


def test_every_sequence_leaves_boxes_times_scores_and_a_record(run: Run, tmp_path: Path) -> None:
    outcome = run()
    assert outcome == Outcome(("s0", "s1", "s2"), (), {})
    for name, length in zip(("s0", "s1", "s2"), LENGTHS, strict=True):
        boxes = np.loadtxt(tmp_path / "out" / f"{name}.txt", delimiter=",")
        assert boxes.shape == (length, 4)
        np.testing.assert_array_equal(boxes[0], [3 + int(name[1]), 4, 8, 6])
        assert (np.diff(boxes[:, 0]) > 0).all()
        assert np.loadtxt(tmp_path / "out" / f"{name}_time.txt").shape == (length,)
        assert np.loadtxt(tmp_path / "out" / f"{name}_score.txt")[0] == 1
    assert (tmp_path / "out" / "s0.txt").read_text().startswith("3.0000,4.0000,8.0000,6.0000\n")


def test_the_scorer_reads_what_the_runner_writes(run: Run, tmp_path: Path) -> None:
    run()
    benchmark = open_benchmark("folders", tmp_path / "root")
    entry = open_entry(tmp_path / "out", benchmark, read_annotations(benchmark))
    assert entry.results.problems == ()
    assert entry.results.frames_per_second is not None and entry.results.frames_per_second > 0


def test_folders_may_be_text(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_benchmark(tmp_path / "benchmark", LENGTHS)
    monkeypatch.setenv("HOME", str(tmp_path))
    opened = open_benchmark("folders", "~/benchmark")
    run_tracker(parse_tracker("python:running_trackers:Drift"), opened, "~/results")
    entry = open_entry("~/results", opened, read_annotations(opened))
    assert entry.tracker == "results" and len(entry.results.boxes) == 3
    write_results(entry.results.boxes, "~/copies", DIALECTS["plain"])
    lengths = {name: len(boxes) for name, boxes in entry.results.boxes.items()}
    for name, boxes in import_results(str(tmp_path / "copies"), lengths).items():
        np.testing.assert_allclose(boxes, entry.results.boxes[name], atol=1e-3)
    write_report(build_report([entry]), "~/report.md")
    assert (tmp_path / "report.md").is_file()


def test_the_longest_sequences_come_first(run: Run) -> None:
    observer = Recorder()
    run(observer=observer)
    assert observer.began_with == ["s1", "s2", "s0"]


def test_a_second_call_does_nothing_twice(run: Run, tmp_path: Path, log: Path) -> None:
    run()
    (tmp_path / "out" / "s1.txt").unlink()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("s[02]*.txt")}
    observer = Recorder()
    assert run(observer=observer) == Outcome(("s1",), ("s0", "s2"), {})
    assert observer.plan == {"sequences": 3, "frames": 15, "before": 2, "frames_before": 9}
    assert sorted(log.read_text().split("\n")).count("end 1") == 2
    assert sorted(log.read_text().split("\n")).count("end 0") == 1
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("s[02]*.txt")} == before


def test_nothing_left_to_do_starts_no_tracker(run: Run, log: Path) -> None:
    run()
    started = log.read_text()
    assert run().done == ()
    assert log.read_text() == started


@pytest.mark.parametrize(
    ("tracker", "threads", "difference"),
    [("Slow", 1, "tracker.kind"), ("Drift", 2, "threads_per_worker is 1 there and 2 now")],
)
def test_results_made_in_different_ways_do_not_mix(
    run: Run, tmp_path: Path, tracker: str, threads: int, difference: str
) -> None:
    run()
    before = results(tmp_path / "out")
    with pytest.raises(SettingsError, match=difference):
        run(tracker, threads=threads)
    assert results(tmp_path / "out") == before


def test_other_peoples_results_are_not_taken_for_ours(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "s0.txt").write_text("1,2,3,4\n" * 4)
    with pytest.raises(SettingsError, match=r"no manifest\.json"):
        run()


def test_a_benchmark_that_has_changed_since_is_noticed(run: Run, tmp_path: Path) -> None:
    run()
    (tmp_path / "root" / "s0" / "img" / "003.png").unlink()
    (tmp_path / "root" / "s0" / "groundtruth.txt").write_text("3,4,8,6\n" * 3)
    with pytest.raises(DataError, match=r"4 rows, but s0 now has 3 frames"):
        run()


def test_results_that_start_from_another_box_are_of_other_data(run: Run, tmp_path: Path) -> None:
    run()
    before = results(tmp_path / "out")
    (tmp_path / "root" / "s0" / "groundtruth.txt").write_text("3.0001,4,8,6\n" * 4)
    with pytest.raises(DataError, match=r"s0 in .* start from another box: .* choose another folder"):
        run()
    assert results(tmp_path / "out") == before


def test_a_first_box_is_compared_as_it_is_written(run: Run, tmp_path: Path) -> None:
    for box in ("3.123449,4,8,6\n", "3.12341,4,8,6\n"):
        (tmp_path / "root" / "s0" / "groundtruth.txt").write_text(box * 4)
        outcome = run()
    assert outcome.resumed == ("s0", "s1", "s2")


def test_results_of_other_frames_are_of_other_data(run: Run, tmp_path: Path) -> None:
    run()
    frame = tmp_path / "root" / "s0" / "img" / "003.png"
    frame.write_bytes(frame.read_bytes() + b"more")
    with pytest.raises(DataError, match=r"s0 in .* were made with other frames: .* choose another folder"):
        run()
    record = tmp_path / "out" / "records" / "s0.json"
    content = json.loads(record.read_text())
    del content["frames_sha256"]
    record.write_text(json.dumps(content))
    assert run().resumed == ("s0", "s1", "s2"), "as records were before they said which frames"


@pytest.mark.parametrize("suffix", ["_time", "_score"])
def test_names_that_would_share_a_file_are_refused(run: Run, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "root" / "s2").rename(tmp_path / "root" / f"s0{suffix}")
    with pytest.raises(DataError, match=f"s0 and s0{suffix} would both .* rename"):
        run()
    assert results(tmp_path / "out") == {}


def test_names_that_share_a_file_with_what_is_done_are_refused(run: Run, tmp_path: Path) -> None:
    run()
    (tmp_path / "root" / "s2").rename(tmp_path / "root" / "s0_time")
    (tmp_path / "root" / "s0").rename(tmp_path / "elsewhere")
    before = (tmp_path / "out" / "s0_time.txt").read_bytes()
    with pytest.raises(DataError, match="s0 and s0_time would both"):
        run()
    assert (tmp_path / "out" / "s0_time.txt").read_bytes() == before


def test_annotation_without_frames_cannot_be_run_on(tmp_path: Path) -> None:
    (tmp_path / "Dog.txt").write_text("1,2,3,4\n" * 127)
    with pytest.raises(DataError, match="no frames"):
        run_tracker(parse_tracker("opencv:mil"), open_benchmark("otb100", tmp_path), tmp_path / "out")


def test_a_crash_is_reported_and_retried_and_the_rest_goes_on(run: Run, tmp_path: Path) -> None:
    observer = Recorder()
    outcome = run("CrashingOn1", retries=2, observer=observer)
    assert outcome.done == ("s0", "s2")
    assert list(outcome.failed) == ["s1"]
    assert "ZeroDivisionError: cannot follow sequence one" in outcome.failed["s1"]
    assert [(name, again) for name, _, again in observer.crashes] == [
        ("s1", True),
        ("s1", True),
        ("s1", False),
    ]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert "ZeroDivisionError" in manifest["failed"]["s1"]
    assert not (tmp_path / "out" / "s1.txt").exists()


def test_a_box_that_is_no_box_is_never_written(run: Run) -> None:
    outcome = run("NotANumberOn1", retries=0)
    assert "frame 1 of s1" in outcome.failed["s1"]


def test_a_score_that_is_no_number_is_never_written(run: Run, tmp_path: Path) -> None:
    outcome = run("UnsureOn1", retries=0)
    assert outcome.done == ("s0", "s2")
    assert "the score nan in frame 1 of s1" in outcome.failed["s1"]
    assert not (tmp_path / "out" / "s1.txt").exists()


def test_a_frame_that_lies_nowhere_is_found_out_before_tracking(tmp_path: Path, log: Path) -> None:
    """MOT's frames have numbers, so a gap is seen; the second sequence does not need that frame."""
    film = write_benchmark(tmp_path / "root", [5]) / "s0"
    (film / "img").rename(film / "img1")
    (film / "img1" / "003.png").unlink()
    (film / "gt").mkdir()
    rows = [f"{frame},{target},3,4,8,6,1,1,1\n" for target, frame in ((1, 1), (1, 4), (2, 1), (2, 2))]
    (film / "gt" / "gt.txt").write_text("".join(rows))
    tracker, benchmark = (
        parse_tracker("python:running_trackers:Drift"),
        open_benchmark("mot", tmp_path / "root"),
    )
    outcome = run_tracker(tracker, benchmark, tmp_path / "out", retries=0)
    assert outcome.done == ("s0_2",)
    assert "lacks 1 of 4 frames" in outcome.failed["s0_1"] and "003.png" in outcome.failed["s0_1"]
    assert log.read_text().count("start") == 1


def test_a_missing_frame_fails_its_sequence_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "root" / "s2" / "img" / "002.png").write_bytes(b"")
    outcome = run(retries=0)
    assert outcome.done == ("s0", "s1")
    assert "002.png is empty" in outcome.failed["s2"]


def test_a_sequence_that_cannot_begin_fails_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "root" / "s0" / "groundtruth.txt").write_text("nan,nan,nan,nan\n" + "3,4,8,6\n" * 3)
    outcome = run()
    assert outcome.done == ("s1", "s2")
    assert "no target in frame 0" in outcome.failed["s0"]


def test_a_tracker_that_cannot_be_built_ends_everything(run: Run, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="no such thing today"):
        run("Unbuildable", jobs=2)
    assert results(tmp_path / "out") == {}


def test_a_killed_worker_is_noticed_and_its_sequence_run_again(run: Run, tmp_path: Path, log: Path) -> None:
    run("Drift", "undisturbed")
    log.unlink()
    observer = Recorder()
    outcome = run("KilledOnceOn1", observer=observer)
    assert outcome.failed == {}
    assert observer.crashes == [("s1", "its worker process was killed (SIGKILL)", True)]
    assert results(tmp_path / "out") == results(tmp_path / "undisturbed")
    assert json.loads((tmp_path / "out" / "records" / "s1.json").read_text())["attempt"] == 2


def test_the_number_of_workers_changes_nothing(run: Run, tmp_path: Path) -> None:
    run("Scoreless", "one", jobs=1)
    run("Scoreless", "three", jobs=3)
    assert results(tmp_path / "one") == results(tmp_path / "three")
    assert not list((tmp_path / "one").glob("*_score.txt"))


def test_two_evaluations_never_write_to_one_folder(run: Run, tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "out").lock_for_runner(), pytest.raises(OutputError, match="another"):
        run()
    assert run().failed == {}


def test_files_torn_by_a_kill_are_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out" / "records").mkdir(parents=True)
    torn = [tmp_path / "out" / ".s0.txt.abc123", tmp_path / "out" / "records" / ".s0.json.abc123"]
    for path in torn:
        path.write_text("1,2,")
    run()
    assert not any(path.exists() for path in torn)


SCRIPT = """
from pathlib import Path
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.running import LocalPool, parse_tracker, run_tracker
run_tracker(
    parse_tracker("python:running_trackers:Slow"), open_benchmark("folders", Path({root!r})), Path({out!r}),
    pool=LocalPool(jobs=2),
)
"""


def test_a_runner_killed_at_ten_random_moments_runs_no_sequence_twice(tmp_path: Path, log: Path) -> None:
    root = write_benchmark(tmp_path / "root", [10 + number % 3 for number in range(30)])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}

    def launch(out: Path) -> "subprocess.Popen[bytes]":
        script = SCRIPT.format(root=str(root), out=str(out))
        return subprocess.Popen([sys.executable, "-c", script], env=environment)

    out, moments = tmp_path / "out", random.Random(7)
    kills = 0
    for _ in range(10):
        log.touch()
        started = log.read_text().count("start")
        process = launch(out)
        while process.poll() is None and log.read_text().count("start") == started:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.2))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
    assert launch(out).wait() == 0
    ends = [line for line in log.read_text().split("\n") if line.startswith("end")]
    assert sorted(ends) == sorted(f"end {number}" for number in range(30))
    assert kills >= 5
    log.unlink()
    assert launch(tmp_path / "undisturbed").wait() == 0
    assert results(out) == results(tmp_path / "undisturbed")
    assert len(json.loads((out / "manifest.json").read_text())["sequences"]) == 30


def test_boxes_are_written_in_the_plain_dialect(run: Run, tmp_path: Path) -> None:
    run()
    text = (tmp_path / "out" / "s2.txt").read_text()
    boxes = np.loadtxt(tmp_path / "out" / "s2.txt", delimiter=",")
    assert DIALECTS["plain"].format_boxes(boxes) == text
