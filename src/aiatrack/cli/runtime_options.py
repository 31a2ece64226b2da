"""Options of every command that runs a network: where, by what, how precisely."""

from typing import Annotated

import typer

RuntimeOption = Annotated[
    str, typer.Option(help="What computes the network: auto, eager, compiled, openvino or onnx.")
]
PrecisionOption = Annotated[str, typer.Option(help="What it computes in: auto, float32, bf16 or int8.")]
