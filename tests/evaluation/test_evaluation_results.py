"""Result files, good and bad: every problem named and counted, never a wrong score."""

from pathlib import Path

import numpy as np
import pytest

from aiatrack.errors import DataError
from aiatrack.evaluation.benchmark import BenchmarkSequence, open_benchmark
from aiatrack.evaluation.entry import open_entry, tabulate_entry
from aiatrack.evaluation.results import Results, read_annotations, read_results
from aiatrack.evaluation.rules import RULE_SETS
from aiatrack.number_files import read_number_rows, read_numbers

ROWS = "1,2,30,40\n2,3,30,40.5\n3,4,30,41\n"
EXPECTED = np.array([[1, 2, 30, 40], [2, 3, 30, 40.5], [3, 4, 30, 41]])


@pytest.mark.parametrize(
    "content",
    [
        ROWS.encode(),
        ROWS.replace(",", "\t").encode(),
        ROWS.replace(",", " ").encode(),
        ROWS.replace(",", ", ").encode(),
        ROWS.replace(",", ";").encode(),
        ROWS.replace("\n", "\r\n").encode(),
        ROWS.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + ROWS.encode(),
        ROWS.rstrip().encode(),
        (ROWS + "\n\n").encode(),
        ROWS.replace("30", "3e1").encode(),
    ],
    ids=[
        "comma",
        "tab",
        "space",
        "comma-space",
        "semicolon",
        "crlf",
        "cr",
        "bom",
        "no-end",
        "blank-end",
        "exponent",
    ],
)
def test_all_dialects_of_numbers_read_the_same(tmp_path: Path, content: bytes):
    path = tmp_path / "boxes.txt"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_number_rows(path, columns=4), EXPECTED)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n \n", "is empty"),
        (b"1,2,3,4\n\n1,2,3,4\n", "line 2 of 3 is blank"),
        (b"1,2,3,4\n1,2,3\n", "columns"),
        (b"1,,3,4\n", "rows of numbers"),
        (b"1,2,3,4,\n", "rows of numbers"),
        (b"1,2,3\n1,2,3\n", "4 numbers a row were expected, got 3"),
        (b"x,y,w,h\n1,2,3,4\n", "rows of numbers"),
        (b"\xff\xfe\x00\x01", "not a text file"),
        (b"1,2,3,4\n1,2,3\n", "line 2 has 3 columns, where 4 were expected as in line 1$"),
        (
            b"1 2 3 4\n1 2 x 4\n",
            "line 2 is '1 2 x 4', where only numbers were expected$",
        ),
        (b"1,2,3,4\n1,2,,4\n", "line 2 is '1,2,,4', where only numbers were expected$"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "boxes.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_number_rows(path, columns=4)


def test_flags_that_are_no_numbers_are_named_by_their_line(tmp_path: Path):
    path = tmp_path / "flags.txt"
    path.write_text("0,1\n0;one\n")
    with pytest.raises(
        DataError, match=r"flags.txt .*: line 2 is '0;one', where only numbers were expected$"
    ):
        read_numbers(path)


def read(root: Path, results: Path, *, partial: bool = False) -> Results:
    benchmark = open_benchmark("folders", root)
    return read_results(results, benchmark, read_annotations(benchmark), partial=partial)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "no result file"),
        (lambda path: path.write_text(""), "is empty"),
        (
            lambda path: path.write_text("".join(lines(path)[:-1])),
            "too short: 12 rows were expected.* got 11",
        ),
        (
            lambda path: path.write_text(path.read_text() + "1,1,1,1\n"),
            "too long: 12 rows were expected.* got 13",
        ),
        (
            lambda path: path.write_text(path.read_text().replace("30", "nan", 1)),
            "1 rows are not finite, first row 1",
        ),
        (lambda path: path.write_text(path.read_text() + "inf,1,1,1\n"), "too long"),
        (
            lambda path: path.write_text("".join([*lines(path)[:-1], "inf,1,1,1\n"])),
            "not finite, first row 12",
        ),
        (
            lambda path: path.write_text("".join([*lines(path)[:-1], "1,1,-1,1\n"])),
            "1 boxes of negative size",
        ),
        (
            lambda path: path.write_text("".join([lines(path)[0], "\n", *lines(path)[2:]])),
            "line 2 of 12 is blank",
        ),
    ],
)
def test_a_damaged_result_is_named_and_counted(otb_like, damage, message):
    root, results = otb_like()
    damage(results / "dog.txt")
    with pytest.raises(DataError, match=rf"1 of 3 sequences cannot be used \(dog: .*{message}"):
        read(root, results)
    partial = read(root, results, partial=True)
    assert sorted(partial.boxes) == ["bird", "cat"]
    assert [problem.sequence for problem in partial.problems] == ["dog"]


def test_a_partial_score_says_what_it_leaves_out(otb_like):
    root, results = otb_like()
    (results / "dog.txt").unlink()
    benchmark = open_benchmark("folders", root)
    entry = open_entry(results, benchmark, read_annotations(benchmark), tracker="mine", partial=True)
    content = tabulate_entry(entry, entry.score(RULE_SETS["stark"]))
    assert content["left_out"] == {"dog": "no result file"}
    assert sorted(content["sequences"]) == ["bird", "cat"]
    assert content["overall"]["average_overlap"]["value"] == 1.0
    assert content["rules"]["denominator"] == "all frames"


