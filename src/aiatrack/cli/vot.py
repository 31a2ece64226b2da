"""`aiatrack vot`: the tracker process of the VOT toolkit, and the files of its workspace."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiatrack.cli.runtime_options import DeviceOption, ModelOption
from aiatrack.cli.terminal import print_line
from aiatrack.errors import SettingsError
from aiatrack.paths import exists

if TYPE_CHECKING:
    from aiatrack.evaluation.running import TrackerFactory

app = typer.Typer(
    help="The VOT toolkit: its tracker process, and the files of a workspace. Without a command: answer the "
    "toolkit over TraX, as its trackers.ini has it start.",
    invoke_without_command=True,
)

_TrackerOption = Annotated[
    str | None, typer.Option(help="Another tracker instead, as in `aiatrack evaluate`: opencv:csrt, ...")
]


@app.callback()
def serve(
    context: typer.Context,
    model: ModelOption = "lite",
    tracker: _TrackerOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Answer the VOT toolkit over TraX; the toolkit starts this itself, as trackers.ini says.

    `aiatrack vot workspace` writes such a file.
    """
    if context.invoked_subcommand is not None:
        return
    from aiatrack.integrations.vot import serve_tracker

    factory = _build_factory(model, tracker, device)
    serve_tracker(factory.build(), factory.name)


@app.command()
def workspace(
    folder: Annotated[Path, typer.Argument(help="Folder of the workspace; results in it stay.")],
    *,
    model: ModelOption = "lite",
    tracker: _TrackerOption = None,
    device: DeviceOption = "auto",
    benchmark: Annotated[
        str | None,
        typer.Option(
            "--benchmark", "-b", help="Run on these sequences: a name as in `aiatrack benchmarks list`."
        ),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the benchmark, with its frames.")] = None,
    stack: Annotated[
        str | None,
        typer.Option(help="Or an experiment stack of the toolkit, such as vot2022/shorttermbox."),
    ] = None,
) -> None:
    """Write config.yaml, trackers.ini and the sequence list of a VOT workspace.

    Then run the toolkit itself: `vot evaluate --workspace FOLDER lite`, and `vot analysis` likewise.

    ```
    # Own sequences
    aiatrack vot workspace FOLDER -b folders --root clips
    # A challenge
    aiatrack vot workspace FOLDER --stack vot2022/shorttermbox
    ```
    """
    from aiatrack.evaluation.benchmark import open_benchmark
    from aiatrack.integrations.vot_workspace import write_workspace

    if (benchmark is None) != (root is None):
        raise SettingsError("--benchmark and --root belong together")
    opened = None if benchmark is None or root is None else open_benchmark(benchmark, root)
    factory = _build_factory(model, tracker, device)
    factory.describe()  # a tracker that cannot be built is better found out now
    options = (
        ["--tracker", _absolute_tracker(tracker)]
        if tracker
        else ["--model", _absolute(model), "--device", device]
    )
    name = re.sub(r"[^A-Za-z0-9_-]", "-", factory.name)
    command = [sys.executable, "-m", "aiatrack", "vot", *options]
    write_workspace(folder, {name: command}, benchmark=opened, stack=stack)
    print_line(f"wrote a VOT workspace in {folder}; run it with: vot evaluate --workspace {folder} {name}")


def _build_factory(model: str, tracker: str | None, device: str) -> "TrackerFactory":
    if tracker is not None:
        from aiatrack.evaluation.running import parse_tracker

        return parse_tracker(tracker)
    from aiatrack.integrations.evaluation import ModelFactory

    return ModelFactory(model, device)


def _absolute_tracker(tracker: str) -> str:
    family, _, rest = tracker.partition(":")
    kind, mark, path = rest.partition(":")
    return f"{family}:{kind}:{Path(path).resolve()}" if family == "opencv" and mark else tracker


def _absolute(model: str) -> str:
    """The toolkit starts trackers in a folder of its own."""
    from aiatrack.config import preset_names

    return str(Path(model).resolve()) if exists(Path(model)) and model not in preset_names() else model
