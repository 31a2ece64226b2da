"""Models of ours as the evaluation room sees them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from aiatrack.api.export import export
from aiatrack.config import ModelSettings, NetworkSettings, TrackingSettings
from aiatrack.errors import SettingsError, WeightsError
from aiatrack.integrations.evaluation import ModelFactory
from aiatrack.model import build_network, save_weights

TINY = NetworkSettings(
    backbone="efficientnet_lite0",
    crop_size=64,
    channels=16,
    heads=2,
    encoder_layers=1,
    feed_forward_channels=32,
    inner_channels=8,
    corner_head_channels=16,
    iou_head_channels=16,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    settings = ModelSettings(name="tiny", network=TINY, tracking=TrackingSettings(search_factor=4.0))
    save_weights(path, build_network(TINY).state_dict(), settings)
    return path


def test_a_model_is_known_by_weights_settings_and_device(weights: Path) -> None:
    described = ModelFactory(str(weights), "cpu").describe()
    assert len(described["weights_sha256"]) == 64
    assert described["model"]["network"]["crop_size"] == 64
    assert described["model"]["tracking"]["ensemble_size"] == 3
    assert described["device"] == "cpu"
    assert ModelFactory(str(weights), "cpu").needs_gpu is False


def test_settings_of_a_benchmark_show_in_name_and_description(weights: Path) -> None:
    factory = ModelFactory(str(weights), "cpu", "lasot")
    assert factory.name == "tiny-lasot"
    assert factory.describe()["model"]["tracking"]["ensemble_size"] == 4
    assert factory.describe()["model"]["tracking"]["search_factor"] == 4.0


def test_changed_settings_show_in_name_and_description_and_are_tracked_by(weights: Path) -> None:
    factory = ModelFactory(str(weights), "cpu", "lasot", tracking={"ensemble_size": 2, "presence": "judge"})
    assert factory.name == "tiny-lasot-ensemble_size=2-presence=judge"
    described = factory.describe()["model"]["tracking"]
    assert (described["ensemble_size"], described["min_score_to_remember"]) == (2, 0.8)
    assert described == factory.build().settings.model_dump(mode="json")
    assert described["presence"] == "judge"


def test_a_changed_path_makes_no_folders(weights: Path) -> None:
    factory = ModelFactory(str(weights), "cpu", tracking={"calibration": "mine/of\\today.yaml"})
    assert factory.name == "tiny-calibration=mine_of_today.yaml"


@pytest.mark.parametrize("changes", [{"ensemble_size": -1}, {"nothing": 1}])
def test_changes_that_do_not_fit_are_found_out_at_once(weights: Path, changes: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        ModelFactory(str(weights), "cpu", tracking=changes).describe()


def test_a_factory_travels_to_other_processes_and_builds_the_same_tracker(weights: Path) -> None:
    factory = ModelFactory(str(weights), "cpu")
    film = np.random.default_rng(0).integers(0, 255, (3, 60, 80, 3), dtype=np.uint8)
    boxes = []
    for copy in (factory, pickle.loads(pickle.dumps(factory))):  # noqa: S301
        tracker = copy.build()
        tracker.start(film[0], (20, 10, 30, 25))
        boxes.append([tracker.update(frame).box_xywh for frame in film[1:]])
    assert boxes[0] == boxes[1]


def test_what_cannot_be_built_is_found_out_at_once() -> None:
    with pytest.raises(SettingsError):
        ModelFactory("no_such_model").describe()
    with pytest.raises(WeightsError):
        ModelFactory("no_such_file.safetensors", "cpu").describe()
    with pytest.raises(SettingsError):
        ModelFactory("lite", "no_such_device").needs_gpu  # noqa: B018


def test_an_exported_folder_is_known_by_its_graphs_and_runs_as_it_is(weights: Path, tmp_path: Path) -> None:
    openvino = pytest.importorskip("aiatrack.runtimes.openvino", exc_type=ImportError)
    # Its own precision is told from that of benchmarks only where there is another one.
    precision = "bf16" if openvino.has_bf16() else "float32"
    folder = tmp_path / "tiny-export"
    export(weights, folder, format="openvino", precision=precision)
    factory = ModelFactory(str(folder), "cpu")
    assert factory.name == "tiny-export"
    described = factory.describe()
    assert (described["runtime"], described["precision"]) == ("openvino", precision)
    assert described["model"]["network"]["crop_size"] == 64
    assert described["weights_sha256"] != ModelFactory(str(weights), "cpu").describe()["weights_sha256"]
    assert ModelFactory(str(folder), "cpu", precision="float32").describe()["precision"] == "float32"
    graph = folder / "locate.bin"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\1")
    assert factory.describe()["weights_sha256"] != described["weights_sha256"]


def test_weights_are_run_in_float32_on_any_processor(weights: Path) -> None:
    assert ModelFactory(str(weights), "cpu").describe()["precision"] == "float32"
