"""Weights on disk: safetensors with the settings in the metadata; a file alone rebuilds its network."""

import json
import os
from collections.abc import Iterable
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
    """Load a state dict strictly, but for a prefix that a wrapper has put before all names.

    Raises:
        WeightsError: names, shapes or kinds of number do not fit, or a weight is not finite; the message
            counts the tensors and names the first.
    """
    expected = module.state_dict()
    state = without_shared_prefix(state, expected)
    known = {name: tensor for name, tensor in state.items() if name in expected}
    # Counters of batches become floats where a whole network is cast: nothing is computed with them.
    unfit = [n for n, t in known.items() if expected[n].is_floating_point() and not t.is_floating_point()]
    if unfit:
        raise WeightsError(
            f"the weights in {origin} cannot be used: expected floating-point numbers, got "
            f"{str(known[unfit[0]].dtype).removeprefix('torch.')} in {len(unfit)} of {len(state)} tensors, "
            f"first {unfit[0]}; store them as float32, float16 or bfloat16"
        )
    spoilt = [name for name, tensor in known.items() if not tensor.isfinite().all()]
    if spoilt:
        raise WeightsError(
            f"the weights in {origin} cannot be used: NaN or infinity in {len(spoilt)} of {len(state)} "
            f"tensors, first {spoilt[0]}; its training failed, or the file is damaged"
        )
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        # Names that are missing and those that are there instead, some of each.
        lines = [f"{line.strip():.190}" for line in str(error).splitlines()[1:]]
        raise WeightsError(
            f"the weights in {origin} do not fit this network ({len(lines)} complaints): "
            f"{' '.join(lines)[:400]}"
        ) from error


def without_shared_prefix(state: dict[str, Tensor], expected: Iterable[str]) -> dict[str, Tensor]:
    """Take from all names what a wrapper has put before them, such as DistributedDataParallel's `module.`.

    Args:
        state: tensors by name.
        expected: names of a network, or of its parts alone. A state whose names would not begin with these
            parts is returned as it is.
    """
    shared = os.path.commonprefix(list(state))  # noqa: RUF071 - of names, not of paths
    prefix = shared[: shared.rfind(".") + 1]
    parts = {name.partition(".")[0] for name in expected}
    rest = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return rest if all(name.partition(".")[0] in parts for name in rest) else state


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
