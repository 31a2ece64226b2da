"""What people's own annotations hold that their layout does not foresee: named and left out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from aiatrack.data.readers import read_coco, read_json_lines, read_mot_challenge, read_yolo
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


def _coco(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A video of six frames with one target, changed."""
    content = {
        "images": [{"id": t, "file_name": f"{t}.png", "video_id": 1, "frame_id": 2 * t} for t in range(6)],
        "videos": [{"id": 1, "name": "v"}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [
            {"id": t, "image_id": t, "category_id": 1, "bbox": BOX, "track_id": 1} for t in range(6)
        ],
    }
    change(content)
    (folder / "own.json").write_text(json.dumps(content))
    return folder / "own.json"


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("annotations", {"bbox": ["1", "2", "30", "30"]}, "annotation 0: bbox"),
        ("annotations", {"bbox": [None, 2, 30, 30]}, "annotation 0: bbox"),
        ("annotations", {"bbox": [10**400, 2, 30, 30]}, "annotation 0: bbox"),
        ("annotations", {"image_id": "0"}, "annotation 0: there is no image '0'"),
        ("annotations", {"image_id": [0]}, "annotation 0: there is no image [0]"),
        ("annotations", {"track_id": [1]}, "annotation 0: track_id [1] is no number or text"),
        ("annotations", {"category_id": {}}, "annotation 0: category_id {} is no number or text"),
        ("images", {"frame_id": None}, "image 0: a frame's number must be a whole one, got None"),
        ("images", {"frame_id": "first"}, "image 0: a frame's number must be a whole one, got 'first'"),
        ("images", {"file_name": 3}, "image 0: no file_name or id"),
        ("images", {"id": [0]}, "image [0]: no file_name or id"),
        ("images", {"video_id": {}}, "image 0: video_id {} is no number or text"),
    ],
)
def test_an_odd_entry_of_coco_is_named_and_left_out(
    tmp_path: Path, part: str, change: dict[str, Any], words: str
) -> None:
    found = read_coco(_coco(tmp_path, lambda content: content[part][0].update(change)))
    (clip,) = found.clips
    (track,) = clip.tracks
    assert track.visible.sum() == 5
    assert clip.frame_numbers.tolist()[-5:] == [2, 4, 6, 8, 10]
    assert any(problem.startswith(words) for problem in found.problems), found.problems


@pytest.mark.parametrize("part", ["annotations", "images"])
def test_an_entry_of_coco_that_is_no_object_is_named(tmp_path: Path, part: str) -> None:
    found = read_coco(_coco(tmp_path, lambda content: content[part].append(["stray"])))
    assert len(found.clips[0].images) == 6
    assert found.problems == (f"{part}: expected objects, got ['stray']",)


@pytest.mark.parametrize("content", [{"images": None}, {"annotations": {}}, {"categories": None}])
def test_coco_without_its_lists_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"own\.json: expected COCO's JSON"):
        read_coco(_coco(tmp_path, lambda whole: whole.update(content)))


def test_a_track_id_of_null_does_not_hide_the_instance_id(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for row in content["annotations"]:
            row.update(track_id=None, instance_id=3)

    (track,) = read_coco(_coco(tmp_path, change)).clips[0].tracks
    assert track.visible.all()


def test_frames_of_coco_as_text_are_put_in_order(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for image in content["images"]:
            image["frame_id"] = str(image["frame_id"])

    (clip,) = read_coco(_coco(tmp_path, change)).clips
    assert clip.frame_numbers.tolist() == [0, 2, 4, 6, 8, 10]


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
