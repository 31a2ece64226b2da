"""`--look-ahead`: the same rows as frame by frame, and refused where the next frames are not at hand."""

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import av
import pytest
from cli_inputs import BOX, make_folder

from aiatrack.cli.track_run import TrackRun
from aiatrack.tracking import MultiTracker

AT_ONCE = ("--set", "max_shift_ahead=0.5")


def rows_of(path: Path) -> list[tuple[str, int]]:
    return [(row["id"], int(row["frame"])) for row in csv.DictReader(path.open())]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many frames each call was given, and in how many it found the targets."""
    update_ahead, asked = MultiTracker.update_ahead, []

    def note(self, frames):
        found = update_ahead(self, frames)
        asked.append((len(frames), len(found)))
        return found

    monkeypatch.setattr(MultiTracker, "update_ahead", note)
    return asked


@pytest.mark.parametrize("count", [1, 2, 4, 64])
def test_every_frame_is_written_once_and_in_turn(track, here, film, calls, count):
    arguments = ("--box", BOX, "--save-boxes", "boxes.csv", "-o", "out.mp4", "--look-ahead", count)
    outcome = track(film, *arguments, *AT_ONCE)
    assert outcome.code == 0, outcome.err
    assert rows_of(here / "boxes.csv") == [("1", frame) for frame in range(12)]
    with av.open("out.mp4") as written:
        assert sum(1 for _ in written.decode(video=0)) == 12
    assert max(given for given, _ in calls) == min(count, 11)
    assert all(1 <= found <= given for given, found in calls)


def test_one_frame_at_a_time_is_what_is_done_without(track, here, film):
    for name, more in (("with", ("--look-ahead", 1)), ("without", ())):
        assert track(film, "--box", BOX, "--save-boxes", f"{name}.csv", *more).code == 0
    assert (here / "with.csv").read_text() == (here / "without.csv").read_text()


def test_targets_come_and_go_in_their_frames(track, here, film, calls):
    (here / "targets.csv").write_text(
        "id,frame,x,y,w,h,last\nlate,7,20,20,20,20,\n3,0,20,20,20,20,4\nbrief,5,50,10,16,30,5\n"
    )
    arguments = ("--boxes", "targets.csv", "--save-boxes", "boxes.csv", "--look-ahead", 8)
    assert track(film, *arguments, *AT_ONCE).code == 0
    rows = rows_of(here / "boxes.csv")
    expected = [("3", 0), ("3", 1), ("3", 2), ("3", 3), ("3", 4), ("brief", 5)]
    assert rows == expected + [("late", frame) for frame in range(7, 12)]
    assert max(given for given, _ in calls) == 4, "after 0, up to where a target is let go"


def test_a_film_that_breaks_off_keeps_the_frames_before(track, here):
    make_folder(here / "images", [(96, 64)] * 5 + [(90, 64)])
    arguments = ("--box", BOX, "--save-boxes", "boxes.csv", "--look-ahead", 8)
    outcome = track("images", *arguments, *AT_ONCE)
    assert outcome.code != 0
    assert "frame 5 is 90 x 64" in outcome.err
    assert rows_of(here / "boxes.csv") == [("1", frame) for frame in range(5)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_gives_its_frames_one_at_a_time(track, here, film):
    os.mkfifo("pipe.mkv")
    with ThreadPoolExecutor() as sender:
        sender.submit(Path("pipe.mkv").write_bytes, film.read_bytes())
        outcome = track("pipe.mkv", "--box", BOX, "--save-boxes", "boxes.csv", "--look-ahead", 2)
    assert outcome.code == 2
    assert "pipe.mkv gives its frames one at a time" in outcome.err
    assert not (here / "boxes.csv").exists()


@pytest.mark.parametrize("count", [0, 65, "many"])
def test_a_number_of_frames(track, here, film, count):
    outcome = track(film, "--box", BOX, "--save-boxes", "boxes.csv", "--look-ahead", count)
    assert outcome.code == 2
    assert not (here / "boxes.csv").exists()


def test_the_film_goes_on_where_a_run_was_stopped(track, here, film, monkeypatch):
    """Frames that were held, or found, and not written are none that somebody looked at."""

    def stop_at_frame_3(self, frame, results, sinks):
        if frame.index == 3:
            raise KeyboardInterrupt
        write(self, frame, results, sinks)

    write = TrackRun._write
    monkeypatch.setattr(TrackRun, "_write", stop_at_frame_3)
    arguments = ("--no-presence", "--box", BOX, "--save-boxes", "boxes.cvat.xml", "--look-ahead", 64)
    outcome = track(film, *arguments, *AT_ONCE)
    assert outcome.code == 130
    boxes = ElementTree.parse("boxes.cvat.xml").getroot().findall("track/box")
    assert [(box.get("frame"), box.get("outside")) for box in boxes] == [
        ("0", "0"), ("1", "0"), ("2", "0"), ("3", "1"),
    ]  # fmt: skip
