"""Runs that would end well and leave nothing of use: refused before they replace anything."""

import math
from pathlib import Path

import pytest
import torch
from test_training_loop import build_run

from aiatrack.api.training import open_training_run, plan_training_run
from aiatrack.config import load_recipe
from aiatrack.errors import DataError, TrainingError
from aiatrack.training import Observer, TrainingRun


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_weights_that_are_not_finite_replace_nothing(tmp_path, change, average):
    class Spoiler(Observer):
        def on_metrics(self, step, metrics):
            if step == 4:
                network = runs[0].trainee.best_network if average else runs[0].trainee.network
                with torch.no_grad():
                    next(network.parameters()).view(-1)[0] = math.inf

    settings = change(steps=4, optimizer={"ema_decay": average})
    build_run(settings.replace(steps=2), tmp_path).run()
    runs: list[TrainingRun] = [build_run(settings, tmp_path, observers=[Spoiler()])]
    with pytest.warns(UserWarning, match="resuming with other settings"):
        runs[0].resume()
    before = _contents(tmp_path)
    with pytest.raises(
        TrainingError, match=r"weights of step 4 are not finite .*lower optimizer\.learning_rate"
    ):
        runs[0].run()
    after = _contents(tmp_path)
    assert after.pop("metrics.jsonl") != before.pop("metrics.jsonl")
    assert after == before


def test_a_run_is_not_resumed_beyond_its_last_step(tmp_path, change):
    build_run(change(steps=6), tmp_path).run()
    before = _contents(tmp_path)
    with pytest.raises(TrainingError, match=r"is at step 6.*last step is 5: .*steps=7"):
        build_run(change(steps=5), tmp_path).resume()
    assert _contents(tmp_path) == before


def test_weights_of_a_recipe_for_sources_that_are_not_there_are_refused_first(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.jsonl").write_text('{"image": "a.png", "boxes": []}')
    settings = load_recipe("nano", [f"data.sources.0.path={tmp_path / 'own'}"])
    monkeypatch.setattr("aiatrack.api.training.build_initial_network", None)
    for start in (lambda: open_training_run(settings, tmp_path / "run"), lambda: plan_training_run(settings)):
        with pytest.raises(DataError, match=r"camvid_driving, .*data\.sources\.0\.weights=\{\}"):
            start()
    assert not (tmp_path / "run").exists()
    helped = ["data.sources.0.weights={}", "data.sources.0.without_identity=[]"]
    assert load_recipe("nano", helped).data.sources[0].weights == {}
