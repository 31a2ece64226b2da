"""What each exact saving in the network brings, against the arithmetic as published; answers stay the same.

python benchmarks/exact_savings.py base lite nano --rounds 15

A frame is one search region encoded and located against one long-term and three short-term references. Each
row of the table has one saving more than the row above; rows are timed by turns, so that a busy machine slows
all alike. References are either one, drawn three times (as at the start of a run, and as long as nothing is
remembered), or three different ones. The last rows are the whole by OpenVINO, the runtime of CPUs; of these,
only float32 answers the same. PyTorch's threads must not spin while OpenVINO's work: OMP_WAIT_POLICY=PASSIVE.
"""

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aiatrack.config import load_preset
from aiatrack.model import (
    AiATrack,
    Location,
    Memory,
    ProjectedReferences,
    build_network,
    cell_padding,
    target_region,
)
from aiatrack.model.attention import CorrelationAttention, stack_references
from aiatrack.model.frozen_norm import FrozenBatchNorm2d
from aiatrack.runtimes import GraphNetwork, OpenVINOGraphs
from aiatrack.runtimes.choice import Precision
from aiatrack.runtimes.graph_network import GraphMemory
from aiatrack.runtimes.openvino import has_bf16
from aiatrack.runtimes.openvino_conversion import ConvertedGraphs
from aiatrack.tracking import ReferenceSet

COPIES = 3
"""Short-term references of the paper's ensemble."""

NORMS = {"conv1": "bn1", "conv2": "bn2", "conv3": "bn3", "0": "1"} | {
    "_conv_stem": "_bn0",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
}
"""Convolutions of both backbones and their norms."""

BY_OPENVINO = {
    Precision.FLOAT32: "all of it by OpenVINO, float32",
    Precision.BF16: "all of it by OpenVINO, bf16",
}


class Frame(NamedTuple):
    """What a frame's work is given."""

    crops: Tensor
    padding: Tensor
    memories: list[Memory]
    """Of the long-term reference and of the short-term ones."""
    boxes_xywh: Tensor


class Boxes(NamedTuple):
    """What is compared."""

    boxes_xywh: Tensor


Variant = Callable[[], Location | Boxes]


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+", help="presets; their weights are random here")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, {options.threads} threads, medians of {options.rounds} rounds, ms\n")
    print("| model | references | up to and with | ms | times faster |")
    print("|---|---|---|---:|---:|")
    for model in options.models:
        for distinct in (1, COPIES):
            report(model, distinct, options.rounds)


def report(model: str, distinct: int, rounds: int) -> None:
    """Time the variants of one model by turns and print their rows."""
    variants = build_variants(model, distinct)
    expected = next(iter(variants.values()))()
    for name, run in variants.items():
        error = (run().boxes_xywh - expected.boxes_xywh).abs().max().item()
        if error > 1e-4 and name != BY_OPENVINO[Precision.BF16]:
            raise SystemExit(f"{model}: boxes with {name!r} are off by {error}")
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    published = median(seconds["as published"])
    references = "one, thrice" if distinct == 1 else "three"
    for name, times in seconds.items():
        ms, ratio = median(times) * 1e3, published / median(times)
        print(f"| {model} | {references} | {name} | {ms:.1f} | {ratio:.2f} |")


def build_variants(model: str, distinct: int) -> dict[str, Variant]:
    """One saving after the other, each with all those before it."""
    settings = load_preset(model).network
    torch.manual_seed(0)
    network = settle_norms(build_network(settings).eval().requires_grad_(False))
    frame = build_frame(network, distinct)
    scale_maps = copy.deepcopy(network)
    apply_norms_to_maps(scale_maps)
    backbone, heads, attention = copy.deepcopy(network), copy.deepcopy(network), copy.deepcopy(network)
    opened = {precision: open_openvino(network, precision) for precision in usable_precisions()}
    for folded in (backbone, heads, attention):
        folded.backbone.fold()
    for folded in (heads, attention):
        folded.corner_head.fold()
        folded.iou_head.fold()
    for module in attention.modules():
        if isinstance(module, CorrelationAttention):
            module.fold()
    network.fold()
    variants = {
        "as published": project_every_frame(scale_maps, frame),
        "references projected once": project_once(scale_maps, frame),
        "equal references counted": count_references(scale_maps, frame, distinct),
        "the backbone's norms and paddings in its convolutions": count_references(backbone, frame, distinct),
        "the heads' norms in their layers": count_references(heads, frame, distinct),
        "inner residuals and scales in projections": count_references(attention, frame, distinct),
        "the pixels' scale in the first convolution": count_references(network, frame, distinct),
        "positions looked up": count_references(network, frame, distinct, look_up=True),
    }
    for precision, graphs in opened.items():
        variants[BY_OPENVINO[precision]] = run_graphs(graphs, frame, distinct)
    if distinct > 1:
        del variants["equal references counted"]
    return variants


