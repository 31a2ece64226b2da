"""Recipes and changes laid over them."""

import pytest

from aiatrack.config.recipes import load_recipe, recipe_names
from aiatrack.config.training import FrozenPart, Precision, Schedule, TrainingSettings
from aiatrack.errors import SettingsError


def test_every_shipped_recipe_loads():
    assert {"finetune", "got10k", "lite", "nano", "paper"} <= set(recipe_names())
    for name in recipe_names():
        assert load_recipe(name).name


def test_the_paper_recipe_says_what_the_paper_says():
    paper = load_recipe("paper")
    assert paper.steps * paper.batch_size * 8 == 500 * 60_000
    assert paper.steps * paper.optimizer.drop_at == 400 * 60_000 / (15 * 8)
    assert (paper.optimizer.learning_rate, paper.optimizer.backbone_learning_rate) == (1e-4, 1e-5)
    assert (paper.optimizer.weight_decay, paper.optimizer.clip_norm) == (1e-4, 0.1)
    assert paper.optimizer.schedule is Schedule.STEP and paper.optimizer.frozen is FrozenPart.STEM
    assert (paper.loss.giou, paper.loss.l1, paper.loss.iou) == (2, 5, 2)
    assert paper.data.jitter.centre == 2.25 and paper.data.jitter.size == 0.5
    assert [source.layout for source in paper.data.sources] == ["lasot", "got10k", "trackingnet", "coco"]
    assert {source.weight for source in paper.data.sources} == {1.0}


def test_the_got10k_recipe_is_the_paper_recipe_on_got10k_alone():
    paper, got10k = load_recipe("paper"), load_recipe("got10k")
    assert [source.layout for source in got10k.data.sources] == ["got10k"]
    for field in ("steps", "batch_size", "optimizer", "loss", "precision", "model", "network"):
        assert getattr(got10k, field) == getattr(paper, field)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("steps=12", lambda s: s.steps == 12),
        ("optimizer.learning_rate=2e-4", lambda s: s.optimizer.learning_rate == 2e-4),
        ("precision=float32", lambda s: s.precision is Precision.FLOAT32),
        ("network.channels=64", lambda s: s.model_settings().network.channels == 64),
        ("data.sources.0.path=clips", lambda s: str(s.data.sources[0].path) == "clips"),
        ("data.sources.0.weights.apples=3", lambda s: s.data.sources[0].weights["apples"] == 3),
        ("tracking.ensemble_size=0", lambda s: s.model_settings().tracking.ensemble_size == 0),
        ("data.jitter={centre: 1.0}", lambda s: s.data.jitter.centre == 1.0),
        ("init=runs/a=b.safetensors", lambda s: s.init == "runs/a=b.safetensors"),
    ],
)
def test_overrides(override, read):
    assert read(load_recipe("nano", [override]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rte=1", "did you mean optimizer.learning_rate?"),
        ("network.chanels=64", "did you mean network.channels?"),
        ("data.sources.0.pth=x", "did you mean data.sources.0.path?"),
        ("data.jitter.center=2", "did you mean data.jitter.centre?"),
        ("qqqq=1", "expected one of name, model"),
        ("steps", "expected key=value"),
        ("steps=0", "steps"),
        ("steps.more=1", "steps is a value and has no 'more'"),
        ("data.sources.7.path=x", "expected a number below 1"),
        ("network.heads=5", "multiple of heads"),
        ("model=huge", "there is no model 'huge'"),
        ("steps={", "is not YAML"),
    ],
)
def test_wrong_overrides_are_refused(override, message):
    with pytest.raises(SettingsError, match=message.replace("?", r"\?")):
        load_recipe("nano", [override])


def test_a_recipe_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nmodel: nano\noptimizer:\n  ema_decay: 0.9\n")
    assert load_recipe(str(path)) == TrainingSettings(name="mine", model="nano", optimizer={"ema_decay": 0.9})
    path.write_text("")
    assert load_recipe(str(path)) == TrainingSettings()


def test_no_such_recipe(tmp_path):
    with pytest.raises(SettingsError, match="choose one of finetune, got10k"):
        load_recipe("notthere")
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n- 2\n")
    with pytest.raises(SettingsError, match="expected settings"):
        load_recipe(str(path))


def test_settings_survive_json():
    settings = load_recipe("paper")
    assert TrainingSettings.parse(settings.model_dump(mode="json"), origin="json") == settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["batch_size=1", "data.proposals=1"], "batch_size or data.proposals above 1"),
        (["model=nano", "batch_size=1", "network.crop_size=16"], "map of one cell"),
        (["seed=9223372036854775808"], "seed: Input should be less than"),
        (["data.max_gap=9223372036854775807"], "max_gap: Input should be less than"),
        (["steps=1" + 400 * "0"], "steps: "),
    ],
)
def test_what_no_step_could_be_made_with(changes, words):
    with pytest.raises(SettingsError, match=words):
        load_recipe("paper", changes)


def test_one_sample_at_a_time_is_enough():
    assert load_recipe("paper", ["batch_size=1"]).data.proposals == 16
    assert load_recipe("paper", ["batch_size=2", "data.proposals=1"]).batch_size == 2
