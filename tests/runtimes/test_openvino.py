"""The OpenVINO runtime: the eager one's numbers, whatever the batch; graphs converted once and cached."""

import logging
import os
import signal
import subprocess
import sys
from dataclasses import astuple, fields

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack import api
from aiatrack.config import Backbone, Combination, Marking, RefinedAttention, Refinement, TrackingSettings
from aiatrack.errors import SettingsError, TrackingError
from aiatrack.model import AiATrack, build_network, load_network
from aiatrack.runtimes import EagerNetwork
from aiatrack.runtimes.choice import Precision
from aiatrack.tracking import ReferenceSet, Tracker

pytest.importorskip("openvino")

from aiatrack.runtimes import GraphNetwork, OpenVINOGraphs
from aiatrack.runtimes.openvino import has_bf16, process_core
from aiatrack.runtimes.openvino_conversion import ConvertedGraphs
from aiatrack.runtimes.openvino_split import fine_convolutions, split_fine_layers

TOLERANCE = 1e-4
LOGIT_TOLERANCE = 1e-3
"""Random weights as large as these amplify rounding."""

IN_PIECES_AND_ONE_BY_ONE = [1 + row % 3 for row in range(4 * (os.cpu_count() or 1) + 3)]
"""Ensembles of a batch of which pieces go side by side on all cores, and some targets are left over."""


def open_openvino(network, weights, cache=None, precision=Precision.FLOAT32):
    settings = network.settings
    source = ConvertedGraphs(weights, settings, lambda: network, cache)
    return GraphNetwork(OpenVINOGraphs(source, settings, precision), settings)


@pytest.fixture(scope="module")
def eager(tiny_weights):
    return EagerNetwork(load_network(tiny_weights)[1], torch.device("cpu"))


@pytest.fixture(scope="module")
def openvino(tiny_weights):
    return open_openvino(load_network(tiny_weights)[1], tiny_weights)


def inputs(batch: int):
    rng = np.random.default_rng(1)
    crops = rng.integers(0, 256, (batch, 64, 64, 3), dtype=np.uint8)
    padding = np.zeros((batch, 64, 64), bool)
    padding[:, :20] = True
    return crops, padding, rng.uniform(0.1, 0.5, (batch, 4)).astype(np.float32)


def locate_batch(network, batch: int, ensembles: list[int]):
    """Targets with ensembles of different sizes and counts, each with references of its own."""
    crops, padding, boxes = inputs(batch)
    memory = network.encode(crops, padding)
    references = network.remember(memory, range(batch), boxes)
    older = network.remember(network.encode(crops[:, ::-1].copy(), padding), range(batch), boxes)
    sets = [
        ReferenceSet(new.long_term, [old.short_term, new.short_term, old.short_term][:size], [2, 1, 3][:size])
        for new, old, size in zip(references, older, ensembles, strict=True)
    ]
    return references, network.locate(memory, sets)


def assert_equal(located, expected):
    for field in fields(located):
        ours, theirs = getattr(located, field.name), getattr(expected, field.name)
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        tolerance = LOGIT_TOLERANCE if field.name == "corner_scores" else TOLERANCE
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)


@pytest.mark.parametrize("ensembles", [[1], [3], [1, 3, 2], [0, 0], [0], IN_PIECES_AND_ONE_BY_ONE])
def test_equal_to_eager(eager, openvino, ensembles):
    ours, located = locate_batch(openvino, len(ensembles), ensembles)
    theirs, expected = locate_batch(eager, len(ensembles), ensembles)
    assert_equal(located, expected)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.embedding, other.embedding, atol=TOLERANCE)


def test_what_was_returned_stays_as_it_was(openvino):
    crops, padding, boxes = inputs(1)
    memory = openvino.encode(crops, padding)
    (reference,) = openvino.remember(memory, [0], boxes)
    target = ReferenceSet(reference.long_term, [reference.short_term], [1])
    located = openvino.locate(memory, [target])
    kept = [array.copy() for array in (*memory, *reference.long_term, *astuple(located))]
    other = openvino.encode(255 - crops, padding)
    openvino.locate(other, openvino_sets(openvino, other))
    for before, now in zip(kept, (*memory, *reference.long_term, *astuple(located)), strict=True):
        np.testing.assert_array_equal(before, now)
    np.testing.assert_array_equal(openvino.locate(memory, [target]).scores, located.scores)


def openvino_sets(network, memory):
    (reference,) = network.remember(memory, [0], np.array([[0.2, 0.2, 0.5, 0.5]], np.float32))
    return [ReferenceSet(reference.long_term, [reference.short_term], [1])]


