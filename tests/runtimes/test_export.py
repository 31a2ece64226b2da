"""Exported folders: what is in them, who can run them, and what is refused."""

import json
import logging
import pickle
import shutil
import sys
from hashlib import sha256
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from tiny_network import TINY_NETWORK
from typer.testing import CliRunner

import aiatrack
from aiatrack import api
from aiatrack.api.attention import load_watched_tracker
from aiatrack.api.export import export
from aiatrack.cli.main import app
from aiatrack.config import ModelSettings
from aiatrack.errors import OutputError, SettingsError, TrackingError, WeightsError
from aiatrack.model import build_network, load_network, save_weights
from aiatrack.runtimes.choice import Precision
from aiatrack.runtimes.export import (
    _TOLERANCES,
    _exporters_quiet,
    check_differences,
    compare,
    random_inputs,
)
from aiatrack.runtimes.exported import read_export
from aiatrack.runtimes.torch_graphs import network_graphs

REPOSITORY = Path(__file__).resolve().parents[2]
BOX = (20, 20, 16, 12)


@pytest.fixture(scope="module")
def openvino_folder(tiny_weights, tmp_path_factory) -> Path:
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("exports") / "openvino"
    differences = export(tiny_weights, folder, format="openvino")
    assert set(differences) >= {"encode.tokens", "remember.long_keys", "locate.located_xywh"}
    assert max(differences.values()) < 1e-3
    return folder


@pytest.fixture(scope="module")
def onnx_folder(tiny_weights, tmp_path_factory) -> Path:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("exports") / "onnx"
    assert max(export(tiny_weights, folder, format="onnx").values()) < 1e-3
    return folder


