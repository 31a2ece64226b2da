"""`aiatrack track`: follow targets through a film and write what was found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiatrack.cli.runtime_options import DeviceOption, ModelOption, PrecisionOption, RuntimeOption, SetOption
from aiatrack.cli.stopping import STOPPED_EXIT_CODE, interrupted_by_termination
from aiatrack.cli.terminal import print_line
from aiatrack.errors import AiATrackError, SettingsError

if TYPE_CHECKING:
    from aiatrack.cli.targets import TargetMark
    from aiatrack.cli.track_outputs import Outputs
    from aiatrack.cli.track_run import TrackRun
    from aiatrack.video import Frame


def track(
    source: Annotated[
        str,
        typer.Argument(
            help="Film, folder or glob of images, camera number, stream address, or - for a film from "
            "standard input (.mkv, .ts)."
        ),
    ],
    *,
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="Target in the first frame: X,Y,WIDTH,HEIGHT in pixels, or NAME=X,Y,WIDTH,HEIGHT. Repeat it "
            "for more targets."
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            help="Targets that begin in any frame: .csv with the columns id,frame,x,y,w,h and perhaps last, "
            "or .jsonl. A later row of an id corrects it: the target is marked anew in that frame."
        ),
    ] = None,
    select: Annotated[bool, typer.Option("--select", help="Draw the boxes in a window instead.")] = False,
    model: ModelOption = "lite",
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    precision: PrecisionOption = "auto",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Film with the box drawn: .mp4, .m4v, .mov or .mkv. Without this and --save-boxes: "
            "SOURCE.tracked.mp4 in the current folder (tracked.mp4 if the source has no name).",
        ),
    ] = None,
    save_boxes: Annotated[
        Path | None,
        typer.Option(
            help="Boxes: .txt (x,y,w,h; boxes_{id}.txt for several targets), .csv, .jsonl, .mot.txt "
            "(MOTChallenge), .cvat.xml (CVAT), .coco.json (COCO with tracks), .labelstudio.json."
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="Format of --save-boxes, where its ending does not tell: txt, csv, jsonl, mot, cvat, coco "
            "or labelstudio."
        ),
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="Begin at this time, in seconds; the box is there.")
    ] = None,
    end: Annotated[float | None, typer.Option(help="Stop before this time, in seconds.")] = None,
    frame_rate: Annotated[
        float | None,
        typer.Option(
            help="Frames per second of images, which have no time of their own, and those to ask a camera "
            "for. Films keep their own."
        ),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Use the paper's tracking settings for a benchmark, such as lasot; float32 and no presence, "
            "unless they are asked for."
        ),
    ] = None,
    presence: Annotated[
        bool | None,
        typer.Option(
            help="--presence: hold the box of a target that is lost, and search for it. --no-presence: do "
            "not judge whether it is there. Neither: say how probable that is, and follow as the paper does."
        ),
    ] = None,
    look_ahead: Annotated[
        int,
        typer.Option(
            min=1,
            help="Frames of a film that may go through the network together: faster for few targets, boxes "
            "differ a little. 4 suits two cores.",
        ),
    ] = 1,
    settings: SetOption = None,
) -> None:
    """Follow targets through a film, folder, camera or stream.

    Everything is written as it comes: stop with Ctrl-C, and what was tracked is there. Existing outputs are
    replaced.

    ```
    # A film with the box drawn
    aiatrack track street.mp4 --box 120,80,64,48 -o out.mp4
    # Boxes only, as CSV
    aiatrack track street.mp4 --box 120,80,64,48 --save-boxes boxes.csv
    # Several targets in one pass
    aiatrack track street.mp4 --box car=120,80,64,48 --box 300,90,40,40
    # Targets that come and go
    aiatrack track street.mp4 --boxes targets.csv --save-boxes out.cvat.xml
    # Ten seconds of a film, box drawn by hand
    aiatrack track street.mp4 --select --start 5 --end 15
    # Faster, for one target or two in a film
    aiatrack track street.mp4 --box 120,80,64,48 --look-ahead 4
    # A folder of images
    aiatrack track frames/ --box 120,80,64,48 --save-boxes boxes.txt
    # A camera, until Ctrl-C
    aiatrack track 0 --select -o out.mkv
    ```
    """
    if select == (bool(box) or boxes is not None):
        raise SettingsError(
            "mark the targets, either with --box X,Y,WIDTH,HEIGHT and --boxes FILE, or with --select"
        )
    if format is not None and save_boxes is None:
        raise SettingsError("--format is that of --save-boxes: name a file of boxes too")
    from aiatrack.cli.targets import read_marks
    from aiatrack.config import tracking_overrides

    marks = read_marks(box or [], boxes)
    changes = tracking_overrides(settings or [])
    if presence is not None:
        changes = {"presence": "on" if presence else "off"} | changes
    from aiatrack.api import load_multi_tracker
    from aiatrack.cli.track_outputs import Outputs, default_output
    from aiatrack.cli.track_run import TrackRun
    from aiatrack.video import Upcoming, open_frames, read_ahead

    if output is None and save_boxes is None:
        output = default_output(source)
    with read_ahead(open_frames(source, start_s=start, end_s=end, frame_rate=frame_rate)) as frames:
        upcoming = Upcoming(frames, look_ahead)
        outputs = Outputs(
            frames,
            film=output,
            boxes=save_boxes,
            format=format,
            ids=list(dict.fromkeys(mark.id for mark in marks)) or None,
            inputs=[boxes] if boxes else [],
        )
        first = next(frames)
        tracker = load_multi_tracker(
            model, device, runtime=runtime, precision=precision, benchmark=benchmark, **changes
        )
        run = TrackRun(tracker, marks or _select(first), upcoming, outputs)
        with interrupted_by_termination():
            try:
                finished = run.follow(first)
            except AiATrackError:
                if run.count:
                    _print_summary("broken off: ", run, outputs)
                raise
            _print_summary("" if finished else "stopped: ", run, outputs)
    if not finished:
        raise typer.Exit(STOPPED_EXIT_CODE)


def _print_summary(how: str, run: "TrackRun", outputs: "Outputs") -> None:
    for line in (*run.target_lines, f"{how}{run.summary}"):
        print_line(line, aside=outputs.have_standard_output)


def _select(first: "Frame") -> "list[TargetMark]":
    from aiatrack.cli.selection import select_boxes
    from aiatrack.cli.targets import mark_boxes

    return mark_boxes(select_boxes(first.image), "--select")
