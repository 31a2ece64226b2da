"""`aiatrack track`: follow a target through a film and write what was found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiatrack.cli.terminal import STOPPED_EXIT_CODE, interrupted_by_termination, print_line
from aiatrack.errors import AiATrackError, BoxError, SettingsError

if TYPE_CHECKING:
    from aiatrack.video import Frame


def track(
    source: Annotated[
        str, typer.Argument(help="Film, folder or glob of images, camera number, or stream address.")
    ],
    *,
    box: Annotated[
        str | None, typer.Option(help="Target in the first frame: X,Y,WIDTH,HEIGHT in pixels.")
    ] = None,
    select: Annotated[bool, typer.Option("--select", help="Draw the box in a window instead.")] = False,
    model: Annotated[str, typer.Option(help="Name of a shipped model, or a weights file.")] = "lite",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Film with the box drawn: .mp4, .mov or .mkv. Without this and --save-boxes: "
            "SOURCE.tracked.mp4 in the current folder.",
        ),
    ] = None,
    save_boxes: Annotated[
        Path | None, typer.Option(help="Boxes: .txt (x,y,w,h), .csv or .jsonl (with time and score).")
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="Begin at this time, in seconds; the box is there.")
    ] = None,
    end: Annotated[float | None, typer.Option(help="Stop before this time, in seconds.")] = None,
    frame_rate: Annotated[
        float | None, typer.Option(help="Frames per second of images, which have no time of their own.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Use the paper's tracking settings for a benchmark, such as lasot.")
    ] = None,
) -> None:
    """Follow one target through a film, folder, camera or stream.

    Everything is written as it comes: stop with Ctrl-C, and what was tracked is there. Existing outputs are
    replaced.

    ```
    # A film with the box drawn
    aiatrack track street.mp4 --box 120,80,64,48 -o out.mp4
    # Boxes only, as CSV
    aiatrack track street.mp4 --box 120,80,64,48 --save-boxes boxes.csv
    # Ten seconds of a film, box drawn by hand
    aiatrack track street.mp4 --select --start 5 --end 15
    # A folder of images
    aiatrack track frames/ --box 120,80,64,48 --save-boxes boxes.txt
    # A camera, until Ctrl-C
    aiatrack track 0 --select -o out.mkv
    ```
    """
    if (box is None) != select:
        raise SettingsError("mark the target, either with --box X,Y,WIDTH,HEIGHT or with --select")
    given_box = None if box is None else parse_box(box)
    from aiatrack.api import load_tracker
    from aiatrack.cli.following import Following, Outputs, default_output
    from aiatrack.video import open_frames, read_ahead

    if output is None and save_boxes is None:
        output = default_output(source)
    with read_ahead(open_frames(source, start_s=start, end_s=end, frame_rate=frame_rate)) as frames:
        outputs = Outputs(frames, film=output, boxes=save_boxes)
        first = next(frames)
        following = Following(load_tracker(model, device, benchmark=benchmark), frames, outputs)
        target = given_box or _select(first)
        try:
            with interrupted_by_termination():
                finished = following.run(first, target)
        except AiATrackError:
            if following.count:
                print_line(f"broken off: {following.summary}")
            raise
    print_line(f"{'' if finished else 'stopped: '}{following.summary}")
    if not finished:
        raise typer.Exit(STOPPED_EXIT_CODE)


def parse_box(text: str) -> tuple[float, float, float, float]:
    """Read `X,Y,WIDTH,HEIGHT`.

    Raises:
        BoxError: not four numbers.
    """
    try:
        x, y, width, height = (float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise BoxError(
            f"--box takes X,Y,WIDTH,HEIGHT in pixels, such as 120,80,64,48; got {text!r}"
        ) from error
    return x, y, width, height


def _select(first: "Frame") -> tuple[float, float, float, float]:
    from aiatrack.cli.selection import select_box

    return select_box(first.image)
