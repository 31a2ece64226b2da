"""`aiatrack export`: a model as graphs for other runtimes."""

from pathlib import Path
from typing import Annotated

import typer

from aiatrack.cli.terminal import print_line
from aiatrack.errors import SettingsError


def export(
    model: Annotated[str, typer.Argument(help="Name of a shipped model, or a weights file.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write; it appears whole or not at all.")
    ],
    format: Annotated[str, typer.Option(help="onnx, openvino or torch.")] = "onnx",
    precision: Annotated[str, typer.Option(help="float32; for openvino also bf16 or int8.")] = "float32",
    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            help="For int8: SOURCE@X,Y,WIDTH,HEIGHT, a film or folder of images and the target in its first "
            "frame; repeat it. Without: synthetic films."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> None:
    """Write a model as three graphs, encode, remember and locate, that run without this package.

    Beside them lies metadata.json with all that it takes to run them. They are compared with PyTorch before
    the folder appears. The folder is a model like any other: --model FOLDER.

    ```
    # For ONNX Runtime, wherever that runs
    aiatrack export lite --format onnx -o lite-onnx
    # Eight-bit arithmetic for CPUs, calibrated on films that it renders; --calibrate takes yours
    aiatrack export lite --format openvino --precision int8 -o lite-int8
    aiatrack track street.mp4 --box 120,80,64,48 --model lite-int8
    ```
    """
    films = [_parse_film(text) for text in calibrate or ()]
    from aiatrack.api.export import export as export_model

    differences = export_model(
        model, output, format=format, precision=precision, calibrate=films, overwrite=overwrite
    )
    worst = max(differences, key=differences.__getitem__)
    size = sum(path.stat().st_size for path in output.iterdir())
    print_line(
        f"wrote {output}: {size / 1e6:.1f} MB, at most {differences[worst]:.1e} from PyTorch ({worst})"
    )


def _parse_film(text: str) -> tuple[str, tuple[float, float, float, float]]:
    source, mark, box = text.rpartition("@")
    try:
        left, top, width, height = (float(part) for part in box.split(","))
    except ValueError:
        mark = ""
    if not (mark and source):
        raise SettingsError(
            f"--calibrate takes SOURCE@X,Y,WIDTH,HEIGHT, such as a.mp4@120,80,64,48; got {text!r}"
        )
    return source, (left, top, width, height)