@pytest.fixture(scope="module")
def torch_folder(tiny_weights, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "torch"
    export(tiny_weights, folder, format="torch")
    return folder


def frames(count: int = 5) -> np.ndarray:
    """A square that moves over noise, to the left edge."""
    film = np.random.default_rng(0).integers(0, 90, (count, 60, 80, 3), dtype=np.uint8)
    for index, frame in enumerate(film):
        frame[20:32, 20 - 4 * index : 36 - 4 * index] = (230, 180, 40)
    return film


def boxes_and_scores(tracker, film):
    tracker.start(film[0], BOX)
    return np.array([[*result.box_xywh, result.score] for result in map(tracker.update, film[1:])])


def eager_boxes(tiny_weights, film, **tracking):
    return boxes_and_scores(aiatrack.load_tracker(tiny_weights, "cpu", runtime="eager", **tracking), film)


def test_a_folder_is_a_model(openvino_folder, tiny_weights):
    tracker = aiatrack.load_tracker(openvino_folder, "cpu", min_score_to_remember=-1)
    expected = eager_boxes(tiny_weights, frames(), min_score_to_remember=-1)
    np.testing.assert_allclose(boxes_and_scores(tracker, frames()), expected, atol=0.01)


def test_onnx_runtime_says_the_same_for_any_batch(onnx_folder, tiny_weights):
    settings, network = load_network(tiny_weights)
    exported = read_export(onnx_folder)
    assert exported.settings == settings
    from aiatrack.runtimes.onnx import ONNXGraphs

    inputs = random_inputs(exported)
    assert {len(one["tokens"]) for one in inputs["locate"]} == {1, 2}
    assert max(compare(network_graphs(network), ONNXGraphs(exported), inputs).values()) < 1e-3


def test_the_example_runs_alone_and_finds_the_same(onnx_folder, tiny_weights):
    script = REPOSITORY / "examples" / "track_with_onnxruntime.py"
    source = script.read_text()
    assert len(source.splitlines()) <= 100
    assert "import torch" not in source and "import aiatrack" not in source
    spec = util.spec_from_file_location(script.stem, script)
    assert spec is not None and spec.loader is not None
    example = util.module_from_spec(spec)
    spec.loader.exec_module(example)
    # The paper's tracking, but every frame is remembered, so that the ensemble is of several.
    tracker = example.Tracker(onnx_folder)
    tracker.settings["min_score_to_remember"] = -1
    film = frames(7)
    tracker.start(film[0], BOX)
    found = np.array([[*box, score] for box, score in map(tracker.update, film[1:])])
    expected = eager_boxes(tiny_weights, film, min_score_to_remember=-1, presence="off")
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_metadata_says_how_to_run_it(openvino_folder):
    described = json.loads((openvino_folder / "metadata.json").read_text())
    assert list(described["graphs"]) == ["encode", "remember", "locate"]
    assert described["graphs"]["encode"]["inputs"][0] == {
        "name": "crops",
        "shape": ["batch", 64, 64, 3],
        "dtype": "uint8",
    }
    for graph in described["graphs"].values():
        assert (openvino_folder / graph["file"]).is_file()
    assert described["crop"]["size_px"] == 64
    assert described["opset"] == 18 and len(described["weights_sha256"]) == 64
    assert "torch" in described["versions"] and described["largest_differences"]


def test_torch_programs_run_again(torch_folder, tiny_weights):
    tracker = aiatrack.load_tracker(torch_folder)
    np.testing.assert_allclose(
        boxes_and_scores(tracker, frames()), eager_boxes(tiny_weights, frames()), atol=0.01
    )


def test_int8_is_calibrated_and_checked(tiny_weights, tmp_path, monkeypatch):
    pytest.importorskip("nncf")
    pytest.importorskip("openvino")
    import cv2

    (tmp_path / "film").mkdir()
    for index, frame in enumerate(frames(14)):
        cv2.imwrite(str(tmp_path / "film" / f"{index:03d}.png"), frame[..., ::-1])
    calibrate = [(tmp_path / "film", BOX)]
    monkeypatch.setitem(_TOLERANCES, Precision.INT8, 10.0)  # random weights quantise badly
    differences = export(
        tiny_weights, tmp_path / "int8", format="openvino", precision="int8", calibrate=calibrate
    )
    assert 0.001 < differences["encode.tokens"] < 2
    for name in ("encode", "remember", "locate"):
        assert "FakeQuantize" in (tmp_path / "int8" / f"{name}.xml").read_text()
    assert len(boxes_and_scores(aiatrack.load_tracker(tmp_path / "int8", "cpu"), frames(4))) == 3
    monkeypatch.setitem(_TOLERANCES, Precision.INT8, 0.001)
    with pytest.raises(OutputError, match="where int8 explains"):
        export(tiny_weights, tmp_path / "not", format="openvino", precision="int8", calibrate=calibrate)
    assert not (tmp_path / "not").exists()


class NoNumbers:
    """Graphs whose outputs are not numbers."""

    def run(self, name, inputs):
        found = network_graphs(build_network(TINY_NETWORK)).run(name, inputs)
        return {output: np.full_like(array, np.nan) for output, array in found.items()}


def test_graphs_that_say_something_else_are_refused(tiny_weights, openvino_folder):
    network = load_network(tiny_weights)[1]
    other = build_network(network.settings).eval()
    inputs = random_inputs(read_export(openvino_folder))
    differences = compare(network_graphs(network), network_graphs(other), inputs)
    with pytest.raises(OutputError, match="differs from PyTorch's by"):
        check_differences(differences, Precision.FLOAT32)
    with pytest.raises(OutputError, match="differs from PyTorch's by inf"):
        check_differences(compare(network_graphs(network), NoNumbers(), inputs), Precision.INT8)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"format": "tflite"}, SettingsError, "choose onnx, openvino, torch"),
        ({"format": "onnx", "precision": "int8"}, SettingsError, "or format openvino"),
        ({"precision": "int4"}, SettingsError, "unknown precision 'int4'"),
        ({"calibrate": [("a.mp4", BOX)]}, SettingsError, "only int8 is calibrated"),
        ({"model": "huge"}, SettingsError, "choose one of"),
    ],
)
def test_export_refuses(arguments, error, words, tiny_weights, tmp_path):
    with pytest.raises(error, match=words):
        export(**{"model": tiny_weights, "folder": tmp_path / "out", **arguments})
    assert not list(tmp_path.iterdir())


