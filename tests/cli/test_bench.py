"""`aiatrack bench` end to end, with a network that is quick and knows nothing."""

import csv
import json

import cv2
import pytest
from cli_inputs import BOX
from rich.console import Console

from aiatrack.cli import terminal
from aiatrack.cli.bench import parse_counts, parse_peers
from aiatrack.cli.bench_table import build_table
from aiatrack.errors import SettingsError
from aiatrack.timing import WARM_UP_FRAMES, Contender, Spread, Timing, enter_models
from aiatrack.timing.stages import NETWORK_STAGES


@pytest.fixture
def bench(run, tiny_weights, film):
    """On the little film, which has room for `12 - 1 - WARM_UP_FRAMES` timed frames."""
    return lambda *more: run(
        "bench", "--model", tiny_weights, "--film", film, "--box", BOX, "--frames", 6, "--repeat", 2, *more
    )


def test_the_film_of_these_tests_is_just_long_enough(bench):
    assert 1 + WARM_UP_FRAMES + 6 == 12


def test_json_has_machine_versions_stages_and_film(bench, here):
    outcome = bench("--targets", "1,3", "--peers", "none", "-o", "bench.json")
    assert outcome.code == 0, outcome.err
    report = json.loads((here / "bench.json").read_text())
    assert report["machine"]["processor"]
    assert "host" not in report["machine"]
    assert {"python", "torch", "numpy", "aiatrack"} <= set(report["versions"])
    assert report["settings"] == {"film": "street.mp4", "width": 96, "height": 64, "frames": 12, "rounds": 2}
    assert [(row["tracker"], row["targets"]) for row in report["rows"]] == [("tiny", 1), ("tiny", 3)]
    for row in report["rows"]:
        assert row["update_ms"]["count"] == 2 * 6
        assert row["film_frames_per_s"]["count"] == row["film_cpu_ms"]["count"] == 2
        assert row["film_cpu_ms"]["low"] > 0
        assert {"crop", "encode", "locate", "rest"} <= set(row["stages_ms"])
        parts = sum(row["stages_ms"][name]["low"] for name in ("crop", "encode", "locate", "rest"))
        assert 0 < parts <= row["update_ms"]["high"] * 1.01
    assert report["film"]["decode_ms"]["count"] == 2
    assert report["film"]["encode_film_ms"]["median"] > 0


def test_frames_looked_at_together_are_timed_beside(bench, here):
    outcome = bench("--look-ahead", "1,3", "--peers", "none", "-o", "bench.json")
    assert outcome.code == 0, outcome.err
    rows = [line.split() for line in outcome.out.splitlines() if line.startswith("tiny")]
    assert [row[3:5] for row in rows] == [["1", "1"], ["1", "3"]], "boxes and frames ahead"
    alone, together = json.loads((here / "bench.json").read_text())["rows"]
    assert (alone["look_ahead"], together["look_ahead"]) == (1, 3)
    assert alone["update_ms"]["count"] == 2 * 6
    assert together["update_ms"] is None and together["stages_ms"] == {}
    assert together["film_frames_per_s"]["count"] == together["film_cpu_ms"]["count"] == 2


def test_tracking_settings_are_those_asked_for(bench, here):
    outcome = bench("--set", "ensemble_size=2", "--peers", "none", "-o", "bench.json")
    assert outcome.code == 0, outcome.err
    assert "; ensemble_size=2" in outcome.out
    assert json.loads((here / "bench.json").read_text())["settings"]["tracking"] == {"ensemble_size": 2}


def test_tracking_settings_reach_the_tracker(tiny_weights, tmp_path):
    options = {"device": "cpu", "folder": tmp_path, "tracking": {"search_factor": 3.5}}
    (entered,) = enter_models([str(tiny_weights)], ["eager"], ["float32"], [1], **options)
    for follower in (entered.follower, entered.staged):
        assert follower._settings.search_factor == 3.5


def test_without_targets_all_boxes_are_followed(bench, here):
    assert bench("--box", "5,5,20,20", "--box", "40,5,20,20", "--peers", "none", "-o", "bench.json").code == 0
    assert [row["targets"] for row in json.loads((here / "bench.json").read_text())["rows"]] == [3]


def test_csv_has_one_line_a_stage_below_its_header(bench, here):
    assert bench("--peers", "none", "-o", "bench.csv").code == 0
    lines = (here / "bench.csv").read_text().splitlines()
    header = [line for line in lines if line.startswith("# ")]
    assert [line[2:].partition(":")[0] for line in header] == ["machine", "versions", "settings", "method"]
    rows = list(csv.DictReader(lines[len(header) :]))
    tiny = {row["stage"]: row for row in rows if row["tracker"] == "tiny"}
    assert {"crop", "encode", "locate", "rest", "update", "film_cpu", "film"} <= set(tiny)
    assert tiny["film"]["unit"] == "frames/s"
    assert float(tiny["update"]["p10"]) <= float(tiny["update"]["median"]) <= float(tiny["update"]["p90"])


