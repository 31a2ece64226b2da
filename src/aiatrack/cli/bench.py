"""`aiatrack bench`: how fast models, runtimes and peers are on this machine."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiatrack.cli.runtime_options import DeviceOption, SetOption
from aiatrack.cli.stopping import STOPPED_EXIT_CODE, interrupted_by_termination
from aiatrack.cli.terminal import print_line, step_progress
from aiatrack.errors import SettingsError

if TYPE_CHECKING:
    from aiatrack.timing import Contender, Report, TimingFilm

_MOST_TARGETS = 1024


def bench(
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Shipped model, weights file or exported folder; repeat it. Without: lite, nano."),
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(help="auto, eager, openvino, ...; repeat it. Without: auto."),
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="auto, float32, bf16, int8; repeat it. Without: auto.")
    ] = None,
    device: DeviceOption = "auto",
    targets: Annotated[
        str | None,
        typer.Option(help="Numbers of targets, such as 1,8,32. Without: as many as there are boxes, or 1."),
    ] = None,
    look_ahead: Annotated[
        str,
        typer.Option(
            help="Frames of the film that may be looked at together, such as 1,4; see `aiatrack track`. "
            "From 2 on, only the film is timed."
        ),
    ] = "1",
    peers: Annotated[
        str, typer.Option(help="OpenCV's trackers beside: csrt, kcf, mil, nano:FOLDER, vit:FILE; or none.")
    ] = "csrt,kcf",
    film: Annotated[
        Path | None, typer.Option(help="Film to track. Without: one of 640 x 480 is rendered.")
    ] = None,
    box: Annotated[
        list[str] | None, typer.Option(help="Target in the film's first frame: X,Y,WIDTH,HEIGHT; repeat it.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames timed in a pass.")] = 60,
    repeat: Annotated[int, typer.Option(min=1, help="Passes of each contender, taken by turns.")] = 3,
    settings: SetOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write everything to a .json or .csv file.")
    ] = None,
) -> None:
    """Time models, runtimes and other trackers beside one another on this machine.

    Stages are in milliseconds a frame: *crop*, *encode* the search region, *remember* it as a reference,
    *locate* the target; *update* is all of it and the tracker's own work. *Film* is frames a second from file
    to box, decoding and tracking at once, nothing drawn, and *cpu* what a frame of that takes of all cores.
    Numbers are medians, in brackets the range of eight in ten. Contenders take turns, so that a busy machine
    is as unkind to all of them; the first frames of a pass are not timed. With several targets, peers run one
    tracker for each.

    ```
    aiatrack bench
    aiatrack bench --model lite --targets 1,8,32 --peers none
    # Runtimes, kept as JSON, and precisions of a model
    aiatrack bench --model nano --runtime eager --runtime openvino -o bench.json
    aiatrack bench --model nano --precision float32 --precision bf16
    # On a film of one's own
    aiatrack bench --film street.mp4 --box 120,80,64,48 --frames 200
    # Frames of a film looked at together, beside one by one
    aiatrack bench --model nano --look-ahead 1,2,4
    ```
    """
    counts = [len(box) if box else 1] if targets is None else parse_counts(targets)
    from aiatrack.config import tracking_overrides
    from aiatrack.video import MOST_AHEAD

    together = parse_counts(look_ahead, "--look-ahead", MOST_AHEAD)
    combined = runtime or ["auto"], precision or ["auto"], counts, together
    changes = tracking_overrides(settings or [])
    wanted = _Wanted(model or ["lite", "nano"], *combined, device, changes)
    if (film is None) != (box is None):
        raise SettingsError("--film and --box go together: the box says what to follow in the film")
    from aiatrack.cli.targets import parse_box

    boxes = [parse_box(text) for text in box or []]
    from aiatrack.cli.bench_table import print_report
    from aiatrack.timing.report import check_report_path, write_report

    if output is not None:
        check_report_path(output)
    try:
        with interrupted_by_termination(), TemporaryDirectory(prefix="aiatrack-bench-") as folder:
            contenders = wanted.enter(parse_peers(peers), Path(folder))
            report = _race(
                contenders,
                _take_film(film, boxes, frames, max(wanted.targets), Path(folder)),
                repeat,
                {"tracking": changes} if changes else {},
            )
    except KeyboardInterrupt:
        print_line("stopped: nothing was measured to the end")
        raise typer.Exit(STOPPED_EXIT_CODE) from None
    print_report(report)
    if output is not None:
        write_report(report, output)
        print_line(f"wrote {output}")


@dataclass(frozen=True)
class _Wanted:
    """Which models, every one in every runtime, precision, number of targets and of frames together."""

    models: list[str]
    runtimes: list[str]
    precisions: list[str]
    targets: list[int]
    look_aheads: list[int]
    device: str
    tracking: dict[str, Any]

    def enter(self, peers: list[str], folder: Path) -> "list[Contender]":
        from aiatrack.timing import enter_models, enter_peers

        peers_entered = enter_peers(peers, self.targets)  # quick, and may find a mistake
        models_entered = enter_models(
            self.models,
            self.runtimes,
            self.precisions,
            self.targets,
            self.look_aheads,
            device=self.device,
            folder=folder,
            tracking=self.tracking,
        )
        entered = models_entered + peers_entered
        if all(contender.follower is None for contender in entered):
            raise SettingsError(f"there is nothing to time: {entered[0].title} is {entered[0].note}")
        return entered


def _take_film(
    path: Path | None, boxes: list[tuple[float, float, float, float]], frames: int, targets: int, folder: Path
) -> "TimingFilm":
    from aiatrack.timing import WARM_UP_FRAMES, render_film, take_film

    length = 1 + WARM_UP_FRAMES + frames
    return render_film(folder, length, targets) if path is None else take_film(path, boxes, length)


def _race(
    contenders: "list[Contender]", film: "TimingFilm", rounds: int, settings: dict[str, Any]
) -> "Report":
    from aiatrack.timing import Report, time_contenders, time_film

    with step_progress() as progress:
        task = progress.add_task("film", total=rounds * len(contenders) + 1)
        film_times = time_film(film, rounds)

        def show(title: str) -> None:
            progress.update(task, description=title, advance=1)

        timings = time_contenders(contenders, film, rounds, show)
    height, width = film.images[0].shape[:2]
    described = {"film": film.name, "width": width, "height": height, "frames": len(film.images)}
    return Report(described | {"rounds": rounds} | settings, film_times, timings)


def parse_counts(text: str, option: str = "--targets", most: int = _MOST_TARGETS) -> list[int]:
    """Read numbers, such as `1,8,32`.

    Raises:
        SettingsError: no numbers, or out of range.
    """
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or not all(1 <= count <= most for count in counts):
        raise SettingsError(f"{option} takes numbers from 1 to {most}, such as 1,8,32; got {text!r}")
    return list(dict.fromkeys(counts))


def parse_peers(text: str) -> list[str]:
    """Read names of OpenCV's trackers with commas between, or `none`."""
    return [] if text.strip() in ("", "none") else [name.strip() for name in text.split(",")]
