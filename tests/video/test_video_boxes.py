"""Boxes out and in: formats to the character, rows on disk at once, errors by name and line."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from aiatrack.errors import BoxError, DataError, OutputError
from aiatrack.video import BoxRow, open_box_writer, read_boxes_txt

NAN_BOX = (math.nan, math.nan, math.nan, math.nan)
ROWS = [
    BoxRow(0, 0.0, (10.0, 20.5, 30.25, 40.12346), None),
    BoxRow(1, 1 / 30, (-1.0, 0.0, 5.0, 6.0), 0.87654321),
    BoxRow(2, 2 / 30, NAN_BOX, math.nan),
]
NOBODY_JUDGED = {"id": 1, "presence": None, "state": "tracked"}


def write_rows(path: Path) -> Path:
    with open_box_writer(path) as writer:
        for row in ROWS:
            writer.write(row)
    return path


def test_text(tmp_path: Path) -> None:
    text = write_rows(tmp_path / "boxes.txt").read_text()
    assert text == "10.0000,20.5000,30.2500,40.1235\n-1.0000,0.0000,5.0000,6.0000\nnan,nan,nan,nan\n"


def test_csv(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "boxes.csv").read_text().splitlines() == [
        "frame,time,x,y,w,h,score,id,presence,state",
        "0,0.000000,10.0000,20.5000,30.2500,40.1235,,1,,tracked",
        "1,0.033333,-1.0000,0.0000,5.0000,6.0000,0.8765,1,,tracked",
        "2,0.066667,,,,,,1,,tracked",
    ]


def test_json_lines(tmp_path: Path) -> None:
    lines = write_rows(tmp_path / "boxes.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"frame": 0, "time": 0.0, "box": [10.0, 20.5, 30.25, 40.1235], "score": None} | NOBODY_JUDGED,
        {"frame": 1, "time": 0.033333, "box": [-1.0, 0.0, 5.0, 6.0], "score": 0.8765} | NOBODY_JUDGED,
        {"frame": 2, "time": 0.066667, "box": None, "score": None} | NOBODY_JUDGED,
    ]


@pytest.mark.parametrize("state", ["tracked", "lost"])
def test_a_box_without_end_is_refused(state: str) -> None:
    with pytest.raises(BoxError, match=r"frame 3, target 'car': a box must be finite or nan, got .*inf"):
        BoxRow(3, 0.1, (1.0, 2.0, 3.0, math.inf), math.nan, "car", state=state)


def test_figures_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    odd = BoxRow(0, 0.0, (1.0, 2.0, 3.0, 4.0), math.inf, presence=math.nan)
    for name in ("boxes.csv", "boxes.jsonl", "boxes.mot.txt"):
        with open_box_writer(tmp_path / name) as writer:
            writer.write(odd)
    assert (tmp_path / "boxes.csv").read_text().endswith("4.0000,,1,,tracked\n")
    entry = json.loads((tmp_path / "boxes.jsonl").read_text())
    assert (entry["score"], entry["presence"]) == (None, None)
    # As of a row without either figure.
    assert (tmp_path / "boxes.mot.txt").read_text() == "1,1,2.0000,3.0000,3.0000,4.0000,1.0000,-1,-1,-1\n"


def test_times_that_json_lacks_are_refused(tmp_path: Path) -> None:
    with (
        open_box_writer(tmp_path / "boxes.jsonl") as writer,
        pytest.raises(OutputError, match="give finite times"),
    ):
        writer.write(BoxRow(0, math.nan, NAN_BOX, None))
    assert (tmp_path / "boxes.jsonl").read_text() == ""


def test_half_letters_in_names_are_escaped_as_in_json(tmp_path: Path) -> None:
    for name in ("boxes.csv", "boxes.jsonl"):
        with open_box_writer(tmp_path / name) as writer:
            writer.write(BoxRow(0, 0.0, NAN_BOX, None, "caf\udce9"))
        assert "caf\\udce9" in (tmp_path / name).read_text()


def test_text_comes_back(tmp_path: Path) -> None:
    boxes = read_boxes_txt(write_rows(tmp_path / "boxes.txt"))
    np.testing.assert_allclose(boxes[:2], [ROWS[0].box_xywh, ROWS[1].box_xywh], atol=5e-5)
    assert np.isnan(boxes[2]).all()


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".jsonl"])
def test_rows_are_on_disk_as_they_come(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"boxes{suffix}"
    with open_box_writer(path) as writer:
        header = len(path.read_text().splitlines())
        for count, row in enumerate(ROWS, start=1):
            writer.write(row)
            assert len(path.read_text().splitlines()) == header + count


@pytest.mark.parametrize("name", ["boxes.xml", "boxes", "boxes.json", "boxes.mp4"])
def test_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"must end in \.txt, \.csv, \.jsonl"):
        open_box_writer(tmp_path / name)


def test_upper_case_ending_is_taken(tmp_path: Path) -> None:
    assert write_rows(tmp_path / "BOXES.TXT").stat().st_size > 0


def test_missing_folder_and_folder_as_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist: create it"):
        open_box_writer(tmp_path / "missing" / "boxes.txt")
    (tmp_path / "boxes.txt").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        open_box_writer(tmp_path / "boxes.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        open_box_writer(tmp_path / "boxes.txt")


def test_input_is_never_overwritten(tmp_path: Path) -> None:
    annotation = write_rows(tmp_path / "boxes.txt")
    before = annotation.read_text()
    link = tmp_path / "link.txt"
    link.symlink_to(annotation)
    for path in (annotation, link):
        with pytest.raises(OutputError, match="is the input itself"):
            open_box_writer(path, inputs=[annotation])
    assert annotation.read_text() == before


def test_a_link_to_nowhere_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link.txt").symlink_to(tmp_path / "new.txt")
    write_rows(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert len(read_boxes_txt(tmp_path / "new.txt")) == 3


@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_full_disk(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"boxes{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(OutputError, match="no space left"), open_box_writer(path) as writer:
        writer.write(ROWS[0])


def test_writing_after_close(tmp_path: Path) -> None:
    writer = open_box_writer(tmp_path / "boxes.txt")
    writer.close()
    writer.close()
    with pytest.raises(OutputError, match="is closed"):
        writer.write(ROWS[0])


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4\n5.5,6,7,8e0\n",
        "1\t2\t3\t4\n5.5\t6\t7\t8\n",
        "1 2 3 4\n5.5   6 7 8",
        "1, 2, 3, 4\r\n5.5 ,6;7,\t8\r\n\r\n",
        "\ufeff1,2,3,4\n\n5.5,6,7,8\n",
    ],
)
def test_separators(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.txt").write_text(text, newline="")
    boxes = read_boxes_txt(tmp_path / "boxes.txt")
    assert boxes.dtype == np.float64
    np.testing.assert_array_equal(boxes, [[1, 2, 3, 4], [5.5, 6, 7, 8]])


def test_nan_rows_are_kept(tmp_path: Path) -> None:
    (tmp_path / "boxes.txt").write_text("1,2,3,4\nNaN,NaN,NaN,NaN\n")
    assert np.isnan(read_boxes_txt(tmp_path / "boxes.txt")[1]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n1,2,3\n", "line 2: expected four numbers x,y,w,h, got 3"),
        ("1,2,3,4\n\n1,2,x,4\n", "line 3: .*'1,2,x,4'"),
        ("1,2,3,4,5\n", "line 1: .* got 5"),
        ("1,2,3,4,5,6,7,8\n", "line 1: .* got 8; a polygon"),
        ("1,2,,4\n", "line 1"),
        ("1,2,inf,4\n", "line 1: a box must be finite"),
        ("frame,time,x,y\n", "line 1"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "boxes.txt").write_text(text)
    with pytest.raises(BoxError, match=message):
        read_boxes_txt(tmp_path / "boxes.txt")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "No such file"),
        (b"", "holds no box"),
        (b"\n \n", "holds no box"),
        (b"\xff\xfe\x80\x00", "not a text"),
    ],
)
def test_files_without_boxes(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "boxes.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_boxes_txt(path)