def test_table_names_every_contender(bench):
    outcome = bench("--peers", "mil", "--targets", "2")
    assert outcome.code == 0, outcome.err
    rows = [line.split() for line in outcome.out.splitlines() if line.split()[:1] in (["tiny"], ["mil"])]
    assert [row[0] for row in rows] == ["tiny", "mil"]
    assert "the first 5 updates of every pass left out" in outcome.out
    assert outcome.err == ""


def test_a_peer_that_is_not_built_in_is_a_note(bench, monkeypatch):
    monkeypatch.delattr(cv2, "TrackerCSRT_create", raising=False)
    outcome = bench("--peers", "csrt")
    assert outcome.code == 0, outcome.err
    assert "csrt opencv: not available: this OpenCV" in outcome.out


def test_a_preset_without_weights_gets_random_ones_and_says_so(tmp_path):
    from aiatrack.timing.contenders import _weights_or_random

    path, note = _weights_or_random("base", tmp_path)
    assert path.parent == tmp_path
    assert "random weights" in note


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--targets", "0"), 2, "--targets takes numbers from 1 to 1024, such as 1,8,32; got '0'"),
        (("--peers", "dlib"), 2, "there is no OpenCV tracker 'dlib'"),
        (("--peers", "nano"), 2, "OpenCV's nano needs its model: opencv:nano:FOLDER"),
        (("--frames", "60"), 5, "has 12 frames, but 66 are asked for: lower --frames"),
        (("--box", "500,500,9,9"), 3, "outside"),
        (("-o", "bench.txt"), 6, "a timing report ends in .json or .csv; got bench.txt"),
        (("--model", "nothing"), 2, "nothing"),
        (("--runtime", "magic"), 2, "unknown runtime 'magic'"),
        (("--device", "cuda:77"), 2, "cuda:77"),
        (("--set", "search_factor=0"), 2, "search_factor"),
        (("--set", "ensemble=2"), 2, "there is no setting ensemble"),
        (("--look-ahead", "0"), 2, "--look-ahead takes numbers from 1 to 64"),
    ],
)
def test_mistakes_are_said_in_one_line(bench, here, more, code, words):
    outcome = bench(*more)
    assert outcome.code == code
    assert outcome.err.startswith("error: ")
    assert words in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_film_needs_a_box(run, film):
    outcome = run("bench", "--film", film)
    assert outcome.code == 2
    assert "--film and --box go together" in outcome.err


def test_lists():
    assert parse_counts("1, 8,32") == [1, 8, 32]
    assert parse_counts("4,1,4") == [4, 1]
    assert parse_peers("csrt, nano:models") == ["csrt", "nano:models"]
    assert parse_peers("none") == []
    with pytest.raises(SettingsError):
        parse_counts("many")
    with pytest.raises(SettingsError, match="--look-ahead takes numbers from 1 to 4"):
        parse_counts("1,5", "--look-ahead", 4)


def test_runtimes_and_precisions_that_do_not_go_together_are_notes(bench):
    outcome = bench("--runtime", "eager", "--precision", "float32", "--precision", "int8", "--peers", "none")
    assert outcome.code == 0, outcome.err
    assert "tiny eager int8: not available: int8 is for exported networks" in outcome.out


def test_nothing_left_to_time_is_an_error(bench):
    outcome = bench("--runtime", "eager", "--precision", "int8", "--peers", "none")
    assert outcome.code == 2
    assert "there is nothing to time: tiny eager int8 is not available" in outcome.err


@pytest.mark.parametrize("name", ["nano", "a-name-of-some-length"])
@pytest.mark.parametrize("columns", [20, 80, 84, 85, 86, 87, 88, 90, 100, 200])
def test_no_number_of_the_table_is_cut(monkeypatch, capsys, name, columns):
    """Of a number that is cut off no one can tell."""
    monkeypatch.setattr(terminal, "console", Console(width=columns))
    numbers = [Spread.of([value]) for value in (0.53, 12.6, 101.2, 33.4, 1234.0, 87.6, 139.0)]
    *stages, update, film, cpu = numbers
    contender = Contender(name, "openvino", "float32", 1024)
    stages_ms = dict(zip(NETWORK_STAGES, stages, strict=True))
    terminal.print_table(build_table([Timing(contender, update, stages_ms, 1.0, film, cpu)]))
    words = capsys.readouterr().out.split()
    assert {"cpu", "1024", *(str(number).split()[0] for number in numbers)} <= set(words)
