"""What `aiatrack track` writes is what the tracker found, at the times of the source."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from cli_inputs import BOX, RATE, film_times, make_film, make_folder, picture
from rich.console import Console

from aiatrack import api
from aiatrack.cli import terminal, track_outputs
from aiatrack.tracking import TargetState, TrackResult
from aiatrack.video import Frame, FrameSource, open_frames, read_boxes_txt
from aiatrack.video.time_span import TimeSpan


@pytest.fixture
def expected(film, tiny_weights):
    """What the api finds in the film."""
    return list(api.track(film, (20, 20, 20, 20), model=tiny_weights, device="cpu"))


def test_text_boxes_are_the_results(track, here, long_film, tiny_weights):
    expected = list(api.track(long_film, (20, 20, 20, 20), model=tiny_weights, device="cpu", presence="on"))
    outcome = track(long_film, "--presence", "--box", BOX, "--save-boxes", "boxes.txt")
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out.startswith("20 frames at ")
    assert outcome.out.endswith("; wrote boxes.txt\n")
    lost = [r.state is TargetState.LOST for r in expected]
    assert any(lost), "the random network should not be sure of anything"
    boxes = [(np.nan,) * 4 if is_lost else r.box_xywh for r, is_lost in zip(expected, lost, strict=True)]
    assert read_boxes_txt("boxes.txt") == pytest.approx(np.array(boxes), abs=1e-4, nan_ok=True)
    assert f", lost in {sum(lost)}, mean predicted overlap" in outcome.out


def test_tracking_settings_are_changed_singly(track, here, film, tiny_weights):
    box, changes = (20, 20, 20, 20), {"search_factor": 3.0, "ensemble_size": 0}
    expected = list(api.track(film, box, model=tiny_weights, device="cpu", runtime="eager", **changes))
    options = ("--set", "search_factor=3", "--set", "ensemble_size=0", "--runtime", "eager")
    assert track(film, "--box", BOX, "--save-boxes", "boxes.txt", *options).code == 0
    assert np.loadtxt("boxes.txt", delimiter=",") == pytest.approx(
        np.array([result.box_xywh for result in expected]), abs=1e-3
    )


@pytest.mark.parametrize("option", [(), ("--presence",)])
def test_set_has_the_last_word(option, track, here, film):
    assert track(film, "--box", BOX, "--save-boxes", "boxes.csv", *option, "--set", "presence=off").code == 0
    with Path("boxes.csv").open(newline="") as file:
        assert {row["presence"] for row in csv.DictReader(file)} == {""}


def test_presence_and_state_are_written(track, here, long_film, tiny_weights):
    expected = list(api.track(long_film, (20, 20, 20, 20), model=tiny_weights, device="cpu", presence="on"))
    for name in ("boxes.csv", "boxes.jsonl"):
        assert track(long_film, "--presence", "--box", BOX, "--save-boxes", name).code == 0
    rows = list(csv.DictReader((here / "boxes.csv").open()))
    objects = [json.loads(line) for line in (here / "boxes.jsonl").open()]
    assert [row["state"] for row in rows] == [r.state.value for r in expected]
    assert [thing["state"] for thing in objects] == [r.state.value for r in expected]
    assert [float(row["presence"]) for row in rows] == pytest.approx([r.presence for r in expected], abs=1e-4)
    assert [thing["presence"] for thing in objects] == pytest.approx([r.presence for r in expected], abs=1e-4)


@pytest.mark.parametrize("options", [("--no-presence",), ("--benchmark", "lasot")])
def test_without_presence_there_is_always_a_box(options, track, here, film):
    assert track(film, "--box", BOX, "--save-boxes", "boxes.txt", *options).code == 0
    assert np.isfinite(read_boxes_txt("boxes.txt")).all()
    assert track(film, "--box", BOX, "--save-boxes", "boxes.csv", *options).code == 0
    rows = list(csv.DictReader((here / "boxes.csv").open()))
    assert {(row["presence"], row["state"]) for row in rows} == {("", "tracked")}


def test_csv_and_json_lines_hold_times_and_scores(track, here, film, expected):
    for name in ("boxes.csv", "boxes.jsonl"):
        assert track(film, "--box", BOX, "--save-boxes", name).code == 0
    rows = list(csv.DictReader((here / "boxes.csv").open()))
    objects = [json.loads(line) for line in (here / "boxes.jsonl").open()]
    assert len(rows) == len(objects) == len(expected)
    for index, (row, thing, result) in enumerate(zip(rows, objects, expected, strict=True)):
        assert int(row["frame"]) == thing["frame"] == index
        assert float(row["time"]) == pytest.approx(index / RATE, abs=1e-6)
        assert thing["time"] == pytest.approx(index / RATE, abs=1e-6)
        assert [float(row[side]) for side in "xywh"] == pytest.approx(result.box_xywh, abs=1e-4)
        assert thing["box"] == pytest.approx(result.box_xywh, abs=1e-4)
        assert float(row["score"]) == pytest.approx(result.score, abs=1e-4)
        assert thing["score"] == pytest.approx(result.score, abs=1e-4)


def test_film_keeps_times_and_sound(track, here, film_with_sound):
    assert track(film_with_sound, "--box", BOX, "-o", "out.mp4").code == 0
    assert film_times(here / "out.mp4") == pytest.approx(film_times(film_with_sound), abs=1e-4)
    with av.open("out.mp4") as written, av.open(str(film_with_sound)) as source:
        assert written.streams.audio[0].codec_context.name == "aac"
        assert written.streams.video[0].guessed_rate == source.streams.video[0].guessed_rate


def test_box_is_drawn(track, here, film):
    assert track(film, "--box", BOX, "-o", "out.mp4").code == 0
    with av.open("out.mp4") as written:
        first = next(written.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    red, green, _ = first[30, 19:21].mean(axis=0)
    assert green > red + 40  # the left edge; the square itself is yellow, the ground grey


@pytest.mark.parametrize(
    ("span", "frames"),
    [
        (("--start", "0.2"), range(5, 12)),
        (("--end", "0.2"), range(5)),
        (("--start", "0.12", "--end", "0.36"), range(3, 9)),
        (("--start", "0.13", "--end", "0.35"), range(4, 9)),
    ],
)
def test_span_is_exact(span, frames, track, here, film):
    arguments = ("--box", BOX, "--save-boxes", "boxes.csv", "-o", "out.mp4", *span)
    assert track(film, *arguments).code == 0
    rows = list(csv.DictReader((here / "boxes.csv").open()))
    assert [int(row["frame"]) for row in rows] == list(frames)
    assert len(film_times(here / "out.mp4")) == len(frames)
    assert film_times(here / "out.mp4")[0] == 0


def test_output_is_named_after_the_source(track, here, film):
    outcome = track(film, "--box", BOX)
    assert outcome.out.endswith("; wrote street.tracked.mp4\n")
    folder = make_folder(here / "pictures", [(96, 64)] * 3)
    outcome = track(folder, "--box", BOX, "--frame-rate", "5")
    assert outcome.out.endswith("; wrote pictures.tracked.mp4\n")
    assert film_times(here / "pictures.tracked.mp4") == pytest.approx([0, 0.2, 0.4])
    outcome = track(f"{folder}/*.png", "--box", BOX)
    assert outcome.out.endswith("; wrote tracked.mp4\n")
    (here / "street.tracked.mp4").unlink()
    assert track(f"file://{film}", "--box", BOX).code == 0
    assert (here / "street.tracked.mp4").exists()


def test_names_of_addresses_leave_out_what_follows_the_path():
    address = "https://host/films/old%20street.mp4?token=secret"
    assert track_outputs.default_output(address) == Path("old street.tracked.mp4")
    assert track_outputs.default_output("rtsp://host?token=secret") == Path("tracked.mp4")
    frames = SimpleNamespace(files=(), name=address, frame_rate=None, image_names=())
    outputs = track_outputs.Outputs(frames, film=None, boxes=None)
    assert outputs._facts(Frame(picture(0), 0, 0.0)).name == "old street.mp4"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout on this system")
def test_boxes_on_standard_output_stay_alone(here, film, tiny_weights):
    command = [sys.executable, "-m", "aiatrack", "track", film, "--model", tiny_weights, "--box", BOX]
    with (here / "boxes.csv").open("wb") as printed:
        outcome = subprocess.run(
            [*command, "--save-boxes", "/dev/stdout", "--format", "csv"],
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
    rows = list(csv.DictReader((here / "boxes.csv").open()))
    assert [int(row["frame"]) for row in rows] == list(range(12))
    assert "12 frames at" in outcome.stderr


def test_films_of_more_frames_a_second_than_a_film_can_say(track, here):
    with av.open(str(here / "fast.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=2000)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(3):
            shown = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    assert track("fast.mp4", "--box", BOX, "-o", "out.mp4").code == 0
    expected = [frame.time_s for frame in open_frames("fast.mp4")]
    assert film_times(here / "out.mp4") == pytest.approx(expected, abs=1e-5)


def test_home_is_found_behind_an_equals_sign(track, here, film, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    assert track(film, "--box", BOX, "--save-boxes=~/boxes.csv").code == 0
    assert (here / "boxes.csv").exists()


def test_single_frame(track, here, film):
    arguments = ("--box", BOX, "--save-boxes", "boxes.txt", "--end", "0.01")
    assert track(film, *arguments).out == "1 frame; wrote boxes.txt\n"
    assert (here / "boxes.txt").read_text() == "20.0000,20.0000,20.0000,20.0000\n"


def test_benchmark_settings_reach_the_tracker(track, here, film, monkeypatch):
    seen = []
    load = api.load_multi_tracker
    monkeypatch.setattr(api, "load_multi_tracker", lambda *a, **k: seen.append(load(*a, **k)) or seen[-1])
    arguments = ("--box", BOX, "--save-boxes", "b.txt", "--benchmark", "lasot")
    assert track(film, *arguments).code == 0
    assert (seen[0].settings.ensemble_size, seen[0].settings.min_score_to_remember) == (4, 0.8)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, frame after frame, by a film sink for these targets: a call with ids and results."""
    calls: list[dict[str, Any]] = []

    def note(_picture: np.ndarray, box: Any, score: float, **how: Any) -> None:
        calls.append({"box": box, "score": score} | how)

    def draw(ids: list[int | str], *results: dict[int | str, TrackResult]) -> list[dict[str, Any]]:
        monkeypatch.setattr(track_outputs, "draw_result", note)
        sink = track_outputs.FilmSink(SimpleNamespace(write=lambda frame: None), ids)
        for index, of_frame in enumerate(results):
            sink(Frame(picture(0), index, index / 4), of_frame)
        return calls

    return draw