def test_existing_folders_are_left_alone(tiny_weights, openvino_folder, tmp_path):
    (tmp_path / "precious").write_text("photos")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="is no exported model"):
            export(tiny_weights, tmp_path, format="torch", overwrite=overwrite)
    with pytest.raises(OutputError, match="--overwrite"):
        export(tiny_weights, openvino_folder, format="torch")
    with pytest.raises(OutputError, match="cannot write"):
        export(tiny_weights, tmp_path / "precious" / "out", format="torch")
    assert (tmp_path / "precious").read_text() == "photos"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"runtime": "onnx"}, "is for runtime openvino"),
        ({"precision": "int8"}, "is of precision float32"),
    ],
)
def test_a_folder_is_run_as_it_was_written(choice, words, openvino_folder):
    with pytest.raises(SettingsError, match=words):
        api.open_network(openvino_folder, "cpu", **choice)


def test_a_damaged_folder_is_named(openvino_folder, tmp_path):
    (tmp_path / "metadata.json").write_text('{"format": "other"}')
    with pytest.raises(WeightsError, match="export the model again"):
        api.open_network(tmp_path, "cpu")
    (tmp_path / "metadata.json").write_text((openvino_folder / "metadata.json").read_text())
    with pytest.raises(WeightsError, match=r"encode\.xml is missing"):
        api.open_network(tmp_path, "cpu")


FILES = [
    ("onnx", "locate.onnx"),
    ("openvino", "locate.xml"),
    ("openvino", "locate.bin"),
    ("torch", "locate.pt2"),
]


@pytest.fixture
def copied(request, tmp_path):
    """Copies an exported folder of a format, to be damaged."""

    def copied_folder(format: str) -> Path:
        return Path(shutil.copytree(request.getfixturevalue(f"{format}_folder"), tmp_path / "copied"))

    return copied_folder


@pytest.mark.parametrize(("format", "name"), FILES)
def test_a_folder_that_can_never_track_is_refused_when_it_is_opened(format, name, copied):
    path = copied(format) / name
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"no graph", b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=rf"{name} is damaged, or of another export: export the model"):
            aiatrack.load_tracker(path.parent, "cpu")
    path.unlink()
    with pytest.raises(WeightsError, match=rf"{name} is missing: export the model again"):
        aiatrack.load_multi_tracker(path.parent, "cpu")
    path.mkdir()
    with pytest.raises(WeightsError, match=rf"{name} is missing: export the model again"):
        aiatrack.load_tracker(path.parent, "cpu")


@pytest.mark.parametrize(
    ("format", "ending"), [("onnx", ".onnx"), ("openvino", ".xml"), ("openvino", ".bin"), ("torch", ".pt2")]
)
def test_a_graph_in_anothers_place_is_named(format, ending, copied):
    folder = copied(format)
    shutil.copy(folder / f"encode{ending}", folder / f"remember{ending}")
    with pytest.raises(WeightsError, match=rf"remember{ending} is .* of another export"):
        api.open_network(folder, "cpu")


def test_graphs_beside_the_metadata_of_another_network_are_refused(openvino_folder, copied, tmp_path):
    settings = TINY_NETWORK.replace(channels=32)
    network = build_network(settings).eval()
    save_weights(tmp_path / "wide.safetensors", network.state_dict(), ModelSettings(network=settings))
    export(tmp_path / "wide.safetensors", tmp_path / "wide", format="openvino")
    folder = copied("openvino")
    shutil.copy(tmp_path / "wide" / "metadata.json", folder)
    with pytest.raises(WeightsError, match="of another export"):
        api.open_network(folder, "cpu")


@pytest.mark.parametrize("damaged", ["encode", "locate"])
@pytest.mark.parametrize(("format", "ending"), [("onnx", "onnx"), ("openvino", "xml"), ("torch", "pt2")])
def test_a_graph_that_its_runtime_cannot_open_is_named(format, ending, damaged, copied):
    """As one of another version of the runtime: what was exported, and of no use here."""
    folder = copied(format)
    path = folder / f"{damaged}.{ending}"
    path.write_bytes(b"no graph")
    described = json.loads((folder / "metadata.json").read_text())
    described["sha256"][path.name] = sha256(b"no graph").hexdigest()
    (folder / "metadata.json").write_text(json.dumps(described))
    records, log, handler = [], logging.getLogger("torch.export"), logging.Handler()
    handler.emit = records.append
    log.addHandler(handler)
    try:
        with pytest.raises(WeightsError, match=rf"cannot open .*{damaged}\.{ending}"):
            api.open_network(folder, "cpu")
    finally:
        log.removeHandler(handler)
    assert not records, "the error says it"


