"""Options of every command that runs a network: which one, where, by what, how precisely."""

from typing import Annotated

import typer

ModelOption = Annotated[str, typer.Option(help="Name of a shipped model, weights file, or exported folder.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
RuntimeOption = Annotated[
    str, typer.Option(help="What computes the network: auto, eager, compiled, openvino or onnx.")
]
PrecisionOption = Annotated[str, typer.Option(help="What it computes in: auto, float32, bf16 or int8.")]
