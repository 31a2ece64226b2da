"""`aiatrack train`: what is said, and by which of a run's processes."""

import io
from pathlib import Path
from types import SimpleNamespace

import accelerate
import pytest
from rich.console import Console

from aiatrack.api import training
from aiatrack.cli import training_table
from aiatrack.training import RunSummary, TrainingPlan


def pretend(monkeypatch: pytest.MonkeyPatch, *, first: bool, processes: int) -> None:
    """Be one of many processes, of a run that is over in no time."""
    state = SimpleNamespace(is_main_process=first, num_processes=processes)
    for room in (accelerate, training_table):
        monkeypatch.setattr(room, "PartialState", lambda: state)
    summary = RunSummary(3, 1.0, None, Path("last.safetensors"))
    plan = TrainingPlan("cpu", processes, {}, 1, 2, 3, 1.0, 1.0, 0.0, 1.0, 0)
    run = SimpleNamespace(run=lambda: summary)
    monkeypatch.setattr(training, "open_training_run", lambda *_a, **_k: run)
    monkeypatch.setattr(training, "plan_training_run", lambda _settings, _progress: plan)


@pytest.mark.parametrize("first", [True, False])
def test_the_first_process_speaks_for_all(run, here, monkeypatch, first):
    pretend(monkeypatch, first=first, processes=2)
    outcome = run("train", "nano")
    assert outcome.code == 0
    assert outcome.out == ("3 steps in 0.00 h; wrote last.safetensors\n" if first else "")
    outcome = run("train", "nano", "--dry-run")
    assert outcome.code == 0
    assert ("plan of nano" in outcome.out) == first


@pytest.mark.parametrize("first", [True, False])
def test_a_stopped_run_is_told_of_once(run, here, monkeypatch, first):
    def stop():
        raise KeyboardInterrupt

    pretend(monkeypatch, first=first, processes=2)
    monkeypatch.setattr(training, "open_training_run", lambda *_a, **_k: SimpleNamespace(run=stop))
    outcome = run("train", "nano")
    assert outcome.code == 130
    assert ("with --resume" in outcome.out) == first


@pytest.mark.parametrize(("processes", "words"), [(1, "to 3\n"), (2, "to 3 in 2 processes\n")])
def test_the_first_line_counts_the_processes(monkeypatch, processes, words):
    pretend(monkeypatch, first=True, processes=processes)
    console = Console(file=io.StringIO(), width=80)
    training_table.TrainingTable(console).on_start(0, 3)
    assert console.file.getvalue() == f"training from step 0 {words}"
