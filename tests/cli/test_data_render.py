"""`aiatrack data render`: films to train on, made once, taken up where they were left."""

from pathlib import Path

import pytest

from aiatrack.data import synthetic_source
from aiatrack.data.readers import read_json_lines

SMALL = ("--frames", 8, "--step", 4, "--width", 96, "--height", 72)


def test_films_are_a_source_to_check_and_train_on(run, here):
    outcome = run("data", "render", "films", "--films", 2, *SMALL)
    assert outcome.code == 0, outcome.err
    (rows,) = Path("films").glob("*.jsonl")
    assert f"wrote {rows}: train on it with data.sources.0.path={rows}" in outcome.out
    clips = read_json_lines(rows).clips
    assert [clip.frame_numbers.tolist() for clip in clips] == [[0, 4], [0, 4]]
    assert run("data", "check", "films").code == 0


def test_a_stopped_run_goes_on_where_it_was(run, here, monkeypatch):
    render, rendered = synthetic_source._render_film, []

    def stop_at_the_second(world, folder, place, frame_step):
        rendered.append(place)
        if len(rendered) == 2:
            raise KeyboardInterrupt
        return render(world, folder, place, frame_step)

    monkeypatch.setattr(synthetic_source, "_render_film", stop_at_the_second)
    outcome = run("data", "render", "films", "--films", 3, *SMALL)
    assert outcome.code == 130
    assert "the same command goes on from here" in outcome.out
    assert not list(Path("films").glob("*.jsonl"))
    assert run("data", "render", "films", "--films", 3, *SMALL).code == 0
    assert len(rendered) == 4, "the first one was there"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--frames", 5, "--step", 5), "single picture"),
        (("--films", 0), "--films"),
        (("--width", 3), "--width"),
    ],
)
def test_what_makes_no_films_is_refused(run, here, more, words):
    outcome = run("data", "render", "films", *more)
    assert outcome.code == 2
    assert words in outcome.err
    assert not Path("films").exists()


def test_a_folder_that_cannot_be_written_is_named(run, here):
    Path("films").write_text("in the way", encoding="utf-8")
    outcome = run("data", "render", "films", "--films", 1, *SMALL)
    assert outcome.code != 0
    assert outcome.err.startswith("error: cannot write synthetic films to films")
