"""`aiatrack info`: what a model is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from aiatrack.cli.terminal import print_table
from aiatrack.config import ModelSettings, preset_names
from aiatrack.paths import is_file

if TYPE_CHECKING:
    from aiatrack.model import AiATrack


def info(
    model: Annotated[
        str, typer.Argument(help="Name of a shipped model, weights file, or exported folder.")
    ] = "lite",
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show a model's settings, parameters and arithmetic, and check that a weights file can be used.

    Tracking settings are the defaults of `load_tracker`.

    MACs are multiply-adds; one tracked frame is one crop encoded and located against a full ensemble.

    ```
    aiatrack info lite
    aiatrack info my.safetensors --json
    ```
    """
    from aiatrack.api import default_changes, read_model_settings
    from aiatrack.model import measure_complexity

    settings = read_model_settings(model)
    settings = settings.replace(tracking=settings.tracking.replace(**default_changes()))
    complexity = measure_complexity(_build(model, settings), settings.tracking.ensemble_size)
    figures = {
        "parameters": complexity.parameters,
        "encode_macs": complexity.encode_macs,
        "remember_macs": complexity.remember_macs,
        "locate_macs": complexity.locate_macs,
        "frame_macs": complexity.frame_macs,
    }
    plain = settings.model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(plain | figures, indent=2))
        return
    table = Table("", "", title=f"model {escape(settings.name)}", show_header=False)
    for room in ("network", "tracking"):
        table.add_section()
        for name, value in plain[room].items():
            table.add_row(name, str(value))  # as `--set` and `aiatrack train` take it
    table.add_section()
    table.add_row("parameters", f"{complexity.parameters / 1e6:.2f} million")
    table.add_row("encode one crop", _giga(complexity.encode_macs))
    table.add_row("remember a reference", _giga(complexity.remember_macs))
    table.add_row("locate, full ensemble", _giga(complexity.locate_macs))
    table.add_row("one tracked frame", _giga(complexity.frame_macs))
    print_table(table)


def _build(model: str, settings: ModelSettings) -> "AiATrack":
    """The network of a weights file as tracking would load it, of any other model without its weights."""
    from aiatrack.model import build_network, load_network

    if model not in preset_names() and is_file(Path(model)):
        return load_network(Path(model))[1]
    return build_network(settings.network).eval()


def _giga(macs: int) -> str:
    return f"{macs / 1e9:.3f} GMACs"
