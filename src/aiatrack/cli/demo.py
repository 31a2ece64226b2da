"""`aiatrack demo`: render the synthetic film, track it, and say how well and how fast."""

from pathlib import Path
from typing import Annotated

import typer

from aiatrack.cli.runtime_options import DeviceOption, ModelOption, PrecisionOption, RuntimeOption
from aiatrack.cli.stopping import STOPPED_EXIT_CODE, interrupted_by_termination
from aiatrack.cli.terminal import print_line


def demo(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Film to write.")] = Path("demo.mp4"),
    model: ModelOption = "lite",
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the film.")] = 0,
    frames: Annotated[int, typer.Option(min=2, help="Length of the film.")] = 240,
    speed: Annotated[float, typer.Option(min=0, max=8, help="1 crosses the picture in two seconds.")] = 0.5,
    distractors: Annotated[int, typer.Option(min=0, max=64, help="Things that look like the target.")] = 1,
) -> None:
    """Render a short synthetic film, follow its target, and compare with the exact truth.

    The film has a textured target, things of the same look, occluders, zoom, blur and a moving camera. The
    white dashed box is the truth, the green one is what the tracker found.

    ```
    aiatrack demo
    aiatrack demo --seed 7 --frames 600 -o seven.mp4
    # Hard: fast, and in a crowd of its like
    aiatrack demo --speed 1 --distractors 4
    ```
    """
    from aiatrack.cli.demo_film import DemoFilm, open_demo_output
    from aiatrack.data.synthetic import SyntheticWorldSettings

    film = open_demo_output(output)
    from aiatrack.api import load_tracker

    world = SyntheticWorldSettings(
        seed=seed, frames=frames, speed=speed, distractors=distractors, camera_motion=0.4
    )
    run = DemoFilm(load_tracker(model, device, runtime=runtime, precision=precision), world)
    try:
        with interrupted_by_termination():
            run.write(film)
    except KeyboardInterrupt:
        print_line(f"stopped: {film.frames_written} frames in {output}")
        raise typer.Exit(STOPPED_EXIT_CODE) from None
    print_line(f"model {model}: {run.summary}; wrote {output}")