def settle_norms(network: AiATrack) -> AiATrack:
    """Give batch norms statistics of their own, as training would."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d | nn.BatchNorm2d | nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network


def build_frame(network: AiATrack, distinct: int) -> Frame:
    """Random crops; the references of the ensemble are `distinct` different ones."""
    size = network.settings.crop_size
    generator = torch.Generator().manual_seed(2)
    crops = torch.randint(0, 256, (2 + COPIES, size, size, 3), dtype=torch.uint8, generator=generator)
    padding = torch.zeros(2 + COPIES, size, size, dtype=torch.bool)
    encoded = network.encode(crops, padding)
    memories = [Memory(*(part[row : row + 1] for part in encoded)) for row in range(1, 2 + COPIES)]
    if distinct == 1:
        memories[1:] = memories[1:2] * COPIES
    return Frame(crops[:1], padding[:1], memories, torch.tensor([[0.4, 0.4, 0.2, 0.2]]))


def apply_norms_to_maps(network: AiATrack) -> None:
    """Let the backbone's norms scale feature maps after the convolutions, as the published network does."""
    for owner in network.backbone.modules():
        for convolution_name, norm_name in NORMS.items():
            convolution, norm = getattr(owner, convolution_name, None), getattr(owner, norm_name, None)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, FrozenBatchNorm2d):
                convolution.register_forward_hook(lambda _, __, output, norm=norm: norm(output))
                setattr(owner, norm_name, nn.Identity())


def project_every_frame(network: AiATrack, frame: Frame) -> Variant:
    """Marks, keys and values of all references are computed at every frame, copies included."""

    def run() -> Location:
        return network.locate(network.encode(frame.crops, frame.padding), *project_all(network, frame))

    return run


def project_once(network: AiATrack, frame: Frame) -> Variant:
    """References are kept as keys and values; copies are copies still."""
    long_term, short_term = project_all(network, frame)
    return lambda: network.locate(network.encode(frame.crops, frame.padding), long_term, short_term)


def count_references(network: AiATrack, frame: Frame, distinct: int, *, look_up: bool = False) -> Variant:
    """Equal references are there once, with a count; positions are perhaps known already."""
    long_term, short_term = project_all(network, frame)
    ensemble = [stack_references(short_term[:distinct])]
    counts = torch.full((1, 1), float(COPIES)) if distinct == 1 else None
    known = network.place(cell_padding(frame.padding, network.settings.grid_size))

    def run() -> Location:
        if look_up:
            search = network.encode_placed(frame.crops, known)
        else:
            search = network.encode(frame.crops, frame.padding)
        return network.locate(search, long_term, ensemble, counts)

    return run


def usable_precisions() -> list[Precision]:
    """Of OpenVINO on this processor."""
    return [Precision.FLOAT32, Precision.BF16] if has_bf16() else [Precision.FLOAT32]


def open_openvino(network: AiATrack, precision: Precision) -> GraphNetwork:
    """Convert a network; without a cache, its file only gives it a name."""
    source = ConvertedGraphs(Path(), network.settings, lambda: copy.deepcopy(network), None)
    return GraphNetwork(OpenVINOGraphs(source, network.settings, precision), network.settings)


def run_graphs(graphs: GraphNetwork, frame: Frame, distinct: int) -> Variant:
    """The work of a frame by OpenVINO: references are kept, and counted."""
    crops, padding, boxes = (part.numpy() for part in (frame.crops, frame.padding, frame.boxes_xywh))
    first, *recent = [
        graphs.remember(GraphMemory(*(part.numpy() for part in memory)), [0], boxes)[0]
        for memory in frame.memories[: 1 + distinct]
    ]
    counts = [COPIES // distinct] * distinct
    references = [ReferenceSet(first.long_term, [one.short_term for one in recent], counts)]

    def run() -> Boxes:
        return Boxes(torch.from_numpy(graphs.locate(graphs.encode(crops, padding), references).boxes_xywh))

    return run


def project_all(network: AiATrack, frame: Frame) -> tuple[ProjectedReferences, list[ProjectedReferences]]:
    """Keys and values: of the long-term reference for its branch, of the short-term ones for theirs."""
    first, *others = frame.memories
    decoder = network.decoder
    long_term = project(network, decoder.long_term_attention, first, frame.boxes_xywh)
    short_term = [project(network, decoder.short_term_attention, other, frame.boxes_xywh) for other in others]
    return long_term, short_term


def project(
    network: AiATrack, attention: CorrelationAttention, memory: Memory, boxes_xywh: Tensor
) -> ProjectedReferences:
    """Mark the target in a reference and make its keys and values for one branch of the decoder."""
    inside = target_region(boxes_xywh, network.settings.grid_size)[..., None]
    marked = network._mark(memory.tokens, inside)
    return attention.project(memory.tokens, marked, memory.inner_positions)


if __name__ == "__main__":
    main()
