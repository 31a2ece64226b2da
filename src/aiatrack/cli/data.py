"""`aiatrack data`: what training data is usable, before a run starts; and some that is rendered."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from aiatrack.cli.stopping import STOPPED_EXIT_CODE, interrupted_by_termination
from aiatrack.cli.terminal import console, print_line, print_table, step_progress
from aiatrack.config import Layout, SourceSettings, load_recipe
from aiatrack.errors import DataError, SettingsError

if TYPE_CHECKING:
    from aiatrack.data.check import SourceReport

app = typer.Typer(help="Look at training data, or render some.", no_args_is_help=True)

_PROBLEMS_SHOWN = 20


@app.callback()
def _data() -> None:
    """Look at training data, or render some."""


@app.command("check", no_args_is_help=True)
def check(
    path: Annotated[Path | None, typer.Argument(help="File or folder of one source.")] = None,
    layout: Annotated[Layout, typer.Option(help="How it is laid out.")] = Layout.JSON_LINES,
    split: Annotated[str | None, typer.Option(help="Part of a published data set, in its own words.")] = None,
    *,
    recipe: Annotated[
        str | None, typer.Option(help="Check all sources of a recipe instead, by its own settings.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="With --recipe: a setting to change, as for aiatrack train; repeat it for more.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="See that images exist without opening them; where annotations do not state their sizes, "
            "boxes that cover too much or too little count as usable.",
        ),
    ] = False,
) -> None:
    """Say what of a source is usable, and name what is missing or damaged.

    ```
    aiatrack data check datasets/pack
    aiatrack data check datasets/LaSOT --layout lasot --quick
    aiatrack data check --recipe my_recipe.yaml
    # As a run would take it
    aiatrack data check --recipe nano --set data.sources.0.path=datasets/pack
    ```
    """
    from aiatrack.data.check import check_source

    if (path is None) == (recipe is None):
        raise SettingsError("say what to check: either a PATH or --recipe")
    if changes and recipe is None:
        raise SettingsError("--set changes settings of a recipe: give --recipe as well")
    settings = None if recipe is None else load_recipe(recipe, changes or []).data
    sources = (
        settings.sources if settings else (SourceSettings(path=Path(str(path)), layout=layout, split=split),)
    )
    reports: list[SourceReport] = []
    with console.status("reading") as status:
        for source in sources:
            found = check_source(
                source,
                settings,
                open_images=not quick,
                progress=lambda name, done, of: status.update(f"{name}: {done} of {of} clips"),
            )
            reports.extend(found)
    print_table(_tabulate(reports))
    for report in reports:
        if report.note and report.is_usable:
            print_line(f"{report.name}: {report.note}")
    problems = [problem for report in reports for problem in report.problems]
    for problem in problems[:_PROBLEMS_SHOWN]:
        print_line(problem, aside=True)
    if len(problems) > _PROBLEMS_SHOWN:
        print_line(f"... and {len(problems) - _PROBLEMS_SHOWN} more problems")
    unusable = [f"{report.name} ({report.note})" for report in reports if not report.is_usable]
    if unusable:
        raise DataError(f"nothing usable in {', '.join(unusable)}")


@app.command("render", no_args_is_help=True)
def render(
    folder: Annotated[Path, typer.Argument(help="Where the films go; made if missing.")],
    *,
    films: Annotated[int, typer.Option(min=1, help="How many.")] = 40,
    frames: Annotated[int, typer.Option(min=2, help="Length of a film, at 30 frames a second.")] = 60,
    step: Annotated[int, typer.Option(min=1, help="Every how many frames one is written.")] = 5,
    width: Annotated[int, typer.Option(min=64, max=4096, help="Of the frames, in pixels.")] = 320,
    height: Annotated[int, typer.Option(min=64, max=4096, help="Of the frames, in pixels.")] = 240,
    seed: Annotated[int, typer.Option(min=0, help="Of all films; another seed, other films.")] = 0,
) -> None:
    """Render films of things that move before things, with exact boxes and masks, to train or test on.

    What is there already is not rendered again, so that a run that was stopped goes on where it was.

    ```
    aiatrack data render films --films 40
    # Try out training, without any data of one's own
    aiatrack train finetune data.sources.0.path=films --init lite steps=200
    ```
    """
    if step >= frames:
        raise SettingsError(f"--step {step} would write a single picture of {frames} frames: lower it")
    from aiatrack.data import write_synthetic_source

    try:
        with interrupted_by_termination(), step_progress() as progress:
            task = progress.add_task("films", total=films)
            rows = write_synthetic_source(
                folder,
                films=films,
                seed=seed,
                size=(width, height),
                frames=frames,
                frame_step=step,
                progress=lambda _, done, of: progress.update(task, completed=done, total=of),
            )
            progress.update(task, completed=films)
    except KeyboardInterrupt:
        print_line("stopped: the same command goes on from here")
        raise typer.Exit(STOPPED_EXIT_CODE) from None
    print_line(f"wrote {rows}: train on it with data.sources.0.path={rows}")


def _tabulate(reports: Sequence["SourceReport"]) -> Table:
    # Narrow, so that 80 columns hold the names of sources uncut.
    table = Table(box=box.SIMPLE, padding=0, show_edge=False)
    table.add_column("source", min_width=max((len(report.name) for report in reports), default=0))
    for heading in (
        *("stills", "videos", "usable\nvideos", "images"),
        *("boxes", "usable\nboxes", "cut-\nouts", "prob-\nlems"),
    ):
        table.add_column(heading, justify="right")
    for report in reports:
        counts = (
            *(report.stills, report.videos, report.videos_usable, report.images),
            *(report.boxes, report.usable_boxes, report.cutouts, len(report.problems)),
        )
        style = None if report.is_usable else "red"
        table.add_row(escape(report.name), *map(str, counts), style=style)
    return table
