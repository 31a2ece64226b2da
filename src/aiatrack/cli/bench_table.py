"""The table of `aiatrack bench`."""

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from aiatrack.cli.terminal import print_line, print_table
from aiatrack.timing import Report, Spread, Timing
from aiatrack.timing.stages import NETWORK_STAGES

_SPREAD_WIDTH = 11


def print_report(report: Report) -> None:
    """Print machine, film, one row a contender, and what there is to note."""
    for line in describe_header(report):
        print_line(line)
    print_table(build_table(report.timings))
    for timing in report.timings:
        if timing.contender.note:
            print_line(f"{timing.contender.title}: {timing.contender.note}")


def describe_header(report: Report) -> list[str]:
    """What it ran on, what with, and what the film costs."""
    machine, versions, asked = (report.header[part] for part in ("machine", "versions", "settings"))
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    threads = f"threads: PyTorch {machine['torch_threads']}, OpenCV {machine['opencv_threads']}"
    film = report.film
    return [
        f"{machine['processor']}, {machine['usable_cores']} cores{gpu}; {threads}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
        f"film: {asked['film']}, {asked['width']} x {asked['height']}, {asked['frames']} frames; ms a frame: "
        f"decode {film.decode_ms}, draw {film.draw_ms}, encode film {film.encode_film_ms}",
        f"{_rounds(asked['rounds'])}; {report.header['method']}{_changes(asked.get('tracking', {}))}",
    ]


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds by turns"


def _changes(tracking: dict[str, Any]) -> str:
    return "".join(f"; {key}={value}" for key, value in tracking.items())


def build_table(timings: list[Timing]) -> Table:
    """One row a contender; median milliseconds, then frames per second from file to box."""
    title = "milliseconds a frame; film: frames a second; cpu: milliseconds of all cores"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("runtime", min_width=8)
    # Which few ask for: the table is wide as it is.
    look_ahead = [timing.contender.look_ahead for timing in timings]
    ahead = ("ahead",) if max(look_ahead, default=1) > 1 else ()
    for name in ("boxes", *ahead, *NETWORK_STAGES):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("update", "film"):
        table.add_column(name, justify="right", min_width=_SPREAD_WIDTH)  # on two lines where room is scarce
    table.add_column("cpu", justify="right", no_wrap=True)
    for timing in timings:
        who = timing.contender
        runtime = who.runtime if who.precision in ("-", "auto") else f"{who.runtime} {who.precision}"
        stages = (_median(timing.stages_ms.get(stage)) for stage in NETWORK_STAGES)
        spreads = (str(spread or "-") for spread in (timing.update_ms, timing.film_frames_per_s))
        table.add_row(
            escape(who.name),
            escape(runtime),
            str(who.targets),
            *(str(who.look_ahead) for _ in ahead),
            *stages,
            *spreads,
            _median(timing.film_cpu_ms),
        )
    return table


def _median(spread: Spread | None) -> str:
    return "-" if spread is None else str(spread).partition(" ")[0]
