"""The compiled runtime: traced whole, few shapes, the eager one's answers."""

import os
import shutil
from dataclasses import astuple

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.config import Refinement, TrackingSettings
from aiatrack.model import build_network
from aiatrack.paths import user_cache
from aiatrack.runtimes.compiled import CompiledNetwork, _keep_kernels_on_disk
from aiatrack.runtimes.eager import EagerNetwork
from aiatrack.tracking import MultiTracker, ReferenceSet

CPU = torch.device("cpu")
SETTINGS = TINY_NETWORK.replace(refinement=Refinement.AIA)


def module():
    torch.manual_seed(0)
    return build_network(SETTINGS)


def inputs(batch: int):
    rng = np.random.default_rng(batch)
    crops = rng.integers(0, 256, (batch, 64, 64, 3), dtype=np.uint8)
    padding = np.zeros((batch, 64, 64), bool)
    padding[::2, :20] = True
    return crops, padding, rng.uniform(0.1, 0.5, (batch, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def _fresh_compiler(monkeypatch):
    """Neither graphs nor settings reach other tests."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    before = torch._dynamo.config.recompile_limit
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
    torch._dynamo.config.recompile_limit = before


def answers(network, batch: int, ensemble: int):
    """What the three verbs say of a batch whose targets have up to `ensemble` references."""
    crops, padding, boxes = inputs(batch)
    memory = network.encode(crops, padding)
    references = network.remember(memory, list(range(batch)), boxes)
    sets = [
        ReferenceSet(one.long_term, [one.short_term] * (1 + row % ensemble), [2] * (1 + row % ensemble))
        for row, one in enumerate(references)
    ]
    return astuple(network.locate(memory, sets))


def test_traced_verbs_answer_as_eager_ones_do(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled = CompiledNetwork(module(), CPU, backend="eager", warm_up_ensembles=1)
    eager = EagerNetwork(module(), CPU)
    for batch, ensemble in ((1, 1), (3, 2)):
        for ours, theirs in zip(
            answers(compiled, batch, ensemble), answers(eager, batch, ensemble), strict=True
        ):
            assert ours.shape == theirs.shape and len(ours) == batch
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_batches_share_the_graph_of_the_next_power_of_two():
    compiled = CompiledNetwork(module(), CPU, backend="eager", warm_up_ensembles=0)
    answers(compiled, 4, 2)
    with torch.compiler.set_stance("fail_on_recompile"):
        answers(compiled, 3, 2)
        answers(compiled, 4, 2)
        with pytest.raises(RuntimeError, match="recompile"):
            answers(compiled, 2, 2)


def test_remembering_a_few_takes_the_graph_of_what_was_encoded_and_no_more_memory():
    compiled, eager = (
        CompiledNetwork(module(), CPU, backend="eager", warm_up_ensembles=0),
        EagerNetwork(module(), CPU),
    )
    answers(compiled, 4, 2)
    crops, padding, boxes = inputs(4)
    with torch.compiler.set_stance("fail_on_recompile"):
        ours, theirs = (
            network.remember(network.encode(crops, padding), [2], boxes[2:3]) for network in (compiled, eager)
        )
    np.testing.assert_allclose(ours[0].embedding, theirs[0].embedding, atol=1e-5)
    keys = ours[0].short_term.keys
    torch.testing.assert_close(keys, theirs[0].short_term.keys, atol=1e-5, rtol=1e-5)
    assert keys.untyped_storage().nbytes() == keys.nbytes


def test_tracking_one_target_compiles_nothing_after_the_warm_up():
    compiled = CompiledNetwork(module(), CPU, backend="eager", warm_up_ensembles=3)
    frames = np.random.default_rng(3).integers(0, 256, (8, 90, 120, 3), dtype=np.uint8)
    settings = TrackingSettings(min_score_to_remember=-1.0)
    runs = []
    with torch.compiler.set_stance("fail_on_recompile"):
        for network in (compiled, EagerNetwork(module(), CPU)):
            tracker = MultiTracker(network, settings)
            id = tracker.add(frames[0], (10.0, 10.0, 30.0, 20.0))
            runs.append([tracker.update(frame)[id].box_xywh for frame in frames[1:]])
    np.testing.assert_allclose(*runs, atol=1e-3)


def test_a_compiler_s_mistake_is_noticed_and_left_alone(caplog):
    def wrong(graph, _):
        return lambda *inputs: [output * 1.5 for output in graph(*inputs)]

    compiled = CompiledNetwork(module(), CPU, backend=wrong, warm_up_ensembles=0)
    for ours, theirs in zip(answers(compiled, 2, 2), answers(EagerNetwork(module(), CPU), 2, 2), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    said = [record.getMessage() for record in caplog.records if record.name == CompiledNetwork.__module__]
    assert len(said) == 3, "once for each verb"
    assert all("changed what the network computes by 0.5" in message for message in said)


def test_more_shapes_than_pytorch_compiles_run_without_it(monkeypatch, caplog):
    monkeypatch.setattr("aiatrack.runtimes.compiled._LARGEST_SHAPES", 1)
    torch._dynamo.config.recompile_limit = 1
    compiled = CompiledNetwork(module(), CPU, backend="eager", warm_up_ensembles=0)
    eager = EagerNetwork(module(), CPU)
    crops, padding, boxes = inputs(1)
    memory = eager.encode(crops, padding)  # one verb stands for all
    (one,) = eager.remember(memory, [0], boxes)
    for ensemble in (1, 2, 1, 2):
        references = ReferenceSet(one.long_term, [one.short_term] * ensemble, [2] * ensemble)
        located = (astuple(network.locate(memory, [references])) for network in (compiled, eager))
        for ours, theirs in zip(*located, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
    (said,) = [record.getMessage() for record in caplog.records if record.name == CompiledNetwork.__module__]
    assert "compiles no more shapes" in said


def test_kernels_are_kept_where_the_user_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    _keep_kernels_on_disk()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(user_cache() / "inductor")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "mine")
    _keep_kernels_on_disk()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "mine"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr("aiatrack.runtimes.compiled.user_cache", lambda: None)  # there is no home
    _keep_kernels_on_disk()
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


@pytest.mark.skipif(shutil.which("g++") is None, reason="kernels for a CPU need a C++ compiler")
def test_compiled_kernels_answer_as_eager_ones_do(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled, eager = CompiledNetwork(module(), CPU, warm_up_ensembles=0), EagerNetwork(module(), CPU)
    crops, padding, boxes = inputs(1)
    memory = eager.encode(crops, padding)  # the shortest verb stands for all: compiling takes long
    (ours,), (theirs,) = (network.remember(memory, [0], boxes) for network in (compiled, eager))
    np.testing.assert_allclose(ours.embedding, theirs.embedding, atol=1e-5)
    for part, other in zip(ours.short_term, theirs.short_term, strict=True):
        torch.testing.assert_close(part, other, atol=1e-5, rtol=1e-5)
    assert any((tmp_path / "aiatrack" / "inductor").iterdir()), "kept for the next start"
