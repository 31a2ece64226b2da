"""`aiatrack convert`: the authors' checkpoint into a weights file of ours."""

from pathlib import Path
from typing import Annotated

import typer

from aiatrack.cli.terminal import print_line
from aiatrack.config import load_preset
from aiatrack.errors import OutputError
from aiatrack.paths import exists, is_folder, why_unreachable


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="The authors' file, such as AIATRACK_ep0500.pth.tar.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .safetensors file to write.")] = Path(
        "base.safetensors"
    ),
    half: Annotated[bool, typer.Option("--half", help="Store as float16: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Convert a published AiATrack checkpoint without running anything inside it.

    A checkpoint is a pickle, which can run code when it is opened. Here nothing in it is executed: classes
    that are not plain data load as empty shells, and a file that wants to call anything is refused.

    ```
    aiatrack convert AIATRACK_ep0500.pth.tar -o base.safetensors
    aiatrack track street.mp4 --box 120,80,64,48 --model base.safetensors
    ```
    """
    _check_output(output, overwrite=overwrite)
    from aiatrack.model import build_network, load_state, read_published_checkpoint, save_weights

    settings = load_preset("base")
    state = read_published_checkpoint(checkpoint)
    network = build_network(settings.network)
    load_state(network, state, origin=str(checkpoint))
    save_weights(output, network.state_dict(), settings, half=half, notes={"converted_from": checkpoint.name})
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print_line(f"wrote {output}: model base, {parameters / 1e6:.2f} million parameters")


def _check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse before the checkpoint is read what would fail after."""
    if output.suffix != ".safetensors":
        raise OutputError(f"weights are written as .safetensors; got {output}")
    if is_folder(output):
        raise OutputError(f"{output} is a folder: give the name of a file in it")
    if exists(output) and not overwrite:
        raise OutputError(f"{output} exists: choose another name, or say --overwrite")
    if not is_folder(output.parent):
        raise OutputError(
            f"the folder {output.parent} does not exist{why_unreachable(output.parent)}: create it first"
        )
