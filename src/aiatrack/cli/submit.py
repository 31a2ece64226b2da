"""`aiatrack submit`: results in the form that a server or another toolkit takes."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from aiatrack.cli.results_options import Partial
from aiatrack.cli.terminal import print_line
from aiatrack.evaluation.annotation import Annotation, FloatArray
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.dialects import DIALECTS, import_results, select_dialect, write_results
from aiatrack.evaluation.results import read_known_annotations
from aiatrack.evaluation.submissions import collect_got10k, collect_trackingnet, write_submission
from aiatrack.evaluation.wording import count_sequences

app = typer.Typer(help="Write results as a server or another toolkit wants them.", no_args_is_help=True)

_Results = Annotated[Path, typer.Argument(help="Folder with one text file of boxes a sequence.")]
_Root = Annotated[Path, typer.Option(help="Folder of the benchmark, frames included.")]
_Output = Annotated[Path, typer.Option("--output", "-o", help="Archive to write, ending in .zip.")]


@app.command("got10k")
def submit_got10k(
    results: _Results,
    *,
    root: _Root,
    output: _Output,
    split: Annotated[str, typer.Option(help="`test`, or `val` to try the format.")] = "test",
    repetitions: Annotated[
        bool, typer.Option("--repetitions", help="The tracker is not deterministic: three runs a sequence.")
    ] = False,
) -> None:
    """Write the archive for the GOT-10k server: boxes and times of every sequence.

    ```
    aiatrack submit got10k runs/lite --root /data/GOT-10k -o lite.zip
    ```
    """
    benchmark = open_benchmark(f"got10k_{split}", root)
    files = collect_got10k(results, benchmark, deterministic=not repetitions)
    write_submission(files, output)
    print_line(f"wrote {output}: {count_sequences(len(benchmark.sequences))}, {len(files)} files")


@app.command("trackingnet")
def submit_trackingnet(results: _Results, *, root: _Root, output: _Output) -> None:
    """Write the archive for the TrackingNet server: one flat file a sequence.

    ```
    aiatrack submit trackingnet runs/lite --root /data/TrackingNet -o lite.zip
    ```
    """
    files = collect_trackingnet(results, open_benchmark("trackingnet", root))
    write_submission(files, output)
    print_line(f"wrote {output}: {count_sequences(len(files))}")


@app.command("text")
def submit_text(
    results: _Results,
    *,
    benchmark: Annotated[str, typer.Option("--benchmark", "-b", help="Whose results these are.")],
    root: Annotated[Path, typer.Option(help="Folder of the benchmark, or of flat files NAME.txt.")],
    dialect: Annotated[str, typer.Option(help=f"One of {', '.join(DIALECTS)}.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    first_pixel: Annotated[
        int | None,
        typer.Option(
            min=0, max=1, help="Number of the first pixel in the files read; the benchmark's if not given."
        ),
    ] = None,
    partial: Partial = False,
) -> None:
    """Rewrite text results in another dialect: delimiter, integers, prefix, first pixel.

    ```
    aiatrack submit text lite -b otb100 --root OTB --dialect pytracking -o out
    ```
    """
    opened = open_benchmark(benchmark, root)
    prefix = opened.description.result_prefix
    annotations = read_known_annotations(opened, partial=partial)
    for item in annotations.problems:
        warnings.warn(f"{item.sequence} is left out: {item.problem}", stacklevel=2)
    frames = {name: len(annotation) for name, annotation in annotations.items()}
    chosen = select_dialect(dialect)
    # Dialects that do not count from 1 say nothing of the count: they keep the benchmark's own numbers.
    recounts = chosen.first_pixel == 1 or first_pixel is not None
    own = opened.description.first_pixel if recounts else 0
    read_from = own if first_pixel is None else first_pixel
    boxes = import_results(results, frames, prefix=prefix, first_pixel=read_from, partial=partial)
    paths = write_results(boxes, output, chosen, prefix=prefix)
    print_line(f"wrote {len(paths)} files to {output}")
    _warn_of_starts({name: rows[0] + (own, own, 0, 0) for name, rows in boxes.items()}, annotations)


def _warn_of_starts(starts: Mapping[str, FloatArray], annotations: Mapping[str, Annotation]) -> None:
    """Warn where first boxes, in the benchmark's count of pixels, are not where the annotation is."""
    off = [
        name
        for name, start in starts.items()
        # Boxes that were cut to integers are off by less than a pixel.
        if (np.abs(start - annotations[name].boxes_xywh[0])[:2] >= 1).any()
    ]
    if off:
        warnings.warn(
            f"{len(off)} of {len(starts)} sequences do not start at their annotation ({', '.join(off[:3])}): "
            "if the results count pixels otherwise than the benchmark, say how with --first-pixel",
            stacklevel=2,
        )
