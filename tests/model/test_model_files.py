"""Weights on disk: what goes in comes out, and every broken file has its own clear refusal."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_network import TINY_NETWORK

from aiatrack.config import ModelSettings, TrackingSettings
from aiatrack.errors import OutputError, WeightsError
from aiatrack.model import build_network, load_network, load_state, load_weights, save_weights

SETTINGS = ModelSettings(
    name="small",
    network=TINY_NETWORK,
    tracking=TrackingSettings(search_factor=4.0, ensemble_size=2),
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network(SETTINGS.network)


@pytest.fixture
def path(tmp_path, network) -> Path:
    path = tmp_path / "small.safetensors"
    save_weights(path, network.state_dict(), SETTINGS)
    return path


def test_a_file_alone_rebuilds_its_network_exactly(path, network):
    settings, rebuilt = load_network(path)
    assert settings == SETTINGS and not rebuilt.training
    state = rebuilt.state_dict()
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())


def test_a_file_asks_only_for_tracking_that_is_its_own(path):
    with safe_open(path, framework="np") as file:
        stored = json.loads(file.metadata()["settings"])
    assert stored["tracking"] == {"search_factor": 4.0, "ensemble_size": 2}
    assert stored["network"] == SETTINGS.network.model_dump(mode="json"), "a network is kept whole"


def test_half_precision_is_half_the_size_and_close(path, network):
    half = path.with_name("half.safetensors")
    save_weights(half, network.state_dict(), SETTINGS, half=True)
    assert half.stat().st_size < 0.6 * path.stat().st_size
    _, state = load_weights(half)
    for name, tensor in network.state_dict().items():
        assert state[name].dtype == tensor.dtype
        torch.testing.assert_close(state[name], tensor, atol=1e-3, rtol=1e-3)


def test_half_precision_refuses_what_it_cannot_hold(tmp_path):
    path = tmp_path / "large.safetensors"
    with pytest.raises(OutputError, match="70000"):
        save_weights(path, {"weight": torch.tensor([1.0, -70000.0])}, SETTINGS, half=True)
    assert list(tmp_path.iterdir()) == []


def test_notes_lie_beside_the_weights(tmp_path, network):
    from safetensors import safe_open

    path = tmp_path / "noted.safetensors"
    save_weights(path, network.state_dict(), SETTINGS, notes={"steps": 12})
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["notes"]) == {"steps": 12}


def test_tensors_in_any_layout_can_be_stored(tmp_path):
    state = {"a": torch.arange(6.0).view(2, 3).T, "b": torch.ones(1).expand(4), "c": torch.tensor(3)}
    path = tmp_path / "odd.safetensors"
    save_weights(path, state, SETTINGS)
    _, loaded = load_weights(path)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_an_existing_file_is_replaced_and_nothing_else_is_left(path, network):
    save_weights(path, network.state_dict(), SETTINGS.replace(name="second"))
    assert load_weights(path)[0].name == "second"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_file_is_as_readable_as_any_other(path, tmp_path):
    other = tmp_path / "other"
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_a_failing_write_leaves_the_old_file_and_nothing_else(path, network, monkeypatch):
    def fill_the_disk(target, data):
        target.touch()
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(OutputError, match="No space left"):
        save_weights(path, network.state_dict(), SETTINGS)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_folders_that_cannot_be_written_are_named(tmp_path, network):
    file = tmp_path / "file"
    file.touch()
    for target in (tmp_path / "missing" / "x.safetensors", file / "x.safetensors", tmp_path):
        with pytest.raises(OutputError, match="cannot write"):
            save_weights(target, {"a": torch.zeros(1)}, SETTINGS)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot write"):
            save_weights(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, SETTINGS)
    finally:
        tmp_path.chmod(0o700)


def test_a_missing_file_and_a_folder_are_no_weights(tmp_path):
    for nothing in (tmp_path / "nothing.safetensors", tmp_path):
        with pytest.raises(WeightsError, match="no weights file"):
            load_weights(nothing)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, -1, -1000])
def test_a_truncated_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_weights(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip", b"\xff" * 64, b"<html>not found</html>" * 9])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="aiatrack convert"):
        load_weights(path)


@pytest.mark.parametrize(
    "metadata",
    [None, {"format": "pt"}, {"format": "aiatrack-1"}, {"format": "pt", "settings": "{}"}],
)
def test_safetensors_of_others_are_refused(tmp_path, metadata):
    path = tmp_path / "theirs.safetensors"
    save_file({"a": torch.zeros(2)}, path, metadata)
    with pytest.raises(WeightsError, match="carries no aiatrack settings"):
        load_weights(path)


def test_a_weights_file_of_another_version_is_named(tmp_path):
    path = tmp_path / "later.safetensors"
    save_file({"a": torch.zeros(2)}, path, {"format": "aiatrack-99", "settings": "{}"})
    with pytest.raises(WeightsError, match=r"another version \(aiatrack-99; this package reads aiatrack-1\)"):
        load_weights(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "valid dictionary"),
        ('{"name": "x", "speed": 3}', "speed"),
        ('{"network": {"heads": 7}}', "network: channels .256. must be a multiple of heads .7."),
        ('{"network": {"backbone": "vgg"}}', "network.backbone"),
    ],
)
def test_damaged_settings_are_refused(tmp_path, settings, message):
    path = tmp_path / "damaged.safetensors"
    save_file({"a": torch.zeros(2)}, path, {"format": "aiatrack-1", "settings": settings})
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(path)
    assert str(path) in str(caught.value)


def test_weights_that_do_not_fit_their_settings_are_refused(tmp_path, network):
    path = tmp_path / "wrong.safetensors"
    other = SETTINGS.replace(network=SETTINGS.network.replace(channels=24))
    save_weights(path, network.state_dict(), other)
    with pytest.raises(WeightsError, match=r"do not fit this network .*size mismatch for bottleneck"):
        load_network(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, network, value):
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    name = "iou_head.output.weight"
    state[name][0, 0] = value
    save_weights(tmp_path / "bad.safetensors", state, SETTINGS)
    with pytest.raises(WeightsError, match=rf"NaN or infinity in 1 of \d+ tensors, first {name}"):
        load_network(tmp_path / "bad.safetensors")


def test_whole_numbers_are_no_weights(network):
    state = network.state_dict() | {"iou_head.output.bias": torch.ones(1, dtype=torch.int32)}
    with pytest.raises(WeightsError, match=r"got int32 in 1 of \d+ .*first iou_head\.output\.bias") as caught:
        load_state(network, state, origin="here")
    assert "NaN" not in str(caught.value) and "training failed" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_that_was_cast_whole_can_be_used(tmp_path, network, dtype):
    """Its counters of batches became floats as well."""
    cast = {name: tensor.to(dtype) for name, tensor in network.state_dict().items()}
    assert any(name.endswith("num_batches_tracked") for name in cast)
    save_weights(tmp_path / "cast.safetensors", cast, SETTINGS)
    _, rebuilt = load_network(tmp_path / "cast.safetensors")
    for name, tensor in rebuilt.state_dict().items():
        assert tensor.dtype == network.state_dict()[name].dtype, name
        assert torch.equal(tensor, cast[name].to(tensor.dtype)), name


@pytest.mark.parametrize("prefix", ["module.", "model.", "model.module."])
def test_a_prefix_of_all_names_is_taken_off(tmp_path, network, prefix):
    state = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    save_weights(tmp_path / "wrapped.safetensors", state, SETTINGS)
    _, rebuilt = load_network(tmp_path / "wrapped.safetensors")
    assert all(torch.equal(tensor, state[prefix + name]) for name, tensor in rebuilt.state_dict().items())


def test_a_prefix_is_kept_where_the_rest_does_not_fit(network):
    whole = network.state_dict()
    wrapped = {f"module.{name}": tensor for name, tensor in whole.items()}
    backbone = {f"module.{name}": tensor for name, tensor in whole.items() if name.startswith("backbone.")}
    for state in (wrapped | {"stray": torch.zeros(1)}, wrapped | {"module.stray": torch.zeros(1)}, backbone):
        with pytest.raises(WeightsError, match=r"Missing .* \"target_embedding.* Unexpected .* \"module\."):
            load_state(network, state, origin="here")


def test_missing_and_unexpected_names_are_told(network):
    state = dict(network.state_dict())
    del state["bottleneck.bias"]
    state["bottleneck.biass"] = torch.zeros(16)
    with pytest.raises(WeightsError, match=r"2 complaints.*bottleneck\.bias") as caught:
        load_state(network, state, origin="here")
    assert "here" in str(caught.value) and "biass" in str(caught.value)
