"""Options of every command that runs a network: which one, where, by what, how precisely, how it tracks."""

from typing import Annotated

import typer

ModelOption = Annotated[str, typer.Option(help="Name of a shipped model, weights file, or exported folder.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
RuntimeOption = Annotated[
    str, typer.Option(help="What computes the network: auto, eager, compiled, openvino or onnx.")
]
PrecisionOption = Annotated[str, typer.Option(help="What it computes in: auto, float32, bf16 or int8.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A tracking setting, such as ensemble_size=5 or search_factor=4.5; repeat it for more. "
        "aiatrack info lists them.",
        metavar="KEY=VALUE",
    ),
]
