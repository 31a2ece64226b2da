"""`aiatrack train`: a recipe into weights, resumable at any moment."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiatrack.cli.stopping import STOPPED_EXIT_CODE, interrupted_by_termination
from aiatrack.cli.terminal import console, print_line, print_table, step_progress
from aiatrack.config import TrainingSettings, load_recipe, recipe_names

if TYPE_CHECKING:
    from aiatrack.training import TrainingPlan


def train(
    recipe: Annotated[str, typer.Argument(help=f"One of {', '.join(recipe_names())}, or a YAML file.")],
    changes: Annotated[
        list[str] | None, typer.Argument(help="Settings to change: key=value, such as steps=1000.")
    ] = None,
    *,
    folder: Annotated[
        Path | None,
        typer.Option(help="Of this run's checkpoints, logs and weights; runs/RECIPE if not given."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's newest checkpoint.")
    ] = False,
    init: Annotated[
        str | None, typer.Option(help="Shipped model or weights file to start from (fine-tuning).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train a few steps, print size, speed and memory, keep nothing.")
    ] = False,
) -> None:
    """Train a network.

    The folder gets a checkpoint every so often; a run that was stopped or killed goes on with `--resume` as
    if nothing had happened.

    ```
    # What would it take?
    aiatrack train lite data.sources.0.path=datasets/pack --dry-run
    # The run itself, and on from where it was stopped
    aiatrack train lite data.sources.0.path=datasets/pack
    aiatrack train lite data.sources.0.path=datasets/pack --resume
    # From shipped weights to your own frames
    aiatrack train finetune data.sources.0.path=my.jsonl --init lite
    # The paper's recipe on eight GPUs
    accelerate launch --num_processes 8 -m aiatrack train paper
    ```
    """
    settings = load_recipe(recipe, [*(changes or []), *([f"init={init}"] if init else [])])
    if dry_run:
        _print_plan(settings)
        return
    from aiatrack.api.training import open_training_run
    from aiatrack.cli.training_table import TrainingTable

    target = folder or Path("runs") / settings.name
    run = open_training_run(settings, target, resume=resume, observers=[TrainingTable(console)])
    try:
        with interrupted_by_termination():
            summary = run.run()
    except KeyboardInterrupt:
        if _is_first_process():
            print_line(f"stopped; go on from the newest checkpoint in {target} with --resume")
        raise typer.Exit(STOPPED_EXIT_CODE) from None
    if not _is_first_process():
        return
    best = "" if summary.best_score is None else f", best validation score {summary.best_score:.4f}"
    print_line(f"{summary.steps} steps in {summary.seconds / 3600:.2f} h{best}; wrote {summary.weights}")


def _is_first_process() -> bool:
    """Whether this is the one of the run's processes that speaks for all."""
    from accelerate import PartialState

    return bool(PartialState().is_main_process)


def _print_plan(settings: TrainingSettings) -> None:
    from rich.table import Table

    from aiatrack.api.training import plan_training_run

    progress = step_progress()
    task = progress.add_task("training a few steps", total=None)

    def show(done: int, of: int) -> None:
        if _is_first_process():
            progress.start()
            progress.update(task, completed=done, total=of)

    try:
        plan: TrainingPlan = plan_training_run(settings, show)
    finally:
        progress.stop()
    if not _is_first_process():
        return
    table = Table("", "", title=f"plan of {settings.name}", show_header=False)
    table.add_row("device", f"{plan.device}, {plan.processes} process(es)")
    for part, count in plan.parameters.items():
        table.add_row(f"parameters, {part.replace('_', ' ')}", f"{count:,}")
    table.add_row("parameters that are trained", f"{plan.trained_parameters:,}")
    table.add_row("batch over all processes", f"{plan.global_batch_size} samples")
    table.add_row("whole run", f"{settings.steps:,} steps, {plan.samples:,} samples")
    table.add_row("speed", f"{plan.samples_per_second:.1f} samples/s ({plan.seconds_per_step:.3f} s a step)")
    table.add_row("waiting for data", f"{100 * plan.data_wait_share:.0f} % of the time")
    table.add_row("peak memory", f"{plan.peak_memory_bytes / 2**30:.2f} GiB")
    table.add_row("estimate", f"{plan.hours:.1f} hours")
    print_table(table)