@pytest.mark.parametrize("load", [aiatrack.load_tracker, aiatrack.load_multi_tracker])
@pytest.mark.parametrize("format", ["onnx", "openvino", "torch"])
def test_an_export_needs_an_ensemble(format, load, request):
    folder = request.getfixturevalue(f"{format}_folder")
    with pytest.raises(SettingsError, match="set ensemble_size to 1 or more"):
        load(folder, "cpu", ensemble_size=0)


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_trackers_on_exports_are_not_pickled_either(format, request):
    tracker = aiatrack.load_tracker(request.getfixturevalue(f"{format}_folder"), "cpu")
    with pytest.raises(TrackingError, match="a tracker is not pickled"):
        pickle.dumps(tracker)


def test_a_folder_says_what_it_is(openvino_folder, tiny_weights):
    assert api.read_model_settings(openvino_folder) == api.read_model_settings(tiny_weights)
    with pytest.raises(WeightsError, match="it is a folder"):
        export(openvino_folder, openvino_folder.with_name("again"), format="openvino")


@pytest.mark.parametrize("device", ["cuda", "nonsense"])
def test_graphs_for_the_cpu_are_run_nowhere_else(device, openvino_folder):
    with pytest.raises(SettingsError, match=f"CPU only; got device '{device}'"):
        api.open_network(openvino_folder, device)


def test_an_exported_model_keeps_its_calibration(tiny_weights, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr("aiatrack.api.export.find_weights", lambda model: tiny_weights)
    export("nano", tmp_path / "nano", format="openvino")
    assert aiatrack.load_tracker(tmp_path / "nano", "cpu").settings.calibration == "nano"
    export(tiny_weights, tmp_path / "own", format="openvino")
    assert aiatrack.load_tracker(tmp_path / "own", "cpu").settings.calibration == "generic"


def test_onnx_runtime_without_the_gpu_asked_for():
    pytest.importorskip("onnxruntime")
    from aiatrack.runtimes.onnx import choose_providers

    assert choose_providers("cpu", ["CPUExecutionProvider"]) == ["CPUExecutionProvider"]
    gpu = choose_providers("cuda:1", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert gpu[0] == ("CUDAExecutionProvider", {"device_id": "1"})
    assert choose_providers("auto", ["CPUExecutionProvider"]) == ["CPUExecutionProvider"]
    assert choose_providers("auto", ["CUDAExecutionProvider"])[0][0] == "CUDAExecutionProvider"
    with pytest.raises(SettingsError, match="onnxruntime-gpu"):
        choose_providers("cuda", ["CPUExecutionProvider"])


def test_command_line(tiny_weights, tmp_path):
    pytest.importorskip("openvino")
    arguments = ["export", str(tiny_weights), "--format", "openvino", "-o", str(tmp_path / "out")]
    finished = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert finished.exit_code == 0
    assert (tmp_path / "out" / "metadata.json").is_file()
    with pytest.raises(SettingsError, match=r"a\.mp4@120,80,64,48"):
        CliRunner().invoke(app, [*arguments, "--calibrate", "film.mp4"], catch_exceptions=False)


def test_exporters_say_nothing_of_packages_that_are_not_used():
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    with _exporters_quiet():
        assert not log.isEnabledFor(logging.WARNING)
    assert log.isEnabledFor(logging.WARNING)


def test_missing_packages_are_named(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(aiatrack.errors.MissingExtraError, match=r"aiatrack\[export\]"):
        export(tiny_weights, tmp_path / "out", format="onnx")
    assert not list(tmp_path.iterdir())


def test_state_of_a_tracker_moves_between_runtimes(openvino_folder, tiny_weights):
    film = frames(6)
    first = api.load_multi_tracker(tiny_weights, "cpu", runtime="eager")
    first.add(film[0], BOX)
    first.update(film[1])
    second = api.load_multi_tracker(openvino_folder, "cpu").resume(first.state())
    ours, theirs = second.update(film[2])[1], first.update(film[2])[1]
    np.testing.assert_allclose(ours.box_xywh, theirs.box_xywh, atol=0.01)


def test_an_exported_folder_has_no_attention_to_look_at(openvino_folder):
    with pytest.raises(SettingsError, match="graphs give boxes and no attention: give the weights file"):
        load_watched_tracker(openvino_folder)
