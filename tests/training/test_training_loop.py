"""Whole runs in one process: learning, logs, validation, failure, resume."""

import errno
import json
import math

import pytest
import torch
import yaml
from training_samples import SampleStream, build_sample_batch, read_losses, tiny_settings

from aiatrack.api.training import SettingsFile
from aiatrack.config.training import TrainingSettings
from aiatrack.errors import OutputError, SettingsError, TrainingError
from aiatrack.model import load_network
from aiatrack.training import (
    MetricsJournal,
    Observer,
    Surroundings,
    TrackingObjective,
    TrainingRun,
    TrainingWarning,
    build_initial_network,
    load_checkpoint,
)
from aiatrack.training.losses import LossReport

NAN = math.nan


def build_run(settings: TrainingSettings, folder, batches=None, **surroundings) -> TrainingRun:
    observers = [MetricsJournal(folder / "metrics.jsonl"), *surroundings.pop("observers", ())]
    around = Surroundings(batches or SampleStream(), observers=observers, **surroundings)
    return TrainingRun(settings, build_initial_network(settings), folder, around)


def test_thirty_steps_learn_eight_samples(tmp_path, change):
    network = {"crop_size": 128, "channels": 64, "heads": 4, "feed_forward_channels": 128, "dropout": 0.0}
    heads = {"encoder_layers": 0, "inner_channels": 16, "corner_head_channels": 128, "iou_head_channels": 32}
    settings = change(
        steps=30,
        batch_size=8,
        init="imagenet",
        network=network | heads,
        optimizer={"learning_rate": 3e-3, "clip_norm": 1.0, "warmup_steps": 6, "ema_decay": 0.0},
        log={"checkpoint_every_steps": 0},
    )
    run = build_run(settings, tmp_path, SampleStream(batch_size=8, crop_size=128, repeat=1))
    run.run()
    mean_iou = [losses[4] for losses in read_losses(tmp_path / "metrics.jsonl").values()]
    assert mean_iou[0] < 0.3 and mean_iou[-1] > 0.9
    # In evaluation the batch norms use running statistics, which lag behind after so few steps.
    with torch.no_grad():
        report = TrackingObjective(run.trainee.network).eval()(build_sample_batch(0, crop_size=128))
    assert report.mean_iou > 0.85


def test_a_run_leaves_its_files(tmp_path, settings):
    summary = build_run(settings, tmp_path).run()
    assert summary.steps == 6 and summary.best_score is None
    files = [path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"]
    assert sorted(files) == [
        "last.safetensors",
        "metrics.jsonl",
        "step_000000002.pt",
        "step_000000004.pt",
        "step_000000006.pt",
    ]
    model, network = load_network(summary.weights)
    assert model == settings.model_settings() and not network.training
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert {"step", "total", "learning_rate", "backbone_learning_rate", "samples_per_second"} <= set(row)


@pytest.mark.parametrize(("dropout", "borne", "too_much"), [(0.0, 1.05, 1.2), (0.1, 1.3, 1.8)])
def test_a_compiler_s_mistake_stops_the_run(dropout, borne, too_much, tmp_path, change):
    settings = change(network={"dropout": dropout})

    def run(name: str, factor: float | None = None) -> dict[str, torch.Tensor]:
        run = build_run(settings, tmp_path / name)
        if factor is not None:  # as if it were what the compiler made
            objective = run.trainee._objective
            run.trainee.settings = settings.replace(compile=True)
            run.trainee._objective = lambda batch: _scale_loss(objective(batch), factor)
        run.run()
        return run.trainee.network.state_dict()

    plain, compared = run("plain"), run("right", 1.0)
    assert all(torch.equal(value, compared[name]) for name, value in plain.items()), "no trace of comparing"
    run("borne", borne)
    with pytest.raises(TrainingError, match=r"compiled.*set compile=false"):
        run("wrong", too_much)


def _scale_loss(report: LossReport, factor: float) -> LossReport:
    return report._replace(total=report.total * factor)


def test_two_runs_do_not_share_a_folder(tmp_path, settings):
    written = tmp_path / "settings.yaml"

    class Intruder(Observer):
        def on_start(self, step, steps):
            theirs = settings.replace(seed=99)
            with pytest.raises(TrainingError, match="another process is training in"):
                build_run(theirs, tmp_path, observers=[SettingsFile(written, theirs)]).run()
            raise KeyboardInterrupt

    ours = SettingsFile(written, settings)
    with pytest.raises(KeyboardInterrupt):
        build_run(settings, tmp_path, observers=[ours, Intruder()]).run()
    assert yaml.safe_load(written.read_text())["seed"] == settings.seed, "who is refused writes nothing"
    assert build_run(settings, tmp_path).run().steps == 6, "a run that was stopped holds nothing"


def test_the_average_is_what_is_kept(tmp_path, settings):
    run = build_run(settings, tmp_path)
    run.run()
    _, kept = load_network(tmp_path / "last.safetensors")
    assert torch.equal(kept.bottleneck.weight, run.trainee.average.network.bottleneck.weight)
    assert not torch.equal(kept.bottleneck.weight, run.trainee.network.bottleneck.weight)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, change, precision):
    settings = change(precision=precision, accumulation=2)
    whole = build_run(settings, tmp_path / "whole")
    whole.run()
    with pytest.raises(KeyboardInterrupt):
        build_run(settings, tmp_path / "cut", observers=[StopAt(5)]).run()
    resumed = build_run(settings, tmp_path / "cut")
    assert resumed.resume() and resumed.trainee.step == 4
    resumed.run()
    assert read_losses(tmp_path / "cut" / "metrics.jsonl") == read_losses(
        tmp_path / "whole" / "metrics.jsonl"
    )
    for name, tensor in whole.trainee.network.state_dict().items():
        assert torch.equal(tensor, resumed.trainee.network.state_dict()[name]), name
    for name, tensor in whole.trainee.best_network.state_dict().items():
        assert torch.equal(tensor, resumed.trainee.best_network.state_dict()[name]), name


