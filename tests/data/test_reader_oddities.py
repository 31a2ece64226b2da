"""What people's own annotations hold that their layout does not foresee: named and left out."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from aiatrack.data.readers import (
    read_json_lines,
    read_mot_challenge,
    read_trackingnet,
    read_yolo,
)
from aiatrack.errors import DataError

BOX = [1, 2, 30, 30]


def _image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((48, 64, 3), 90, dtype=np.uint8))


def _rows(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "own.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def _frame(name: str, frame: object, **more: object) -> dict[str, Any]:
    return {"image": name, "boxes": [BOX], "video": "v", "frame": frame, **more}


def test_frames_of_a_video_as_text_are_put_in_order(tmp_path: Path) -> None:
    (clip,) = read_json_lines(_rows(tmp_path, *(_frame(f"{t}.png", str(t)) for t in (10, 9, 2)))).clips
    assert clip.frame_numbers.tolist() == [2, 9, 10]
    assert [path.name for path in clip.images] == ["2.png", "9.png", "10.png"]


def test_frames_below_0_keep_their_numbers(tmp_path: Path) -> None:
    (clip,) = read_json_lines(_rows(tmp_path, *(_frame(f"{t}.png", t) for t in (-2, -1, 0)))).clips
    assert clip.frame_numbers.tolist() == [-2, -1, 0]


def test_frames_without_any_number_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    (clip,) = read_json_lines(_rows(tmp_path, *(_frame(f"{t}.png", None) for t in (5, 3, 4)))).clips
    assert clip.frame_numbers.tolist() == [0, 1, 2]
    assert [path.name for path in clip.images] == ["5.png", "3.png", "4.png"]


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (_frame("b.png", None), "has no frame number"),
        (_frame("b.png", "frame_2"), "a frame's number must be a whole one, got 'frame_2'"),
        (_frame("b.png", 1.5), "a frame's number must be a whole one, got 1.5"),
        (_frame("b.png", 1e30), "a frame's number must be"),
        (_frame("b.png", 7, image=None), "image must be a path, got None"),
        (_frame("b.png", 7, mask=3), "mask must be a path or null, got 3"),
        (_frame("b.png", 7, labels=5), "labels must be a list or null, got 5"),
        (_frame("b.png", 7, boxes=None), "boxes must be lists of four numbers"),
        (_frame("b.png", 7, boxes=[[1, 2, 3, 4, 5, 6, 7, 8]]), "boxes must be lists of four numbers"),
        (_frame("b.png", 7, boxes=[[10**400, 2, 3, 4]]), "boxes must be lists of four numbers"),
    ],
)
def test_an_odd_row_is_named_and_left_out(tmp_path: Path, odd: dict[str, Any], words: str) -> None:
    found = read_json_lines(_rows(tmp_path, _frame("a.png", "1"), odd, _frame("c.png", 3)))
    (clip,) = found.clips
    assert clip.frame_numbers.tolist() == [1, 3]
    (problem,) = found.problems
    assert problem.startswith("own.jsonl, line 2: ")
    assert words in problem


def test_a_byte_order_mark_and_a_line_separator_within_a_name(tmp_path: Path) -> None:
    path = _rows(tmp_path, {"image": "a\u2028b.png", "boxes": [BOX]}, {"image": "c.png", "boxes": [BOX]})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    found = read_json_lines(path)
    assert [clip.name for clip in found.clips] == ["a\u2028b.png", "c.png"]
    assert found.problems == ()


@pytest.mark.parametrize("indent", [None, 1])
def test_a_coco_file_as_json_lines_names_its_layout(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"images": [], "annotations": []}, indent=indent))
    with pytest.raises(DataError, match=r"mine\.json.*COCO's JSON: set layout=coco"):
        read_json_lines(path)


def _mot(folder: Path, rows: str, names: list[str]) -> Path:
    (folder / "seq" / "gt").mkdir(parents=True)
    (folder / "seq" / "gt" / "gt.txt").write_text(rows)
    for name in names:
        _image(folder / "seq" / "img1" / name)
    return folder


def test_unknown_visibility_counts_as_visible(tmp_path: Path) -> None:
    rows = "1,1,11,21,5,6,1,-1,-1\n2,1,12,22,5,6,1,-1,0\n"
    (clip,) = read_mot_challenge(_mot(tmp_path, rows, ["000001.jpg", "000002.jpg"])).clips
    assert clip.tracks[0].visible.tolist() == [True, False]


@pytest.mark.parametrize("first", [0, 1, 301])
def test_frames_of_mot_challenge_are_found_by_the_number_in_their_name(tmp_path: Path, first: int) -> None:
    rows = "".join(f"{first + t},1,{11 + t},21,5,6,1,1,1\n" for t in (0, 1, 3))
    folder = _mot(tmp_path, rows, [f"{first + t:06d}.jpg" for t in (0, 1, 3)])
    (folder / "seq" / "img1" / ".DS_Store").write_bytes(b"x")
    (folder / "seq" / "img1" / "._000001.jpg").write_bytes(b"x")
    (folder / "seq" / "img1" / "notes.txt").write_text("x")
    found = read_mot_challenge(folder)
    (clip,) = found.clips
    assert [path.name for path in clip.images] == [f"{first + t:06d}.jpg" for t in (0, 1, 3)]
    assert clip.frame_numbers.tolist() == [first, first + 1, first + 3]
    assert clip.tracks[0].boxes_xywh[:, 0].tolist() == [10, 11, 13]
    assert not found.problems


def test_rows_of_mot_challenge_without_an_image_are_named(tmp_path: Path) -> None:
    rows = "1,1,11,21,5,6,1,1,1\n7,1,11,21,5,6,1,1,1\n8,1,11,21,5,6,1,1,1\n"
    found = read_mot_challenge(_mot(tmp_path, rows, ["000001.jpg", "1.png", "cover.jpg"]))
    assert [path.name for path in found.clips[0].images] == ["000001.jpg"]
    assert "1.png: 000001.jpg is of the same frame" in found.problems[0]
    assert "cover.jpg: no frame number in its name" in found.problems[1]
    assert "gt.txt: 2 rows are of frames without an image in img1" in found.problems[2]


_ROWS = "1,2,3,4\n5,6,7,8\n9,10,11,12\n"


def _trackingnet(folder: Path, rows: bytes) -> Path:
    """A clip with these rows, and a good one."""
    for name, content in (("a", rows), ("good", _ROWS.encode())):
        (folder / "TRAIN_0" / "anno").mkdir(parents=True, exist_ok=True)
        (folder / "TRAIN_0" / "anno" / f"{name}.txt").write_bytes(content)
        for t in range(3):
            _image(folder / "TRAIN_0" / "frames" / name / f"{t}.jpg")
    return folder


@pytest.mark.parametrize(
    "rows",
    [
        _ROWS.replace(",", "\t"),
        _ROWS.replace(",", "  "),
        _ROWS.replace(",", ", "),
        _ROWS.replace("\n", ",\n"),
        _ROWS.replace("\n", ", \r\n"),
        _ROWS.replace("\n", " \n"),
        _ROWS.replace("\n", "\r\n"),
        _ROWS.rstrip(),
        _ROWS + "\n \n",
        "\ufeff" + _ROWS,
    ],
)
def test_rows_of_numbers_in_every_dialect_read_the_same(tmp_path: Path, rows: str) -> None:
    found = read_trackingnet(_trackingnet(tmp_path, rows.encode()))
    assert not found.problems
    boxes = [clip.tracks[0].boxes_xywh.tolist() for clip in found.clips]
    assert boxes == [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]] * 2


def test_rows_without_numbers_are_frames_without_a_box(tmp_path: Path) -> None:
    found = read_trackingnet(_trackingnet(tmp_path, b"1,2,3,4\nNaN,NaN,NaN,NaN\n9,10,0,0\n"))
    (track,) = found.clips[0].tracks
    assert (track.frames.tolist(), track.visible.tolist()) == ([0, 2], [True, False])
    assert not found.problems


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,2,3,4\n5,6,7\n8,9,10,11,12\n1,2,3,4\n", "line 2 has 3 columns, where 4 were expected"),
        ("1,2,3,4\n1,,3,4,5\n8,9,10\n", "line 2 is '1,,3,4,5', where only numbers were expected"),
        ("1,2,3,4\n\n5,6,7,8\n", "line 2 of 3 is blank"),
        ("1,2,3,\n5,6,7,\n8,9,10,\n", "4 numbers a row were expected, got 3"),
        ("1,2,3,4\n5,6,7,8\nx,y,w,h\n", "line 3 is 'x,y,w,h'"),
        ("\n", "is empty"),
        ("\udcff\n", "is not a text file"),
    ],
)
def test_rows_that_do_not_fit_leave_their_sequence_out(tmp_path: Path, rows: str, words: str) -> None:
    found = read_trackingnet(_trackingnet(tmp_path, rows.encode(errors="surrogateescape")))
    assert [clip.name for clip in found.clips] == ["good"]
    (problem,) = found.problems
    assert "a.txt" in problem
    assert words in problem


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,1,11,21,5,6\n2,1,12,22,5\n1,13,23,5,6,7,8\n", "line 2 has 5 columns"),
        ("1,1,11,21,5,6\n2,,12,22,5,6\n", "line 2 is '2,,12,22,5,6'"),
        ("1,1,11,21,5\n", "at least frame, id, left, top, width, height in a row, got 5"),
    ],
)
def test_rows_of_mot_challenge_that_do_not_fit_leave_their_sequence_out(
    tmp_path: Path, rows: str, words: str
) -> None:
    _mot(tmp_path, rows, ["000001.jpg", "000002.jpg"])
    (tmp_path / "seq").rename(tmp_path / "bad")
    found = read_mot_challenge(_mot(tmp_path, "1,1,11,21,5,6,1,1,1,\n", ["000001.jpg"]))
    assert [clip.name for clip in found.clips] == ["seq"]
    (problem,) = found.problems
    assert "gt.txt" in problem
    assert words in problem


def test_rows_of_mot_challenge_without_an_id_or_a_box_are_named(tmp_path: Path) -> None:
    rows = "1,nan,11,21,5,6,1,nan,1\n1,1,nan,21,5,6,1,nan,1\n2,1,12,22,5,6,1,nan,1\n"
    found = read_mot_challenge(_mot(tmp_path, rows, ["000001.jpg", "000002.jpg"]))
    (track,) = found.clips[0].tracks
    assert (track.frames.tolist(), track.boxes_xywh.tolist()) == ([1], [[11, 21, 5, 6]])
    assert found.problems == (f"{tmp_path / 'seq' / 'gt' / 'gt.txt'}: 2 rows are without an id or a box",)


def test_of_two_rows_for_one_frame_of_mot_challenge_the_last_counts(tmp_path: Path) -> None:
    rows = "2,1,12,22,5,6,1,1,1\n1,1,11,21,5,6,1,1,1\n2,1,13,23,5,6,1,1,0\n"
    (clip,) = read_mot_challenge(_mot(tmp_path, rows, ["000001.jpg", "000002.jpg"])).clips
    (track,) = clip.tracks
    assert (track.frames.tolist(), track.visible.tolist()) == ([0, 1], [True, False])
    assert track.boxes_xywh[:, 0].tolist() == [10, 12]


def _yolo(folder: Path, row: str) -> Path:
    _image(folder / "images" / "a.jpg")
    _image(folder / "images" / "good.jpg")
    (folder / "images" / "._a.jpg").write_bytes(b"of macOS")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text(row + "\n")
    (folder / "labels" / "good.txt").write_text("\ufeff0 0.5 0.5 0.25 0.5\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "row",
    [
        "0 0.5 0.5 0.2 0.2 0.9",
        "0 0.5 0.5 0.2 0.2 0.9 7",
        "0 0.5 0.5 0.2 0.2 0.9 1",
        "0 32 24 10 10",
        "0 0.5 0.5 nan 0.2",
        "0 0.1 0.1 0.4 0.1 0.4 1.5",
    ],
)
def test_a_yolo_row_that_cannot_be_told_is_refused(tmp_path: Path, row: str) -> None:
    found = read_yolo(_yolo(tmp_path, row))
    (clip,) = found.clips
    assert (clip.name, clip.tracks[0].label) == ("good.jpg", "0")
    (problem,) = found.problems
    assert "a.txt, line 1" in problem


def test_yolo_boxes_may_stick_out_a_little(tmp_path: Path) -> None:
    found = read_yolo(_yolo(tmp_path, "0 0.0 1.0 1.05 1.0"))
    assert len(found.clips) == 2


@pytest.mark.parametrize(("shape", "points"), [("[2, 3]", "0.4 0.4 2 0.6 0.6 0"), ("[1, 2]", "0.4 1")])
def test_yolo_poses_are_read_by_the_shape_that_data_yaml_gives(
    tmp_path: Path, shape: str, points: str
) -> None:
    folder = _yolo(tmp_path, f"0 0.5 0.5 0.25 0.5 {points}")
    (folder / "data.yaml").write_text(f"kpt_shape: {shape}\n")
    found = read_yolo(folder)
    assert not found.problems
    np.testing.assert_allclose(found.clips[0].tracks[0].boxes_xywh, [[24, 12, 16, 24]])


@pytest.mark.parametrize("name", ["data.yaml", "mine.yml"])
def test_a_yolo_folder_may_be_named_by_its_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = _yolo(tmp_path, "0 0.5 0.5 0.25 0.5 0.4 1")
    (folder / name).write_text("kpt_shape: [1, 2]\nnames: [thing]\n")
    found = read_yolo(folder / name)
    assert (found.name, len(found.clips), found.problems) == (folder.name, 2, ())
    monkeypatch.chdir(folder)
    assert read_yolo(Path(name)).name == folder.name
    assert {clip.name for clip in read_yolo(Path(name)).clips} == {clip.name for clip in found.clips}


@pytest.mark.parametrize("content", ["kpt_shape: 17\n", "kpt_shape: [a, b]\n", "names: [\n", "- 1\n", "\x00"])
def test_a_data_yaml_without_a_shape_of_poses_changes_nothing(tmp_path: Path, content: str) -> None:
    folder = _yolo(tmp_path, "0 0.5 0.5 0.25 0.5")
    (folder / "data.yaml").write_text(content)
    assert len(read_yolo(folder).clips) == 2
