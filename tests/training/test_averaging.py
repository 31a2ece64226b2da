"""The moving average of the weights."""

import pytest
import torch
from torch import nn

from aiatrack.training import AveragedNetwork


def test_averages_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    average = AveragedNetwork(layer, decay=0.5)
    nn.init.constant_(layer.weight, 10.0)
    average.update(layer, step=0)  # decay (1 + 0) / (10 + 0) = 0.1
    assert average.network.weight.item() == pytest.approx(9.0)
    average.update(layer, step=100)  # min(0.5, 101 / 110) = 0.5
    assert average.network.weight.item() == pytest.approx(9.5)


@pytest.mark.parametrize(("step", "decay"), [(0, 0.1), (8, 0.5), (10**6, 0.99)])
def test_decay_climbs_to_its_limit(step, decay):
    assert AveragedNetwork(nn.Linear(1, 1), decay=0.99).decay_at(step) == pytest.approx(decay)


def test_running_statistics_are_averaged_and_counters_are_not():
    norm = nn.BatchNorm1d(1)
    average = AveragedNetwork(norm, decay=0.9)
    norm(torch.tensor([[10.0], [20.0]]))
    average.update(norm, step=10**6)
    assert average.network.running_mean.item() == pytest.approx(0.1 * 1.5)
    assert average.network.num_batches_tracked.item() == 0


def test_the_original_is_left_alone():
    layer = nn.Linear(2, 2).train()
    average = AveragedNetwork(layer, decay=0.9)
    assert layer.training and all(p.requires_grad for p in layer.parameters())
    assert not average.network.training and not any(p.requires_grad for p in average.network.parameters())
    with torch.no_grad():
        layer.weight.add_(1)
    assert not torch.equal(layer.weight, average.network.weight)