@pytest.mark.parametrize(
    "changes",
    [
        {"combination": Combination.LONG_ONLY},
        {"combination": Combination.MERGED},
        {"marking": Marking.MASK},
        {"marking": Marking.NONE, "refinement": Refinement.NONE},
        {"refinement": Refinement.CONVOLUTION},
        {"refinement": Refinement.CASCADE},
        {"refinement": Refinement.AIA_WITHOUT_POSITIONS, "refined_attention": RefinedAttention.ENCODER},
    ],
    ids=str,
)
def test_every_ablation_converts(changes, tiny_weights):
    settings = TINY_NETWORK.replace(**changes)
    torch.manual_seed(0)
    state = build_network(settings).state_dict()

    def fresh() -> AiATrack:
        network = build_network(settings)
        network.load_state_dict(state)
        return network.eval()

    # Without a cache the file only names the network.
    ours = open_openvino(fresh(), tiny_weights)
    theirs = EagerNetwork(fresh(), torch.device("cpu"))
    _, located = locate_batch(ours, 2, [1, 2])
    _, expected = locate_batch(theirs, 2, [1, 2])
    assert_equal(located, expected)


@pytest.mark.parametrize("ensemble_size", [0, 1, 3])
def test_a_tracker_runs_on_it(openvino, eager, ensemble_size):
    frames = np.random.default_rng(2).integers(0, 256, (5, 60, 80, 3), dtype=np.uint8)
    frames.flags.writeable = False  # as some sources deliver them
    settings = TrackingSettings(ensemble_size=ensemble_size, min_score_to_remember=-1, memory_capacity=3)
    runs = []
    for network in (openvino, openvino, eager):
        tracker = Tracker(network, settings)
        tracker.start(frames[0], (20, 20, 15, 12))
        runs.append([tracker.update(frame) for frame in frames[1:]])
    assert runs[0] == runs[1], "equal input, equal output"
    for ours, theirs in zip(runs[0], runs[2], strict=True):
        np.testing.assert_allclose(ours.box_xywh, theirs.box_xywh, atol=0.01)


@pytest.mark.skipif(not has_bf16(), reason="the processor has no bf16")
def test_bf16_is_close():
    weights = api.find_weights("nano")
    network = load_network(weights)[1]
    crop = np.full((1, 192, 192, 3), (60, 120, 90), np.uint8)
    crop[0, 70:120, 80:130] = (220, 60, 40)
    box = np.array([[80, 70, 50, 50]], np.float32) / 192
    found = []
    for precision in (Precision.FLOAT32, Precision.BF16):
        opened = open_openvino(network, weights, precision=precision)
        memory = opened.encode(crop, np.zeros((1, 192, 192), bool))
        (reference,) = opened.remember(memory, [0], box)
        found.append(opened.locate(memory, [ReferenceSet(reference.long_term, [reference.short_term], [3])]))
    exact, half = found
    np.testing.assert_allclose(exact.boxes_xywh, box, atol=0.04)
    np.testing.assert_allclose(half.boxes_xywh, exact.boxes_xywh, atol=0.01)
    assert not np.array_equal(half.boxes_xywh, exact.boxes_xywh)


@pytest.mark.parametrize(
    ("backbone", "narrowest"), [(Backbone.EFFICIENTNET_LITE0, 24), (Backbone.RESNET50, 256)]
)
def test_fine_layers_split_off_compute_the_same(backbone, narrowest, tiny_weights):
    settings = TINY_NETWORK.replace(backbone=backbone)
    torch.manual_seed(0)
    source = ConvertedGraphs(tiny_weights, settings, build_network(settings).eval, None)
    core = process_core()
    whole = source.read(core, "encode")
    crops, padding, _ = inputs(1)
    whole.reshape({"crops": crops.shape, "padding": padding.shape})
    fine, coarse = split_fine_layers(whole, settings)
    assert tuple(fine.output(0).shape) == (1, narrowest, 16, 16), "a quarter of the crop's side"
    convolutions = [
        sum(op.get_type_name() == "Convolution" for op in part.get_ops()) for part in (fine, coarse)
    ]
    assert min(convolutions) > 3
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    run = [core.compile_model(part, "CPU", options) for part in (whole, fine, coarse)]
    expected = run[0]({"crops": crops, "padding": padding})
    between = run[1]({"crops": crops, "padding": padding})
    found = run[2](between.to_tuple()[: len(coarse.inputs)])
    np.testing.assert_allclose(found["tokens"], expected["tokens"], atol=TOLERANCE)
    np.testing.assert_array_equal(between["inner_positions"], expected["inner_positions"])


