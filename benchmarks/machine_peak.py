"""What this machine can do at most, and what follows for a frame of each preset.

    python benchmarks/machine_peak.py

Arithmetic: large matrix products by PyTorch (float32, bfloat16) and, where it is installed, OpenVINO's int8
through a convolution. Memory: a copy far larger than the caches. The floor of a preset is its multiply-adds
over the arithmetic's peak, or its bytes over the memory's, whichever takes longer; no program goes below it.
Each is the best of many short runs, some of which a busy machine leaves undisturbed.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from aiatrack.config import load_preset
from aiatrack.model import AiATrack, build_network, measure_complexity

SIDE = 768
COPIED_BYTES = 128 * 2**20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--presets", nargs="+", default=["base", "lite", "nano"])
    parser.add_argument("--repeat", type=int, default=200)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads")
    peaks = {"float32": multiply_adds_per_s(torch.float32, options.repeat)}
    if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        peaks["bfloat16"] = multiply_adds_per_s(torch.bfloat16, options.repeat)
    int8 = int8_multiply_adds_per_s(options.repeat)
    peaks |= {} if int8 is None else {"int8": int8}
    bandwidth = bytes_per_s(options.repeat)
    for name, peak in peaks.items():
        print(f"{name}: {peak / 1e9:.0f} GMAC/s")
    print(f"memory: {bandwidth / 1e9:.1f} GB/s, read and write counted")
    for preset in options.presets:
        settings = load_preset(preset)
        network = build_network(settings.network).eval()
        macs = measure_complexity(network, settings.tracking.ensemble_size).frame_macs
        single = measure_complexity(network, 1).frame_macs
        weights = sum(parameter.numel() for parameter in network.parameters()) * 4
        moved = bytes_of_activations(network)
        floors = ", ".join(f"{name} {1000 * macs / peak:.2f} ms" for name, peak in peaks.items())
        print(
            f"{preset}: {macs / 1e9:.3f} GMAC a frame with a full ensemble ({single / 1e9:.3f} with one "
            f"reference), weights {weights / 1e6:.1f} MB, encode moves {moved / 1e6:.0f} MB of activations; "
            f"floor by arithmetic: {floors}; by memory: {1000 * (weights + moved) / bandwidth:.2f} ms"
        )


def multiply_adds_per_s(dtype: torch.dtype, repeat: int) -> float:
    """The best of some large matrix products."""
    left, right = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
    return SIDE**3 / best_seconds(lambda: left @ right, repeat)


def int8_multiply_adds_per_s(repeat: int) -> float | None:
    """The best of some large quantised 1 x 1 convolutions by OpenVINO; None where it is not installed."""
    try:
        import openvino as ov
        from openvino import opset13 as ops
    except ImportError:
        return None
    size, channels = 32, 768
    picture = ops.parameter((1, channels, size, size), np.float32)
    kernel = np.random.default_rng(0).integers(-127, 128, (channels, channels, 1, 1), dtype=np.int8)
    levels = [ops.constant(np.float32(value)) for value in (0, 255, 0, 255)]
    quantised = ops.fake_quantize(picture, *levels, 256)
    weights = ops.multiply(ops.convert(ops.constant(kernel), np.float32), ops.constant(np.float32(1 / 127)))
    product = ops.convolution(quantised, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    # The next layer's rounding lets the result leave as int8 too.
    model = ov.Model([ops.reduce_max(ops.fake_quantize(product, *levels, 256), [1, 2, 3])], [picture])
    compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(np.full((1, channels, size, size), 100, np.float32)))
    return channels**2 * size**2 / best_seconds(request.infer, repeat)


def bytes_per_s(repeat: int) -> float:
    """The best of some copies."""
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * COPIED_BYTES / best_seconds(lambda: target.copy_(source), repeat)


def bytes_of_activations(network: AiATrack) -> int:
    """Bytes in and out of the layers with weights, as a crop is encoded, were nothing fused or cached."""
    moved = 0

    def count(_module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal moved
        moved += sum(tensor.nbytes for tensor in (*inputs, output) if isinstance(tensor, torch.Tensor))

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    size = network.settings.crop_size
    with torch.inference_mode():
        network.encode(
            torch.zeros(1, size, size, 3, dtype=torch.uint8), torch.zeros(1, size, size, dtype=torch.bool)
        )
    for hook in hooks:
        hook.remove()
    return moved


def best_seconds(work: Callable[[], object], repeat: int) -> float:
    """The shortest of some runs, after one that does not count: what the machine can do, not what it does."""
    work()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