def result_in(state: TargetState, presence: float | None = None) -> TrackResult:
    return TrackResult((20.0, 20.0, 20.0, 20.0), 0.5, 0, False, 1, presence, state)


def test_found_again_is_drawn_for_half_a_second(drawn):
    states = [
        TargetState(word)
        for word in ["lost", "recovered", "tracked", "uncertain", "tracked", "recovered", "lost"]
    ]
    calls = drawn([1], *({1: result_in(state)} for state in states))
    # Four frames a second: found at 0.25 s, still new at 0.5 s, no longer at 1 s.
    shown = ["lost", "recovered", "recovered", "uncertain", "tracked", "recovered", "lost"]
    assert [call["state"] for call in calls] == shown


def test_what_is_written_beside_a_box(drawn):
    tracked = TargetState.TRACKED
    drawn([1], {1: result_in(tracked)}, {1: result_in(tracked, 0.9)})
    drawn(["car"], {"car": result_in(tracked)})
    calls = drawn(["car", 7], {"car": result_in(tracked), 7: result_in(tracked)})
    assert [(call["name"], call["score"]) for call in calls] == [
        (None, 0.75),
        (None, 0.9),
        ("car", 0.75),
        ("car", 0.75),
        ("7", 0.75),
    ]
    assert calls[3]["color"] != calls[4]["color"]