def test_results_of_another_benchmark_are_recognised(otb_like, tmp_path: Path):
    root, _ = otb_like()
    other = tmp_path / "other"
    other.mkdir()
    (other / "otb_Basketball.txt").write_text(ROWS)
    with pytest.raises(DataError, match="1 of them are named like sequences of otb100"):
        read(root, other)
    (other / "otb_Basketball.txt").unlink()
    (other / "records").mkdir()  # without a result in it: no file that could be called after a sequence
    with pytest.raises(DataError, match="no text files"):
        read(root, other)
    with pytest.raises(DataError, match="there is no folder"):
        read(root, tmp_path / "nowhere")


def test_boxes_in_another_format_are_noticed_by_their_start(otb_like):
    root, results = otb_like()
    for path in results.iterdir():
        boxes = read_number_rows(path)
        boxes[:, 2:] += boxes[:, :2]
        np.savetxt(path, boxes, delimiter=",")
    with pytest.raises(DataError, match=r"start away from their targets in 3 of 3.*not x, y, width, height"):
        read(root, results)


def test_a_single_odd_start_is_noted_not_refused(otb_like):
    root, results = otb_like()
    path = results / "cat.txt"
    path.write_text("".join(["0,0,1,1\n", *lines(path)[1:]]))
    assert "1 sequences start away from their target (cat)" in read(root, results).notes[0]


def test_a_damaged_annotation_is_named(otb_like):
    root, results = otb_like()
    (root / "cat" / "groundtruth.txt").write_text("1,2,3\n")
    with pytest.raises(DataError, match=r"annotation of folders: 1 of 3 sequences cannot be used .cat"):
        read(root, results)


def test_a_partial_reading_says_once_why_annotation_is_lacking(otb_like, monkeypatch: pytest.MonkeyPatch):
    root, results = otb_like()
    (root / "cat" / "groundtruth.txt").write_text("1,2,3\n")
    benchmark = open_benchmark("folders", root)
    annotations = read_annotations(benchmark, partial=True)
    assert sorted(annotations) == ["bird", "dog"]
    assert [problem.sequence for problem in annotations.problems] == ["cat"]
    monkeypatch.setattr(BenchmarkSequence, "read_annotation", lambda _: pytest.fail("read once more"))
    found = read_results(results, benchmark, annotations, partial=True)
    assert found.problems == annotations.problems
    with pytest.raises(DataError, match=r"1 of 3 sequences cannot be used .cat"):
        read_results(results, benchmark, annotations)


@pytest.mark.parametrize(
    ("truth", "box", "noted"),
    [
        ("20,30,40,50", "20,30,40,25", False),  # an overlap of exactly one half
        ("20,30,40,50", "20,30,40,24.9", True),
        ("20,30,0,0", "20,30,0,0", False),
        ("nan,nan,nan,nan", "1,2,3,4", False),
    ],
)
def test_a_result_starts_at_its_target_if_half_of_it_overlaps(otb_like, truth: str, box: str, noted: bool):
    root, results = otb_like()
    for path, row in ((root / "cat" / "groundtruth.txt", truth), (results / "cat.txt", box)):
        path.write_text("".join([f"{row}\n", *lines(path)[1:]]))
    assert bool(read(root, results).notes) is noted


def test_prefixes_subfolders_and_numbered_runs_are_found(otb_like):
    root, results = otb_like()
    inner = results / "folders"
    inner.mkdir()
    for path in results.glob("*.txt"):
        (inner / path.stem).mkdir()
        path.rename(inner / path.stem / f"{path.stem}_001.txt")
        (inner / path.stem / f"{path.stem}_time.txt").write_text("0.0\n" + "0.02\n" * 11)
    found = read(root, results)
    assert sorted(found.boxes) == ["bird", "cat", "dog"]
    assert found.frames_per_second == pytest.approx(50)


def put_times(results: Path, rows: str) -> None:
    for path in results.glob("*.txt"):
        path.with_name(f"{path.stem}_time.txt").write_text(rows)


def test_times_of_three_runs_are_read(otb_like):
    root, results = otb_like()
    put_times(results, "0.02,0.02,0.02\n" * 12)
    found = read(root, results)
    assert (found.frames_per_second, found.notes) == (pytest.approx(50), ())


@pytest.mark.parametrize(
    "rows",
    ["0.02\n" * 11, "0.02,0.02\n" * 12, "0.02\n" * 11 + "-1\n", "0.02\n" * 11 + "nan\n", "quick\n" * 12, ""],
    ids=["short", "two columns", "negative", "nan", "words", "empty"],
)
def test_times_that_are_none_are_left_out_with_a_note(otb_like, rows: str):
    root, results = otb_like()
    put_times(results, rows)
    found = read(root, results)
    assert sorted(found.boxes) == ["bird", "cat", "dog"]
    assert found.frames_per_second is None
    assert "times of 3 sequences (bird, cat, dog) are left out" in found.notes[0]
