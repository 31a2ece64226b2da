"""`aiatrack report`: trackers side by side on one or several benchmarks."""

from pathlib import Path
from typing import Annotated

import typer

from aiatrack.cli.results_options import Partial
from aiatrack.cli.terminal import print_line
from aiatrack.cli.tracker_names import name_trackers
from aiatrack.errors import SettingsError
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.entry import Entry, open_entry
from aiatrack.evaluation.report import REPORT_FORMATS, build_report, write_report
from aiatrack.evaluation.results import read_annotations
from aiatrack.paths import is_folder


def report(
    results: Annotated[
        list[str],
        typer.Argument(help="Folders of results, each perhaps named: NAME=FOLDER. The first is yours."),
    ],
    *,
    benchmark: Annotated[
        list[str], typer.Option("--benchmark", "-b", help="Name of a benchmark; repeat together with --root.")
    ],
    root: Annotated[list[Path], typer.Option(help="Folder of each --benchmark, in the same order.")],
    output: Annotated[
        list[Path],
        typer.Option("--output", "-o", help=f"File to write, {', '.join(REPORT_FORMATS)}; repeatable."),
    ],
    rules: Annotated[
        str | None, typer.Option(help="Rule set for all benchmarks; each one's usual rules if not given.")
    ] = None,
    partial: Partial = False,
) -> None:
    """Write a report of one or many trackers, by file name as HTML page, Markdown, CSV or LaTeX.

    ```
    # Two trackers on one benchmark
    aiatrack report lite csrt=runs/csrt -b otb100 --root OTB100 -o report.html
    # Two benchmarks
    aiatrack report lite -b otb100 --root OTB100 -b uav123 --root UAV -o r.tex
    ```
    """
    if len(benchmark) != len(root):
        raise SettingsError(f"every --benchmark needs its --root: got {len(benchmark)} and {len(root)}")
    given = [_parse(text) for text in results]
    entries: list[Entry] = []
    for name, folder in zip(benchmark, root, strict=True):
        opened = open_benchmark(name, folder)
        annotations = read_annotations(opened, partial=partial)
        for tracker, (_, path) in zip(name_trackers(given, opened.name), given, strict=True):
            entries.append(open_entry(path, opened, annotations, tracker=tracker, partial=partial))
    built = build_report(entries, rules)
    for path in output:
        write_report(built, path)
        print_line(f"wrote {path}")


def _parse(text: str) -> tuple[str | None, Path]:
    """Split NAME=FOLDER; a folder that itself holds `=` is taken as it is."""
    name, mark, folder = text.partition("=")
    return (name, Path(folder)) if mark and name and not is_folder(Path(text)) else (None, Path(text))
