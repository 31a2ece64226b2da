"""`aiatrack attention`: pictures of where the network looks while it tracks."""

from pathlib import Path
from typing import Annotated

import typer

from aiatrack.cli.runtime_options import DeviceOption, SetOption
from aiatrack.cli.stopping import STOPPED_EXIT_CODE, interrupted_by_termination
from aiatrack.cli.terminal import print_line
from aiatrack.errors import AiATrackError


def attention(
    source: Annotated[str, typer.Argument(help="Film, folder or glob of images, as for aiatrack track.")],
    *,
    box: Annotated[str, typer.Option(help="Target in the first frame: X,Y,WIDTH,HEIGHT in pixels.")],
    point: Annotated[
        str,
        typer.Option(
            help="Which token's attention is shown: X,Y as shares of the found box; 0.5,0.5 is its middle, "
            "0.5,1 the middle of its lower edge."
        ),
    ] = "0.5,0.5",
    model: Annotated[str, typer.Option(help="Name of a shipped model, or weights file.")] = "lite",
    device: DeviceOption = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Picture of the last frame (.png, .jpg, .webp), or film of all (.mp4, .m4v, .mov, .mkv). By "
            "default SOURCE.attention.png in the current folder.",
        ),
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="Begin at this time, in seconds; the box is there.")
    ] = None,
    end: Annotated[
        float | None,
        typer.Option(help="Stop before this time, in seconds: the picture is of the frame before it."),
    ] = None,
    frame_rate: Annotated[
        float | None, typer.Option(help="Frames per second of images, which have no time of their own.")
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="Use the paper's tracking settings for a benchmark, such as lasot."),
    ] = None,
    settings: SetOption = None,
) -> None:
    """Show where the network looks while it follows a target.

    The sheet's first row is the search region: the box, the corners' probabilities, and how much of each
    token's attention goes to the marked target in the first frame and later. The second row is what the token
    under the cross looks at, in the search region and in each reference; the third what it would look at if
    no inner attention refined the correlation map. Stop with Ctrl-C: what was seen so far is written.

    ```
    # The 30th frame of a folder (images count 30 a second)
    aiatrack attention frames/ --box 120,80,64,48 --end 1
    # A film of how it looks at the feet
    aiatrack attention street.mp4 --box 9,80,64,48 --point 0.5,0.95 -o a.mp4
    # A network of your own
    aiatrack attention street.mp4 --box 9,80,64,48 --model mine.safetensors
    ```
    """
    from aiatrack.cli.attention_output import open_attention_output, parse_point
    from aiatrack.cli.targets import parse_box
    from aiatrack.cli.track_outputs import default_output
    from aiatrack.config import tracking_overrides
    from aiatrack.video import open_frames, read_ahead

    box_xywh, shares, changes = parse_box(box), parse_point(point), tracking_overrides(settings or [])
    path = output or default_output(source, "attention.png")
    with read_ahead(open_frames(source, start_s=start, end_s=end, frame_rate=frame_rate)) as frames:
        sheets = open_attention_output(path, frames, shares)
        first = next(frames)
        from aiatrack.api.attention import load_watched_tracker

        tracker = load_watched_tracker(model, device, benchmark=benchmark, **changes)
        tracker.start(first.image, box_xywh)
        with interrupted_by_termination():
            try:
                finished = sheets.write(tracker, first, frames)
            except AiATrackError:
                if sheets.is_written:
                    print_line(f"broken off: {sheets.summary}")
                raise
    print_line(("" if finished else "stopped: ") + sheets.summary)
    if not finished:
        raise typer.Exit(STOPPED_EXIT_CODE)