def test_film_cut_short_is_a_warning(track, here):
    whole = make_film(here / "whole.mkv", 60).read_bytes()
    (here / "short.mkv").write_bytes(whole[: len(whole) // 2])
    outcome = track("short.mkv", "--box", BOX, "--save-boxes", "boxes.txt")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: short.mkv: the film is cut short")
    assert outcome.err.count("\n") == 1


def progress_text(total: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "errors", Console(file=screen, force_terminal=True, width=100))
    with terminal.frame_progress() as progress:
        task = progress.add_task("tracking", total=total)
        progress.advance(task, 3)
    return screen.getvalue()


def test_progress_with_and_without_a_known_end(monkeypatch):
    assert "3/12" in progress_text(12, monkeypatch)
    assert "3/?" in progress_text(None, monkeypatch)
    assert "frames/s" in progress_text(None, monkeypatch)


def test_camera_has_no_known_end(track, here, film, monkeypatch):
    class Endless(FrameSource):
        """A camera that is unplugged in the end."""

        def _read(self):
            yield from (Frame(picture(index), index, index / 7) for index in range(4))
            raise KeyboardInterrupt

        def _release(self):
            pass

        def _why_no_frame(self):
            return "it is broken"

    camera = Endless("camera 0", TimeSpan())
    monkeypatch.setattr("aiatrack.video.open_frames", lambda *_a, **_k: camera)
    monkeypatch.setattr(terminal, "errors", Console(file=io.StringIO(), force_terminal=True, width=100))
    outcome = track("0", "--box", BOX, "-o", "out.mkv")
    assert outcome.code == 130
    assert outcome.out.startswith("stopped: 4 frames at ")
    assert film_times(Path("out.mkv")) == pytest.approx([0, 1 / 7, 2 / 7, 3 / 7], abs=2e-3)


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "é"), ("ascii", "\\xe9"), ("latin-1", "é")])
def test_names_on_a_terminal_without_their_letters(encoding, shown, monkeypatch):
    written = io.BytesIO()
    screen = io.TextIOWrapper(written, encoding=encoding, newline="")
    monkeypatch.setattr(terminal, "console", Console(file=screen))
    terminal.print_line("wrote [b]caf\u00e9\n.mp4")
    screen.flush()
    assert written.getvalue().decode(encoding) == f"wrote [b]caf{shown} .mp4\n"
