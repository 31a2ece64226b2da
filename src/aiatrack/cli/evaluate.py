"""`aiatrack evaluate`: run trackers over a benchmark."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiatrack.cli.runtime_options import PrecisionOption, RuntimeOption, SetOption
from aiatrack.cli.stopping import STOPPED_EXIT_CODE, interrupted_by_termination
from aiatrack.cli.terminal import print_line
from aiatrack.errors import SettingsError

if TYPE_CHECKING:
    from aiatrack.evaluation.running import Outcome, Pool, TrackerFactory

SEQUENCES_FAILED_EXIT_CODE = 1


def evaluate(
    benchmark: Annotated[str, typer.Argument(help="Name, as in `aiatrack benchmarks list`.")],
    *,
    root: Annotated[Path, typer.Option(help="Folder of the benchmark, with its frames.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Name of a shipped model, weights file or exported folder; lite if none is named."),
    ] = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option(
            help="Another tracker: opencv:csrt, opencv:kcf, opencv:mil, opencv:nano:FOLDER, opencv:vit:FILE, "
            "or python:package.module:Class. Repeatable, like --model."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the results; with several trackers, of a folder for each. "
            "results/TRACKER/BENCHMARK if not given.",
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Sequences run at once.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each worker.")] = 1,
    sequences: Annotated[str | None, typer.Option(help="Only these: NAME,NAME,...")] = None,
    retries: Annotated[int, typer.Option(min=0, help="How often a crashed sequence is tried again.")] = 1,
    device: Annotated[str, typer.Option(help="For models: auto, cpu, cuda, cuda:1, ...")] = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    tracking_for: Annotated[
        str | None,
        typer.Option(help="For models: the paper's tracking settings for a benchmark, such as lasot."),
    ] = None,
    settings: SetOption = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Run on a Ray cluster: its address, or local to start one on this machine."),
    ] = None,
) -> None:
    """Run trackers over a benchmark; each sequence is written as soon as it is done.

    The same call again goes on where the last one stopped and does nothing twice. Exit code 1 if sequences
    were given up.

    ```
    # Our default model
    aiatrack evaluate otb100 --root /data/OTB100 -j 2
    # Several trackers on own folders
    aiatrack evaluate folders --root clips --model lite --tracker opencv:csrt
    # A class of your own
    aiatrack evaluate lasot --root LaSOT --tracker python:my.trackers:Mine
    # With a larger ensemble
    aiatrack evaluate otb100 --root /data/OTB100 --set ensemble_size=5
    # On a cluster
    aiatrack evaluate lasot --root LaSOT --cluster ray://head:10001 -j 16
    ```
    """
    from aiatrack.cli.evaluation_progress import EvaluationProgress
    from aiatrack.config import tracking_overrides
    from aiatrack.evaluation.benchmark import open_benchmark
    from aiatrack.evaluation.running import run_tracker

    opened = open_benchmark(benchmark, root)
    if sequences is not None:
        opened = opened.select_sequences([name for name in sequences.split(",") if name])
    choice = {
        "device": device,
        "runtime": runtime,
        "precision": precision,
        "tracking_for": tracking_for,
        "tracking": tracking_overrides(settings or []),
    }
    factories = _build_factories(model, tracker, choice)
    # Hours of the first trackers must not pass before a later one is found wanting; the first is checked
    # when it runs.
    for factory in factories[1:]:
        factory.describe()
    pool = _select_pool(cluster, jobs, threads)
    failures = 0
    for factory, folder in zip(factories, _folders(factories, output, opened.name), strict=True):
        with interrupted_by_termination(), EvaluationProgress(factory.name) as progress:
            try:
                outcome = run_tracker(factory, opened, folder, pool=pool, retries=retries, observer=progress)
            except KeyboardInterrupt:
                print_line(f"stopped; the same call goes on with what is not yet in {folder}")
                raise typer.Exit(STOPPED_EXIT_CODE) from None
        _print_outcome(factory, outcome, folder)
        failures += len(outcome.failed)
    if failures:
        raise typer.Exit(SEQUENCES_FAILED_EXIT_CODE)


def _build_factories(
    models: Sequence[str] | None, trackers: Sequence[str] | None, choice: dict[str, Any]
) -> list["TrackerFactory"]:
    from aiatrack.evaluation.running import parse_tracker
    from aiatrack.integrations.evaluation import ModelFactory

    named = list(models or ([] if trackers else ["lite"]))
    if choice["tracking"] and not named:
        raise SettingsError(
            "--set changes how our models track, and none is named: add --model, or leave it out"
        )
    factories: list[TrackerFactory] = [ModelFactory(name, **choice) for name in named]
    factories += [parse_tracker(text) for text in trackers or ()]
    names = [factory.name for factory in factories]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"two trackers are called {', '.join(twice)}: evaluate them one after the other")
    return factories


def _folders(factories: Sequence["TrackerFactory"], output: Path | None, benchmark: str) -> list[Path]:
    if output is None:
        return [Path("results") / factory.name / benchmark for factory in factories]
    return [output] if len(factories) == 1 else [output / factory.name for factory in factories]


def _select_pool(cluster: str | None, jobs: int, threads: int) -> "Pool":
    if cluster is None:
        from aiatrack.evaluation.running import LocalPool

        return LocalPool(jobs, threads)
    from aiatrack.evaluation.running.ray_workers import RayPool

    return RayPool(cluster, jobs, threads)


def _print_outcome(factory: "TrackerFactory", outcome: "Outcome", folder: Path) -> None:
    from aiatrack.evaluation.wording import count_sequences

    parts = [f"{count_sequences(len(outcome.done))} run"]
    if outcome.resumed:
        parts.append(f"{len(outcome.resumed)} done before")
    if outcome.failed:
        parts.append(f"{len(outcome.failed)} given up ({', '.join(outcome.failed)})")
    print_line(f"{factory.name}: {', '.join(parts)}; results in {folder}")
