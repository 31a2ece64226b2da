"""What people's own COCO files hold that the layout does not foresee: named and left out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiatrack.data.readers import read_coco
from aiatrack.errors import DataError

BOX = [1, 2, 30, 30]


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


def test_images_of_coco_that_share_an_id_are_left_out_with_their_boxes(tmp_path: Path) -> None:
    def merge(content: dict[str, Any]) -> None:
        content["images"].append({"id": 2, "file_name": "other.png"})
        content["annotations"].append({"id": 9, "image_id": 2, "bbox": BOX})

    found = read_coco(_coco(tmp_path, merge))
    (clip,) = found.clips
    assert clip.frame_numbers.tolist() == [0, 2, 6, 8, 10]
    assert [len(track.frames) for track in clip.tracks] == [5]
    assert found.problems == (
        "image 2: 2.png shares its id with another image",
        "image 2: other.png shares its id with another image",
        "annotation 2: its image 2 is given more than once",
        "annotation 9: its image 2 is given more than once",
    )


def test_a_second_box_of_a_track_in_one_image_of_coco_is_left_out(tmp_path: Path) -> None:
    second = {"id": 9, "image_id": 2, "bbox": [9, 9, 5, 5], "track_id": 1}
    found = read_coco(_coco(tmp_path, lambda content: content["annotations"].append(second)))
    (track,) = found.clips[0].tracks
    assert track.boxes_xywh.tolist() == [BOX] * 6
    assert found.problems == ("annotation 9: track 1 has annotation 2 in the same image 2; it is left out",)


def test_sizes_that_coco_states_are_kept(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["images"][1].update(width=640, height=480)

    (clip,) = read_coco(_coco(tmp_path, change)).clips
    assert clip.declared_sizes is not None
    assert clip.declared_sizes.tolist() == [[0, 0], [640, 480], *[[0, 0]] * 4]
    assert read_coco(_coco(tmp_path, lambda content: None)).clips[0].declared_sizes is None
