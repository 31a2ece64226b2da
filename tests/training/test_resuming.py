"""Settings that changed since the checkpoint, and validations that fail or are cut short."""

import json
import warnings

import pytest
from test_training_loop import build_run
from training_samples import tiny_settings

from aiatrack.errors import DataError
from aiatrack.training import TrainingWarning, load_checkpoint
from aiatrack.training.changes import list_changes


def test_changed_settings_are_named_on_resuming(tmp_path, change):
    build_run(change(steps=2), tmp_path).run()
    changed = change(optimizer={"learning_rate": 2e-3}, data={"sources": [{"path": "other"}]})
    with pytest.warns(TrainingWarning) as told:
        assert build_run(changed, tmp_path).resume()
    (line,) = (str(warning.message) for warning in told)
    assert line.startswith("resuming with other settings than those of step 2: ")
    for words in ("steps: 2 -> 6", "optimizer.learning_rate: 0.001 -> 0.002"):
        assert words in line
    assert "data.sources: [] -> " in line
    assert "seed" not in line and "ema_decay" not in line


def test_changes_are_named_by_the_key_that_changes_them(change):
    before, after = (
        {"sources": [{"path": "a", "weight": weight}], "box_share": (0, 0.5)} for weight in (1, 2)
    )
    assert list_changes(change(data=before), change(data=after)) == ["data.sources.0.weight: 1.0 -> 2.0"]
    with_clips = change(data={"sources": [{"path": "a"}]}, tracking={"search_factor": 4})
    found = list_changes(change(), with_clips)
    assert found[0] == "tracking.search_factor: None -> 4"
    assert found[1].startswith("data.sources: [] -> [{")


def test_unchanged_settings_are_resumed_without_a_word(tmp_path, settings):
    build_run(settings, tmp_path).run()
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        assert build_run(settings, tmp_path).resume()


def test_dropout_may_change_on_resuming(tmp_path, change):
    build_run(change(steps=2), tmp_path).run()
    other = tiny_settings().network | {"dropout": 0.3}
    with pytest.warns(TrainingWarning, match=r"network\.dropout: 0\.1 -> 0\.3"):
        assert build_run(change(network=other), tmp_path).resume()


def _fail_at(call: int, scores: list[float]):
    """A validation that gives scores one after another and fails at its `call`th call."""
    calls = iter(range(1, 100))

    def validate(network):
        number = next(calls)
        if number == call:
            raise DataError("clip 3 cannot be read")
        return {"auc": scores[number - 1]}

    return validate


def test_a_failing_validation_leaves_the_checkpoint_of_its_step(tmp_path, change):
    settings = change(log={"validate_every_steps": 2})
    with pytest.raises(DataError, match="clip 3"):
        build_run(settings, tmp_path, validate=_fail_at(1, [])).run()
    assert [path.name for path in (tmp_path / "checkpoints").glob("*.pt")] == ["step_000000002.pt"]


def test_a_validation_that_was_cut_short_is_made_up_for(tmp_path, change):
    """Resumed from the checkpoint written before it, the run has the same scores and the same best."""
    settings = change(log={"validate_every_steps": 2})
    whole = build_run(settings, tmp_path / "whole", validate=_fail_at(0, [0.5, 0.7, 0.6]))
    whole.run()
    with pytest.raises(DataError):
        build_run(settings, tmp_path / "cut", validate=_fail_at(2, [0.5])).run()
    resumed = build_run(settings, tmp_path / "cut", validate=_fail_at(0, [0.7, 0.6]))
    assert resumed.resume() and resumed.trainee.step == 4
    assert resumed.run().best_score == 0.7
    validations = [
        [row for row in map(json.loads, journal.read_text().splitlines()) if "validation" in row]
        for journal in (tmp_path / name / "metrics.jsonl" for name in ("whole", "cut"))
    ]
    assert validations[0] == validations[1]
    best = [load_checkpoint(tmp_path / name / "checkpoints" / "best.pt") for name in ("whole", "cut")]
    assert [state["step"] for state in best] == [4, 4]


def test_a_validation_that_was_made_is_not_made_again(tmp_path, change):
    settings = change(steps=4, log={"validate_every_steps": 2})
    build_run(settings, tmp_path, validate=_fail_at(0, [0.5, 0.4])).run()
    newest = load_checkpoint(tmp_path / "checkpoints" / "step_000000002.pt")
    assert newest["best_score"] == 0.5
    again = build_run(settings, tmp_path, validate=_fail_at(1, []))
    assert again.resume()
    assert again.run().best_score == 0.5