PRECISIONS = [
    Precision.FLOAT32,
    pytest.param(
        Precision.BF16, marks=pytest.mark.skipif(not has_bf16(), reason="the processor has no bf16")
    ),
]


def test_fine_convolutions_are_known_whatever_the_batch(tiny_weights):
    network = load_network(tiny_weights)[1]
    whole = ConvertedGraphs(tiny_weights, network.settings, lambda: network, None).read(
        process_core(), "encode"
    )
    assert whole.input("crops").partial_shape[0].is_dynamic
    names = fine_convolutions(whole, network.settings)
    convolutions = [op for op in whole.get_ops() if "Convolution" in op.get_type_name()]
    fine = [op for op in convolutions if op.get_friendly_name() in names]
    assert len(fine) == len(names) > 3
    sides = [op.get_output_partial_shape(0)[3].get_length() for op in fine]
    assert min(sides) == network.settings.crop_size // 4, "stride 4 and finer"
    coarser = [op.get_output_partial_shape(0)[3].get_length() for op in convolutions if op not in fine]
    assert min(coarser) == network.settings.crop_size // 16
    assert whole.input("crops").partial_shape[0].is_dynamic, "left as it was"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_where_others_leave_the_frame_is_nothing_to_a_target(precision, tiny_weights):
    network = open_openvino(load_network(tiny_weights)[1], tiny_weights, precision=precision)
    crops, padding, _ = inputs(2)
    padding[0] = False
    together = network.encode(crops, padding)
    alone = network.encode(crops[:1], padding[:1])
    for ours, theirs in zip(alone, together, strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)
    assert np.abs(together.inner_positions[0] - together.inner_positions[1]).max() > 0.1


def test_graphs_are_converted_once(tiny_weights, tmp_path, openvino):
    first = open_openvino(load_network(tiny_weights)[1], tiny_weights, tmp_path)
    _, converted = locate_batch(first, 1, [2])
    settings = TINY_NETWORK
    source = ConvertedGraphs(tiny_weights, settings, _not_to_be_called, tmp_path)
    second = GraphNetwork(OpenVINOGraphs(source, settings, Precision.FLOAT32), settings)
    _, cached = locate_batch(second, 1, [2])
    _, without_cache = locate_batch(openvino, 1, [2])
    for name in (field.name for field in fields(cached)):
        for other in (converted, without_cache):
            np.testing.assert_array_equal(getattr(other, name), getattr(cached, name), "to the last bit")
    assert not [path for path in tmp_path.rglob("*") if "unfinished" in path.name]


def _not_to_be_called() -> AiATrack:
    raise AssertionError("the cache has every graph")


def test_a_cache_that_is_damaged_or_cannot_be_written_is_done_without(tiny_weights, tmp_path, caplog):
    caplog.set_level(logging.DEBUG, logger="aiatrack")
    open_openvino(load_network(tiny_weights)[1], tiny_weights, tmp_path).encode(*inputs(1)[:2])
    (graph,) = tmp_path.rglob("encode.xml")
    graph.write_text("not a graph")
    again = open_openvino(load_network(tiny_weights)[1], tiny_weights, tmp_path)
    assert again.encode(*inputs(1)[:2]).tokens.shape == (1, 16, 16)
    assert "cannot be read" in caplog.text
    blocked = tmp_path / "file"
    blocked.write_text("")
    blocked_network = open_openvino(load_network(tiny_weights)[1], tiny_weights, blocked)
    assert blocked_network.encode(*inputs(1)[:2]).tokens.shape == (1, 16, 16)


@pytest.mark.parametrize("cache", ["n" * 300, "~nobody-of-this-name"])
def test_a_cache_that_cannot_be_reached_is_done_without(tiny_weights, monkeypatch, cache):
    monkeypatch.setenv("AIATRACK_CACHE", cache)
    _, network = api.open_network(tiny_weights, "cpu", runtime="openvino")
    assert network.encode(*inputs(1)[:2]).tokens.shape == (1, 16, 16)


def test_other_weights_get_other_graphs(tiny_weights, tmp_path):
    changed = tmp_path / "changed.safetensors"
    changed.write_bytes(tiny_weights.read_bytes() + b"\0")
    cache = tmp_path / "cache"
    for weights in (tiny_weights, changed):
        open_openvino(load_network(tiny_weights)[1], weights, cache).encode(*inputs(1)[:2])
    assert len(list(cache.iterdir())) == 2


def test_auto_takes_openvino_on_a_cpu(tiny_weights):
    assert isinstance(api.open_network(tiny_weights, "cpu")[1], GraphNetwork)
    assert isinstance(api.open_network(tiny_weights, "cpu", runtime="eager")[1], EagerNetwork)


