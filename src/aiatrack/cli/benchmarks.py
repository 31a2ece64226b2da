"""`aiatrack benchmarks`: what benchmarks there are, and whether a copy on disk is complete."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from aiatrack.cli.terminal import console, print_line, print_table
from aiatrack.errors import DataError
from aiatrack.evaluation.benchmark import SequenceCheck, check_benchmark, open_benchmark
from aiatrack.evaluation.description import benchmark_names, load_description
from aiatrack.evaluation.wording import count_sequences
from aiatrack.paths import is_folder, why_unreachable

app = typer.Typer(help="List the known benchmarks; check a copy on disk.", no_args_is_help=True)

_SHOWN = 20


@app.command("list")
def list_benchmarks(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print plain data instead of a table.")] = False
) -> None:
    """List the benchmarks that the package describes.

    ```
    aiatrack benchmarks list
    ```
    """
    descriptions = [load_description(name) for name in benchmark_names()]
    if as_json:
        typer.echo(json.dumps([d.model_dump(exclude={"sequences"}) for d in descriptions], indent=2))
        return
    table = Table("name", "title", "sequences", "usual rules", "layout")
    for description in descriptions:
        count = len(description.listed_sequences()) or description.expected_sequences
        table.add_row(
            description.name,
            description.title,
            str(count) if count else "as found",
            description.rules,
            description.layout,
        )
    print_table(table)


@app.command("check")
def check_benchmarks(
    root: Annotated[Path, typer.Argument(help="Folder that holds the benchmark, or several by their names.")],
    *,
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", "-b", help="Which one; every one that is found if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print plain data instead of a table.")] = False,
) -> None:
    """Say which sequences below ROOT are complete and which files are missing.

    ```
    aiatrack benchmarks check /data/OTB100 --benchmark otb100
    ```
    """
    checks = {name: _check(name, root) for name in benchmark or _found_below(root)}
    if as_json:
        typer.echo(json.dumps({name: {c.name: c.problems for c in found} for name, found in checks.items()}))
    else:
        _print_checks(checks)
    incomplete = sum(not check.complete for found in checks.values() for check in found)
    if incomplete:
        are = "is" if incomplete == 1 else "are"
        raise DataError(f"{count_sequences(incomplete)} below {root} {are} incomplete: see the list above")


def _check(name: str, root: Path) -> list[SequenceCheck]:
    return check_benchmark(open_benchmark(name, root))


def _found_below(root: Path) -> list[str]:
    """Benchmarks with subfolders of their names; asking every reader would mistake one layout for another."""
    if not is_folder(root):
        raise DataError(
            f"there is no folder {root}{why_unreachable(root)}: give the folder that holds the benchmark"
        )
    names = [name for name in benchmark_names() if is_folder(root / name)]
    if not names:
        raise DataError(
            f"{root} has no subfolder named after a benchmark: say which one it is with --benchmark NAME"
        )
    return names


def _print_checks(checks: dict[str, list[SequenceCheck]]) -> None:
    for name, found in checks.items():
        problems = [check for check in found if not check.complete]
        console.print(f"[bold]{name}[/bold]: {len(found) - len(problems)} of {len(found)} sequences complete")
        for check in problems[:_SHOWN]:
            print_line(f"- {check.name}: {'; '.join(check.problems)}")
        if len(problems) > _SHOWN:
            console.print(f"- and {len(problems) - _SHOWN} more; --json lists them all")
