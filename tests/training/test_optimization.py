"""Groups, frozen parts and learning rates."""

import pytest
import torch

from aiatrack.config import NetworkSettings
from aiatrack.config.training import FrozenPart, OptimizerSettings, Schedule
from aiatrack.errors import TrainingError
from aiatrack.model import build_network
from aiatrack.training.optimization import (
    LearningRates,
    build_optimizer,
    freeze_parts,
    learning_rate_share,
    parameter_groups,
)


@pytest.fixture
def network(settings):
    return build_network(settings.model_settings().network)


STEP = {"schedule": Schedule.STEP, "drop_at": 0.8}
COSINE = {"schedule": Schedule.COSINE, "final_share": 0.0}


@pytest.mark.parametrize(
    ("settings", "step", "share"),
    [
        (STEP, 0, 1.0),
        (STEP, 79, 1.0),
        (STEP, 80, 0.1),
        (STEP, 99, 0.1),
        (COSINE, 0, 1.0),
        (COSINE, 50, 0.5),
        (COSINE, 100, 0.0),
        (COSINE | {"final_share": 0.2}, 50, 0.6),
        (COSINE | {"final_share": 0.2}, 100, 0.2),
        (COSINE | {"final_share": 0.2}, 130, 0.2),
        (COSINE | {"warmup_steps": 20}, 60, 0.5),  # half of the 80 steps after the warm-up
        ({"schedule": Schedule.CONSTANT}, 99, 1.0),
        ({"schedule": Schedule.CONSTANT, "warmup_steps": 4}, 0, 0.2),
        ({"schedule": Schedule.CONSTANT, "warmup_steps": 4}, 3, 0.8),
        ({"schedule": Schedule.CONSTANT, "warmup_steps": 4}, 4, 1.0),
    ],
)
def test_schedules(settings, step, share):
    assert learning_rate_share(OptimizerSettings(**settings), step, 100) == pytest.approx(share)


def test_rates_reach_their_groups(network):
    settings = OptimizerSettings(
        learning_rate=1e-3, backbone_learning_rate=1e-5, frozen=FrozenPart.STEM, **STEP
    )
    freeze_parts(network, settings.frozen)
    optimizer = build_optimizer(network, settings)
    LearningRates(settings, 10).apply(optimizer, 9)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            expected = 1e-6 if name.startswith("backbone.") else 1e-4
            assert rates.pop(id(parameter)) == pytest.approx(expected), name
    assert not rates


@pytest.mark.parametrize(
    ("part", "frozen_prefixes"),
    [
        (FrozenPart.NOTHING, ()),
        (
            FrozenPart.STEM,
            ("backbone._conv_stem", "backbone._blocks.0.", "backbone._blocks.1.", "backbone._blocks.2."),
        ),
        (
            FrozenPart.EARLY,
            ("backbone._conv_stem", "backbone._bn0", *(f"backbone._blocks.{i}." for i in range(5))),
        ),
        (FrozenPart.BACKBONE, ("backbone.",)),
    ],
)
def test_frozen_parts(network, part, frozen_prefixes):
    freeze_parts(network, part)
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad != name.startswith(frozen_prefixes), name


def test_the_paper_freezes_conv1_and_stage_1():
    network = build_network(NetworkSettings())
    freeze_parts(network, FrozenPart.STEM)
    frozen = {".".join(name.split(".")[:2]) for name, p in network.named_parameters() if not p.requires_grad}
    assert frozen == {"backbone.conv1", "backbone.layer1"}


def test_early_leaves_only_stride_16_to_train():
    network = build_network(NetworkSettings())
    freeze_parts(network, FrozenPart.EARLY)
    trained = {".".join(n.split(".")[:2]) for n, p in network.backbone.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"layer3"}


def test_weight_decay_may_spare_norms_and_biases(network):
    groups = parameter_groups(network, OptimizerSettings(weight_decay=0.1, decay_norms_and_biases=False))
    for group in groups:
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] == 0.1}
    everything = sum(len(group["params"]) for group in groups)
    assert everything == sum(1 for _ in network.parameters())


def test_nothing_left_to_train_is_an_error(network):
    network.requires_grad_(False)
    with pytest.raises(TrainingError, match="nothing to train"):
        build_optimizer(network, OptimizerSettings())


def test_one_step_changes_trainable_parameters_only(network):
    freeze_parts(network, FrozenPart.BACKBONE)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = build_optimizer(network, OptimizerSettings())
    sum(p.square().sum() for p in network.parameters() if p.requires_grad).backward()
    optimizer.step()
    changed = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    assert changed and not any(name.startswith("backbone.") for name in changed)
