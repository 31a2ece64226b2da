"""How workers end, and where folders cannot be locked."""

import errno
import time
from pathlib import Path

import pytest
from running_trackers import write_benchmark

from aiatrack.errors import OutputError
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.running import local_workers, locks, parse_tracker, run_tracker
from aiatrack.evaluation.running.results_folder import ResultsFolder


def test_a_crashed_tracker_that_leaves_a_thread_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(local_workers, "_PATIENCE_S", 1.0)
    benchmark = open_benchmark("folders", write_benchmark(tmp_path / "root", [4, 6, 5]))
    tracker = parse_tracker("python:running_trackers:LeavesAThreadOn1")
    started = time.monotonic()
    outcome = run_tracker(tracker, benchmark, tmp_path / "out", retries=0)
    assert time.monotonic() - started < 25
    assert outcome.done == ("s0", "s2")
    assert "ZeroDivisionError: cannot follow sequence one" in outcome.failed["s1"]
    assert "killed" not in outcome.failed["s1"]


class Flockless:
    """Stands for `fcntl` on a file system that fails in some way."""

    LOCK_SH, LOCK_EX, LOCK_NB = 1, 2, 4

    def __init__(self, number: int) -> None:
        self.number = number

    def flock(self, handle: int, kind: int) -> None:
        raise OSError(self.number, "of the file system")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_nothing_can_be_locked_a_run_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(locks, "fcntl", Flockless(number))
    folder, done = ResultsFolder(tmp_path / "out"), []
    message = r"out cannot be locked .*never run two evaluations into it"
    with pytest.warns(UserWarning, match=message), folder.lock_for_runner(), folder.lock_for_worker():
        done.append("both")
    assert done == ["both"]


def test_a_lock_that_fails_otherwise_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "fcntl", Flockless(errno.EIO))
    lock = ResultsFolder(tmp_path / "out").lock_for_runner()
    with pytest.raises(OutputError, match=r"cannot lock .*runner\.lock: of the file system"), lock:
        pass
