"""Accelerate's state, which lives as long as the process, and runs, which do not."""

import pytest
import torch
from accelerate.state import PartialState

from aiatrack.training.acceleration import build_accelerator


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    PartialState._reset_state()


def test_a_second_run_may_ask_for_another_device(monkeypatch, settings):
    build_accelerator(settings)
    monkeypatch.setitem(PartialState._shared_state, "device", torch.device("cuda", 0))
    assert build_accelerator(settings).device == torch.device("cpu")


def test_processes_that_a_launcher_joined_stay_joined(monkeypatch, settings):
    build_accelerator(settings)
    monkeypatch.setitem(PartialState._shared_state, "num_processes", 2)
    monkeypatch.setitem(PartialState._shared_state, "device", torch.device("cuda", 0))
    assert build_accelerator(settings).num_processes == 2
