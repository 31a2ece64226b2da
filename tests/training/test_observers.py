"""The journal and TensorBoard."""

import errno
import json
import sys

import pytest

from aiatrack.errors import MissingExtraError, OutputError
from aiatrack.training import MetricsJournal, TensorBoardLog


def _rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_journal_goes_on_after_the_checkpoint(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    journal = MetricsJournal(path)
    journal.on_start(0, 10)
    for step in (1, 2, 3):
        journal.on_metrics(step, {"total": step / 2})
    journal.on_scores(3, {"auc": 0.5})
    journal = MetricsJournal(path)
    journal.on_start(2, 10)
    journal.on_metrics(3, {"total": 9.0})
    assert _rows(path) == [
        {"step": 1, "total": 0.5},
        {"step": 2, "total": 1.0},
        {"step": 3, "total": 9.0},
    ]


def test_a_line_cut_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "total": 0.5}\n{"step": 2, "to')
    MetricsJournal(path).on_start(5, 10)
    assert _rows(path) == [{"step": 1, "total": 0.5}]


def test_a_journal_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"metrics\.jsonl"):
        MetricsJournal(tmp_path / "file" / "metrics.jsonl").on_start(0, 1)


def test_a_journal_that_can_no_longer_be_written(tmp_path):
    path = tmp_path / "metrics.jsonl"
    journal = MetricsJournal(path)
    journal.on_start(0, 1)
    path.unlink()
    path.mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*metrics\.jsonl"):
        journal.on_metrics(1, {"total": 0.5})


def test_curves_that_cannot_be_written(tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        TensorBoardLog(tmp_path / "file").on_start(0, 1)


def test_curves_that_can_no_longer_be_written(tmp_path):
    pytest.importorskip("tensorboard")
    log = TensorBoardLog(tmp_path)
    log.on_start(0, 1)

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    log._writer.add_scalar = log._writer.close = fail
    with pytest.raises(OutputError, match="No space left"):
        log.on_metrics(1, {"total": 0.5})
    with pytest.raises(OutputError, match="No space left"):
        log.on_end(1)


def test_tensorboard_gets_every_curve(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = TensorBoardLog(tmp_path)
    log.on_start(0, 2)
    log.on_metrics(1, {"total": 2.0})
    log.on_metrics(2, {"total": 1.0})
    log.on_scores(2, {"auc": 0.5})
    log.on_end(2)
    events = accumulators.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/total")] == [(1, 2.0), (2, 1.0)]
    assert [event.value for event in events.Scalars("validation/auc")] == [0.5]


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"aiatrack\[train\]"):
        TensorBoardLog(tmp_path)
