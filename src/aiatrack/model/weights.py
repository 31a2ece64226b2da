"""Weights on disk: safetensors with the settings in the metadata; a file alone rebuilds its network."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from aiatrack.atomic_files import replace_file
from aiatrack.config import WEIGHTS_FORMAT, ModelSettings, read_stored_settings
from aiatrack.errors import OutputError, WeightsError
from aiatrack.model.network import AiATrack, build_network
from aiatrack.paths import is_folder, why_unreachable


def save_weights(
    path: Path,
    state: dict[str, Tensor],
    settings: ModelSettings,
    *,
    half: bool = False,
    notes: dict[str, Any] | None = None,
) -> None:
    """Write a network's state, atomically.

    Args:
        path: of the `.safetensors` file to write or replace.
        state: what `network.state_dict()` returned.
        settings: that rebuild the network.
        half: store floats as float16, half the size; they are float32 again once loaded.
        notes: anything worth keeping beside the weights, such as the steps trained; JSON-serialisable.

    Raises:
        OutputError: the file cannot be written, or a weight is too large for float16.
    """
    tensors = {name: _storable(tensor, half=half) for name, tensor in state.items()}
    metadata = {
        "format": WEIGHTS_FORMAT,
        "settings": json.dumps(settings.stored()),
        "notes": json.dumps(notes or {}),
    }
    try:
        content = save(tensors, metadata)
    except SafetensorError as error:
        raise OutputError(f"cannot write weights to {path}: {error}") from error
    if not is_folder(path.parent):  # a slip of the pen, more likely than a wish for a new folder
        raise OutputError(
            f"cannot write weights to {path}: there is no folder {path.parent}{why_unreachable(path.parent)}"
        )
    with replace_file(path) as temporary:
        # Not `save_file`, which lets nobody else read what it writes.
        temporary.write_bytes(content)


def load_weights(path: Path) -> tuple[ModelSettings, dict[str, Tensor]]:
    """Read settings and state, floats as float32.

    Raises:
        WeightsError: no such file, damaged, or not written by `save_weights`.
    """
    settings = read_stored_settings(path)
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error})") from error
    return settings, {name: t.float() if t.is_floating_point() else t for name, t in state.items()}


def load_network(path: Path) -> tuple[ModelSettings, AiATrack]:
    """Rebuild a network from its file, in evaluation mode, on the CPU.

    Raises:
        WeightsError: as `load_weights`, or the tensors do not fit the settings.
    """
    settings, state = load_weights(path)
    network = build_network(settings.network)
    load_state(network, state, origin=str(path))
    return settings, network.eval()


def load_state(module: nn.Module, state: dict[str, Tensor], *, origin: str) -> None:
    """Load a state dict strictly.

    Raises:
        WeightsError: names, shapes or kinds of number do not fit, or a weight is not finite; the message
            counts the tensors and names the first.
    """
    expected = module.state_dict()
    unusable = [
        name for name, tensor in state.items() if name in expected and not _is_usable(tensor, expected[name])
    ]
    if unusable:
        raise WeightsError(
            f"the weights in {origin} cannot be used: NaN, infinity or whole numbers in {len(unusable)} of "
            f"{len(state)} tensors, first {unusable[0]}; its training failed, or the file is damaged"
        )
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise WeightsError(
            f"the weights in {origin} do not fit this network ({len(lines)} complaints): "
            f"{' '.join(lines)[:400]}"
        ) from error


def _is_usable(tensor: Tensor, expected: Tensor) -> bool:
    is_of_its_kind = tensor.is_floating_point() == expected.is_floating_point()
    return is_of_its_kind and bool(tensor.isfinite().all())


def _storable(tensor: Tensor, *, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if not (half and tensor.is_floating_point()):
        return tensor
    halved = tensor.to(torch.float16)
    if (halved.isinf() & tensor.isfinite()).any():
        raise OutputError(
            f"weights reach {tensor.abs().max():g}, float16 only 65504: store them without half precision"
        )
    return halved
