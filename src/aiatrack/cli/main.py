"""The command line: registers the commands, turns errors of our tree into one line and an exit code.

Commands import what is heavy (PyTorch, PyAV) inside their functions: `--help` must not wait for it.
"""

import os
import sys
from typing import Annotated

import typer

from aiatrack import __version__
from aiatrack.cli import benchmarks, data, submit, vot
from aiatrack.cli.attention import attention
from aiatrack.cli.bench import bench
from aiatrack.cli.convert import convert
from aiatrack.cli.demo import demo
from aiatrack.cli.evaluate import evaluate
from aiatrack.cli.export import export
from aiatrack.cli.info import info
from aiatrack.cli.report import report
from aiatrack.cli.score import score
from aiatrack.cli.terminal import give_up_broken_output, prepare_streams, print_error, warnings_as_lines
from aiatrack.cli.track import track
from aiatrack.cli.train import train
from aiatrack.errors import AiATrackError, OutputError
from aiatrack.paths import expand_home

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command(no_args_is_help=True)(track)
app.command(no_args_is_help=True)(attention)
app.command()(info)
app.command()(bench)
app.command(no_args_is_help=True)(convert)
app.command(no_args_is_help=True)(export)
app.command(no_args_is_help=True)(evaluate)
app.command(no_args_is_help=True)(score)
app.command(no_args_is_help=True)(report)
app.command(no_args_is_help=True)(train)
app.add_typer(benchmarks.app, name="benchmarks")
app.add_typer(submit.app, name="submit")
app.add_typer(data.app, name="data")
app.add_typer(vot.app, name="vot")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aiatrack {__version__}")
        raise typer.Exit


@app.callback()
def _describe(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Point at a thing in a video, once, with a box; aiatrack follows it.

    ```
    aiatrack demo
    aiatrack track film.mp4 --box 120,80,64,48
    ```
    """


def _expand_home(argument: str) -> str:
    """Replace `~` where a path begins, which shells leave alone behind an equals sign or in quotes."""
    begin = argument.find("=") + 1
    path = argument[begin:]
    is_at_home = path.partition("/")[0] == "~"
    return f"{argument[:begin]}{expand_home(path)}" if is_at_home else argument


def main() -> None:
    """Run the command line and leave with its exit code."""
    # PyTorch's idle threads spin by default, and starve those that decode and encode film: on two busy cores,
    # tracking with a film written was 16 times slower. Read when PyTorch is imported, which happens later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    prepare_streams()
    try:
        with warnings_as_lines():
            app([_expand_home(argument) for argument in sys.argv[1:]], prog_name="aiatrack")
    except AiATrackError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except OSError:
        broken = give_up_broken_output()
        if broken is None:
            raise
        print_error(
            f"cannot print to standard output: {broken.strerror}; send it elsewhere (files that were named "
            "are not affected)"
        )
        sys.exit(OutputError.exit_code)
