"""Runs killed at any moment, and runs shared by two processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn
from training_samples import SampleStream, build_sample_batch, read_losses

from aiatrack.config.training import TrainingSettings
from aiatrack.model import load_network
from aiatrack.training import MetricsJournal, Surroundings, TrainingRun, build_initial_network

CHILD = Path(__file__).with_name("training_child.py")
TWO_PROCESSES = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
PATIENCE_S = 120


def start(folder: Path, settings: TrainingSettings, launcher: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start a run in a session of its own, so that all of its processes can be killed at once."""
    command = [sys.executable, *launcher, str(CHILD), str(folder), settings.model_dump_json()]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    folder.mkdir(exist_ok=True)
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, start_new_session=True
        )


def finish(folder: Path, settings: TrainingSettings, launcher: Sequence[str] = ()) -> None:
    code = start(folder, settings, launcher).wait(PATIENCE_S)
    assert code == 0, (folder / "output.txt").read_text()[-3000:]


def kill_after(lines: int, folder: Path, settings: TrainingSettings, launcher: Sequence[str] = ()) -> None:
    """Start a run and send SIGKILL to all its processes once it has logged a number of steps."""
    child, journal, started = start(folder, settings, launcher), folder / "metrics.jsonl", time.monotonic()
    try:
        while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
            assert child.poll() is None, (folder / "output.txt").read_text()[-3000:]
            assert time.monotonic() - started < PATIENCE_S, "the run does not get on"
            time.sleep(0.002)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def run_here(folder: Path, settings: TrainingSettings) -> TrainingRun:
    observers = [MetricsJournal(folder / "metrics.jsonl")]
    around = Surroundings(SampleStream(batch_size=settings.batch_size), observers=observers)
    run = TrainingRun(settings, build_initial_network(settings), folder, around)
    run.resume()
    run.run()
    return run


def test_a_killed_run_resumes_to_the_same_curve(tmp_path, change):
    settings = change(steps=12, log={"checkpoint_every_steps": 3})
    whole = run_here(tmp_path / "whole", settings)
    kill_after(5, tmp_path / "killed", settings)
    finished = read_losses(tmp_path / "killed" / "metrics.jsonl")
    assert 5 <= len(finished) < 12, "killed too late to show anything"
    resumed = run_here(tmp_path / "killed", settings)
    assert read_losses(tmp_path / "killed" / "metrics.jsonl") == read_losses(
        tmp_path / "whole" / "metrics.jsonl"
    )
    for name, tensor in whole.trainee.network.state_dict().items():
        assert torch.equal(tensor, resumed.trainee.network.state_dict()[name]), name


@pytest.fixture(scope="module")
def two_process_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two_process_settings():
    from training_samples import tiny_settings

    # Dropout draws from another stream in every process; without it, the processes compute what one would.
    network = tiny_settings().network | {"dropout": 0.0}
    return tiny_settings(steps=8, batch_size=2, network=network, log={"checkpoint_every_steps": 3})


@pytest.fixture(scope="module")
def two_process_losses(two_process_folder, two_process_settings):
    """The losses of a run of two processes with batches of two."""
    finish(two_process_folder / "whole", two_process_settings, TWO_PROCESSES)
    return read_losses(two_process_folder / "whole" / "metrics.jsonl")


class PairsOfBatches(SampleStream):
    """The batches of both of two processes, joined."""

    def __call__(self, *, rank, world_size, start_step):
        step = start_step
        while True:
            parts = [build_sample_batch(2 * step + part, batch_size=2, crop_size=64) for part in range(2)]
            yield type(parts[0])(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
            step += 1


def test_two_processes_equal_one_with_the_same_global_batch(
    two_process_folder, two_process_settings, two_process_losses
):
    folder = two_process_folder / "one"
    settings = two_process_settings.replace(batch_size=4)
    around = Surroundings(PairsOfBatches(), observers=[MetricsJournal(folder / "metrics.jsonl")])
    TrainingRun(settings, build_initial_network(settings), folder, around).run()
    alone = read_losses(folder / "metrics.jsonl")
    assert alone.keys() == two_process_losses.keys()
    for step, losses in alone.items():
        assert two_process_losses[step] == pytest.approx(losses, rel=1e-3), step
    _, network = load_network(folder / "last.safetensors")
    _, shared_network = load_network(two_process_folder / "whole" / "last.safetensors")
    start_weights = _flat(build_initial_network(settings))
    learnt, learnt_together = _flat(network) - start_weights, _flat(shared_network) - start_weights
    assert (learnt - learnt_together).norm() < 0.05 * learnt.norm()
    for name, tensor in network.state_dict().items():
        if "running_" in name:  # of the batch norms that the processes share
            torch.testing.assert_close(
                shared_network.state_dict()[name], tensor, rtol=1e-2, atol=1e-3, msg=name
            )


def _flat(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_two_killed_processes_resume_to_the_same_curve(
    two_process_folder, two_process_settings, two_process_losses
):
    folder = two_process_folder / "killed"
    kill_after(5, folder, two_process_settings, TWO_PROCESSES)
    finish(folder, two_process_settings, TWO_PROCESSES)
    assert read_losses(folder / "metrics.jsonl") == two_process_losses
