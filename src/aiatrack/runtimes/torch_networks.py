"""Puts a module behind the three verbs: eager or compiled, cropping on the GPU where there is one."""

import torch

from aiatrack.model import AiATrack
from aiatrack.runtimes.choice import Precision, Runtime, RuntimeChoice
from aiatrack.runtimes.eager import EagerNetwork
from aiatrack.runtimes.gpu_crop import GpuCroppingNetwork
from aiatrack.tracking import Network


def run_module(network: AiATrack, device: torch.device, choice: RuntimeChoice) -> Network:
    """Run a module on a device as was chosen.

    Args:
        network: with its weights loaded; taken over.
        device: where to run it.
        choice: one of PyTorch's runtimes, in float32 or bf16.
    """
    bf16 = choice.precision is Precision.BF16
    if choice.runtime is Runtime.COMPILED:
        # PyTorch's compiler takes a second to import.
        from aiatrack.runtimes.compiled import CompiledNetwork

        runner: EagerNetwork = CompiledNetwork(network, device, bf16=bf16)
    else:
        runner = EagerNetwork(network, device, bf16=bf16)
    return GpuCroppingNetwork(runner, device) if device.type == "cuda" else runner