@pytest.mark.parametrize("native", [True, False])
def test_auto_is_bf16_where_it_is_native(native, monkeypatch):
    monkeypatch.setattr("aiatrack.runtimes.openvino.has_bf16", lambda: native)
    assert api.decide_runtime("cpu").precision is (Precision.BF16 if native else Precision.FLOAT32)
    assert api.decide_runtime("cpu", runtime="eager").precision is Precision.FLOAT32
    assert api.decide_runtime("cpu", precision="float32").precision is Precision.FLOAT32


@pytest.mark.parametrize("load", [api.load_tracker, api.load_multi_tracker])
def test_benchmarks_are_run_in_float32(load, tiny_weights, monkeypatch):
    asked = []
    opened = api.open_network

    def remember_precision(*arguments, precision, **others):
        asked.append(precision)
        return opened(*arguments, precision=precision, **others)

    monkeypatch.setattr("aiatrack.api.tracking.open_network", remember_precision)
    load(tiny_weights, "cpu")
    load(tiny_weights, "cpu", benchmark="lasot")
    load(tiny_weights, "cpu", benchmark="lasot", runtime="eager", precision="auto")
    assert asked == ["auto", "float32", "float32"]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"runtime": "tensorrt"}, "unknown runtime 'tensorrt'"),
        ({"precision": "int4"}, "unknown precision 'int4'"),
        ({"runtime": "onnx"}, "aiatrack export MODEL --format onnx"),
        ({"runtime": "openvino", "precision": "int8"}, "--precision int8"),
    ],
)
def test_choices_that_cannot_be(choice, words, tiny_weights):
    with pytest.raises(SettingsError, match=words):
        api.open_network(tiny_weights, "cpu", **choice)


def test_openvino_reports_nothing_to_its_makers():
    script = (
        "import aiatrack.runtimes.openvino\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "print(telemetry_utils.tm.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub"]


@pytest.mark.parametrize("model", ["lite", "nano"])
def test_shipped_weights_are_known_again_in_other_runtimes_and_precisions(model):
    precisions = ["float32", "bf16"] if has_bf16() else ["float32"]
    choices = [("eager", precision) for precision in ("float32", "bf16")]
    choices += [("openvino", precision) for precision in precisions]
    frames = np.random.default_rng(2).integers(0, 256, (2, 90, 120, 3), dtype=np.uint8)
    trackers = [
        api.load_tracker(model, "cpu", runtime=runtime, precision=precision) for runtime, precision in choices
    ]
    for tracker in trackers:
        tracker.start(frames[0], (30, 30, 30, 20))
        state = tracker.state()
        for other in trackers:
            other.resume(state).update(frames[1])
    other_weights = api.load_tracker({"lite": "nano", "nano": "lite"}[model], "cpu")
    with pytest.raises(TrackingError, match="other weights"):
        other_weights.resume(state)


@pytest.mark.parametrize("first", ["eager", "openvino"])
def test_a_state_saved_in_one_runtime_goes_on_in_the_other(eager, openvino, first):
    before, after = (eager, openvino) if first == "eager" else (openvino, eager)
    frames = np.random.default_rng(2).integers(0, 256, (6, 90, 120, 3), dtype=np.uint8)
    settings = TrackingSettings(min_score_to_remember=-1)
    whole = Tracker(before, settings)
    whole.start(frames[0], (30, 30, 30, 20))
    for frame in frames[1:4]:
        whole.update(frame)
    resumed = Tracker(after, settings).resume(whole.state())
    for frame in frames[4:]:
        expected = whole.update(frame)
        np.testing.assert_allclose(resumed.update(frame).box_xywh, expected.box_xywh, atol=0.1)


_SIGNAL_AFTER_OVERLAPPING_NETWORKS = """
import faulthandler, os, signal
from aiatrack.config import load_preset
from aiatrack.runtimes import OpenVINOGraphs
from aiatrack.runtimes.choice import Precision

faulthandler.enable()  # gives this thread a signal stack, as pytest and Ray do
seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
settings = load_preset("nano").network
opened = [OpenVINOGraphs(None, settings, Precision.FLOAT32) for _ in range(3)]
while opened:
    opened.pop(0)
os.kill(os.getpid(), signal.SIGUSR1)
assert seen
"""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signals on this system")
def test_signals_arrive_after_networks_that_overlapped():
    """Several cores, freed in the order they came in, left the thread a signal stack in freed memory."""
    subprocess.run([sys.executable, "-c", _SIGNAL_AFTER_OVERLAPPING_NETWORKS], check=True)
