"""The dry run."""

import pytest
from training_samples import SampleStream

from aiatrack.training import TrainingWarning, build_initial_network, plan_training
from aiatrack.training.plan import count_parameters


def test_a_plan_adds_up(change):
    settings = change(steps=1000, accumulation=2)
    network = build_initial_network(settings)
    plan = plan_training(settings, network, SampleStream(batch_size=4), measured_steps=2)
    assert plan.global_batch_size == 8 and plan.samples == 8000 and plan.processes == 1
    assert plan.samples_per_second * plan.seconds_per_step == pytest.approx(8)
    assert abs(plan.hours * 3600 - 1000 * plan.seconds_per_step) < 1e-6
    assert 0 <= plan.data_wait_share <= 1
    assert plan.peak_memory_bytes > 10 * 2**20
    assert plan.device.startswith("cpu")


def test_a_plan_tells_how_far_it_is(change):
    settings, told = change(), []
    plan_training(
        settings,
        build_initial_network(settings),
        SampleStream(batch_size=4),
        measured_steps=2,
        progress=lambda *steps: told.append(steps),
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_plan_warns_of_a_warmup_that_outlasts_the_run(change):
    settings = change(steps=50, optimizer={"warmup_steps": 50})
    network = build_initial_network(settings)
    with pytest.warns(TrainingWarning, match="still climbing when the run ends"):
        plan_training(settings, network, SampleStream(batch_size=4), measured_steps=1)


def test_parameters_are_counted_once(change):
    network = build_initial_network(change())
    counts = count_parameters(network)
    assert sum(counts.values()) == sum(p.numel() for p in network.parameters())
    assert counts["embeddings"] == 2 * network.settings.channels
    plan = plan_training(change(), network, SampleStream(batch_size=4), measured_steps=1)
    assert plan.trained_parameters == sum(counts.values()) - counts["backbone"]