class StopAt(Observer):
    """Interrupts a run once the metrics of a step have been logged."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_metrics(self, step: int, metrics: dict[str, float]) -> None:
        if step == self._step:
            raise KeyboardInterrupt


def test_means_between_log_lines_survive_a_resume(tmp_path, change):
    settings = change(log={"log_every_steps": 3, "checkpoint_every_steps": 2})
    build_run(settings, tmp_path / "whole").run()
    first = build_run(settings, tmp_path / "cut", observers=[StopAt(3)])
    with pytest.raises(KeyboardInterrupt):
        first.run()
    resumed = build_run(settings, tmp_path / "cut")
    resumed.resume()
    resumed.run()
    assert read_losses(tmp_path / "cut" / "metrics.jsonl") == read_losses(
        tmp_path / "whole" / "metrics.jsonl"
    )


def test_resuming_a_finished_run_does_nothing(tmp_path, settings):
    build_run(settings, tmp_path).run()
    before = (tmp_path / "metrics.jsonl").read_text()
    again = build_run(settings, tmp_path)
    assert again.resume()
    assert again.run().steps == 6
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_nothing_to_resume(tmp_path, settings):
    assert not build_run(settings, tmp_path).resume()


def test_another_network_is_not_resumed(tmp_path, change):
    build_run(change(steps=2), tmp_path).run()
    other = tiny_settings().network | {"channels": 32}
    with pytest.raises(TrainingError, match="of another network"):
        build_run(change(network=other), tmp_path).resume()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"frozen": "backbone"}, {"frozen": "stem"}),
        ({"frozen": "stem"}, {"frozen": "nothing"}),
        ({"decay_norms_and_biases": True}, {"decay_norms_and_biases": False}),
        ({"decay_norms_and_biases": False, "weight_decay": 0.0}, {"weight_decay": 1e-4}),
    ],
)
def test_other_groups_of_parameters_are_not_resumed(tmp_path, change, before, after):
    build_run(change(steps=2, optimizer=before), tmp_path).run()
    run = build_run(change(optimizer=before | after), tmp_path)
    start = {name: value.clone() for name, value in run.trainee.network.state_dict().items()}
    name, value = next(iter(before.items()))
    with pytest.raises(TrainingError, match=rf"resume with .*optimizer\.{name}={value}.*another folder"):
        run.resume()
    assert all(torch.equal(value, start[name]) for name, value in run.trainee.network.state_dict().items())


@pytest.mark.parametrize(("norms_and_biases", "decays"), [(True, [0.5]), (False, [0.0, 0.5])])
def test_a_changed_weight_decay_is_resumed_with(tmp_path, change, norms_and_biases, decays):
    optimizer = {"decay_norms_and_biases": norms_and_biases}
    build_run(change(steps=2, optimizer=optimizer), tmp_path).run()
    run = build_run(change(optimizer=optimizer | {"weight_decay": 0.5}), tmp_path)
    assert run.resume()
    assert [group["weight_decay"] for group in run.trainee._optimizer.param_groups] == decays
    assert all("exp_avg" in moments for moments in run.trainee._optimizer.state.values())


def test_accumulated_batches_are_one_large_batch(tmp_path, change):
    """Without batch norms, which see one batch at a time, two halves equal the whole."""

    def gradient_norms(folder, settings, batches):
        run = build_run(settings, folder, batches)
        for part in run.trainee.network.modules():
            if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
                part.eval().train = lambda mode=True: None
        run.run()
        return [row[-1] for row in read_losses(folder / "metrics.jsonl").values()]

    network = {"dropout": 0.0}
    whole = gradient_norms(tmp_path / "whole", change(steps=3, network=network), Halves(parts=1))
    halves = gradient_norms(
        tmp_path / "halves", change(steps=3, network=network, accumulation=2), Halves(parts=2)
    )
    assert halves == pytest.approx(whole, rel=1e-3)


class Halves:
    """Batches of four samples, each whole or as two of two."""

    def __init__(self, parts: int) -> None:
        self._parts = parts

    def __call__(self, *, rank, world_size, start_step):
        seed = start_step // self._parts
        while True:
            batch = build_sample_batch(seed, batch_size=4, crop_size=64)
            for part in zip(*(tensor.chunk(self._parts) for tensor in batch), strict=True):
                yield type(batch)(*part)
            seed += 1


def test_validation_chooses_the_best(tmp_path, change):
    scores = iter([0.3, 0.5, 0.4])
    seen = []

    def validate(network):
        assert not network.training
        torch.rand(7)  # must not move the run's random streams
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return {"auc": next(scores)}

    settings = change(log={"validate_every_steps": 2})
    watched = Scores()
    summary = build_run(settings, tmp_path / "a", validate=validate, observers=[watched]).run()
    assert summary.best_score == 0.5
    assert watched.scores == [(2, 0.3), (4, 0.5), (6, 0.4)]
    assert load_checkpoint(tmp_path / "a" / "checkpoints" / "best.pt")["step"] == 4
    _, best = load_network(tmp_path / "a" / "best.safetensors")
    assert all(torch.equal(tensor, seen[1][name]) for name, tensor in best.state_dict().items())
    rows = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert {"step": 4, "validation": {"auc": 0.5}} in rows
    build_run(change(), tmp_path / "b").run()
    losses = [row["total"] for row in rows if "total" in row]
    assert losses == [row[0] for row in read_losses(tmp_path / "b" / "metrics.jsonl").values()]


@pytest.mark.parametrize(
    ("scores", "best"),
    [([0.5, NAN, 0.1], (2, 0.5)), ([NAN, 0.1, NAN], (4, 0.1)), ([NAN, NAN, NAN], None)],
)
def test_a_score_that_is_not_a_number_is_never_the_best(tmp_path, change, scores, best):
    coming = iter(scores)
    settings = change(log={"validate_every_steps": 2})
    summary = build_run(settings, tmp_path, validate=lambda network: {"auc": next(coming)}).run()
    path = tmp_path / "checkpoints" / "best.pt"
    if best is None:
        assert summary.best_score is None and not path.exists()
    else:
        assert (load_checkpoint(path)["step"], summary.best_score) == best


class Scores(Observer):
    """Collects the scores of a run."""

    def __init__(self) -> None:
        self.scores: list[tuple[int, float]] = []

    def on_scores(self, step: int, scores: dict[str, float]) -> None:
        self.scores.append((step, scores["auc"]))


def test_a_validation_without_the_chosen_score(tmp_path, change):
    settings = change(log={"validate_every_steps": 2, "best_metric": "auc"})
    with pytest.raises(TrainingError, match="no score 'auc'"):
        build_run(settings, tmp_path, validate=lambda network: {"ao": 0.5}).run()


def test_what_was_learnt_before_a_failed_validation_is_kept(tmp_path, change):
    settings = change(log={"validate_every_steps": 3, "checkpoint_every_steps": 0})
    with pytest.raises(TrainingError, match="no score 'auc'"):
        build_run(settings, tmp_path, validate=lambda network: {"ao": 0.5}).run()
    scores = iter([0.5, 0.4])
    resumed = build_run(settings, tmp_path, validate=lambda network: {"auc": next(scores)})
    assert resumed.resume() and resumed.trainee.step == 3
    assert resumed.run().best_score == 0.5, "the validation that failed is made up for"


@pytest.mark.filterwarnings("error::aiatrack.training.TrainingWarning")
@pytest.mark.parametrize("warmup", [5, 6, 600])
def test_a_warmup_that_outlasts_the_run_is_warned_of(tmp_path, change, warmup):
    settings = change(steps=6, optimizer={"warmup_steps": warmup})
    if warmup < settings.steps:
        build_run(settings, tmp_path)  # where a warning is an error
        return
    share = {6: "85.7 %", 600: "0.998 %"}[warmup]
    with pytest.warns(TrainingWarning, match=rf"{share} .*optimizer\.warmup_steps is {warmup}, steps 6"):
        build_run(settings, tmp_path)


def test_pictures_are_written(tmp_path, change):
    written = []

    def write(path, batch, predicted_xyxy):
        path.write_bytes(b"picture")
        written.append((path.name, batch.search_crops.shape, predicted_xyxy.shape))

    build_run(change(log={"pictures_every_steps": 3}), tmp_path, write_pictures=write).run()
    shapes = (torch.Size([4, 64, 64, 3]), torch.Size([4, 4]))
    assert written == [("step_000000003.png", *shapes), ("step_000000006.png", *shapes)]


def test_pictures_that_cannot_be_written(tmp_path, change):
    settings = change(log={"pictures_every_steps": 3})

    def fail(path, batch, predicted_xyxy):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match=r"cannot write .*step_000000003\.png: No space left"):
        build_run(settings, tmp_path / "full", write_pictures=fail).run()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "pictures").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*step_000000003\.png"):
        build_run(settings, tmp_path / "taken", write_pictures=lambda *_: None).run()


class Poisoned(SampleStream):
    """The third batch has a box that is not a number."""

    def __call__(self, *, rank, world_size, start_step):
        for index, batch in enumerate(
            super().__call__(rank=rank, world_size=world_size, start_step=start_step)
        ):
            if start_step + index == 2:
                batch.search_boxes_xywh[0, 0] = float("nan")
            yield batch


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_batch(tmp_path, settings):
    run = build_run(settings, tmp_path, Poisoned())
    with pytest.raises(TrainingError, match="the loss of step 2 is nan"):
        run.run()
    kept = load_checkpoint(tmp_path / "failed_batch_step_000000002_rank_0.pt")
    assert kept["step"] == 2 and torch.isnan(kept["search_boxes_xywh"][0, 0])
    assert torch.equal(kept["search_crops"], build_sample_batch(2, batch_size=4, crop_size=64).search_crops)
    assert all(torch.isfinite(p).all() for p in run.trainee.network.parameters()), "the weights are spoilt"


def test_an_exploded_loss_stops(tmp_path, change):
    with pytest.raises(TrainingError, match=r"expected a finite number up to 0\.001"):
        build_run(change(loss={"largest": 0.001}), tmp_path).run()


def test_fp16_needs_a_gpu(tmp_path, change):
    with pytest.raises(SettingsError, match="fp16 needs a GPU"):
        build_run(change(precision="fp16"), tmp_path)


def test_an_unknown_device(tmp_path, change):
    with pytest.raises(SettingsError, match="expected auto or cpu, got 'gpu0'"):
        build_run(change(device="gpu0"), tmp_path)
