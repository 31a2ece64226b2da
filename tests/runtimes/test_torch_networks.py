"""Which class runs a module: what was chosen, never silently another."""

import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork, compiled
from aiatrack.runtimes.choice import Precision, Runtime, RuntimeChoice
from aiatrack.runtimes.torch_networks import run_module


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.BF16])
@pytest.mark.parametrize("runtime", [Runtime.EAGER, Runtime.COMPILED])
def test_a_module_is_run_as_was_chosen(runtime, precision, monkeypatch):
    monkeypatch.setattr(compiled.CompiledNetwork, "_warm_up", lambda self, ensembles: None)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "unused")
    choice = RuntimeChoice(runtime, precision)
    with torch._dynamo.config.patch(recompile_limit=8):  # put back what the compiled runtime sets
        network = run_module(build_network(TINY_NETWORK), torch.device("cpu"), choice)
    assert isinstance(network, EagerNetwork)
    assert isinstance(network, compiled.CompiledNetwork) is (runtime is Runtime.COMPILED)
    kept = network._network.bottleneck.weight.dtype
    assert kept == (torch.bfloat16 if precision is Precision.BF16 else torch.float32)
