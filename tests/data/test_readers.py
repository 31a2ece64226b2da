"""Each layout, made small by hand, read into the common form; what is wrong in it is named and left out."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.config import DataSettings, Layout, SourceSettings
from aiatrack.data import check_source
from aiatrack.data.readers import (
    read_coco,
    read_got10k,
    read_json_lines,
    read_lasot,
    read_mot_challenge,
    read_trackingnet,
    read_yolo,
)
from aiatrack.errors import DataError, SettingsError


def _image(path: Path, width: int = 64, height: int = 48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, dtype=np.uint8))


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "labels": ["x", "y"], "mask": "a_mask.png"},
        {"image": "v1.png", "boxes": [[9, 9, 9, 9]], "labels": ["car"], "video": "v", "frame": 20},
        {
            "image": "v0.png",
            "boxes": [[8, 8, 8, 8], [1, 1, 2, 2]],
            "labels": ["car", "dog"],
            "video": "v",
            "frame": 10,
        },
        {"image": "v2.png", "boxes": [], "labels": [], "video": "v", "frame": 30},
        {"boxes": []},
    ]
    _text(tmp_path / "own.jsonl", "\n".join(json.dumps(row) for row in rows) + "\nnot json\n")
    found = read_json_lines(tmp_path / "own.jsonl")
    still, video = found.clips
    assert found.name == "own"
    assert (still.is_video, video.is_video) == (False, True)
    assert [track.label for track in still.tracks] == ["x", "y"]
    assert [int(track.mask_values[0]) for track in still.tracks if track.mask_values is not None] == [1, 2]
    assert [path.name for path in video.images] == ["v0.png", "v1.png", "v2.png"]
    assert video.frame_numbers.tolist() == [10, 20, 30]
    car, dog = video.tracks
    assert (car.frames.tolist(), car.visible.tolist()) == ([0, 1], [True, True])
    assert car.boxes_xywh.tolist() == [[8, 8, 8, 8], [9, 9, 9, 9]]
    assert (dog.label, dog.frames.tolist(), dog.visible.tolist()) == ("dog", [0], [True])
    assert len(found.problems) == 2
    assert "line 5" in found.problems[0]
    assert "line 6: not JSON" in found.problems[1]


def test_json_lines_without_identity_are_stills(tmp_path: Path) -> None:
    rows = [{"image": f"{t}.png", "boxes": [[1, 1, 5, 5]], "video": "v", "frame": t} for t in range(3)]
    _text(tmp_path / "own.jsonl", "\n".join(json.dumps(row) for row in rows))
    assert [clip.is_video for clip in read_json_lines(tmp_path / "own.jsonl", identity=False).clips] == [
        False
    ] * 3


def test_lasot_hides_occluded_and_absent_frames(tmp_path: Path) -> None:
    folder = tmp_path / "airplane" / "airplane-10"
    _text(folder / "groundtruth.txt", "1,2,3,4\n2,2,3,4\n3,2,3,4\n4,2,0,0\n")
    _text(folder / "full_occlusion.txt", "0,1,0,0")
    _text(folder / "out_of_view.txt", "0,0,0,0")
    for t in range(1, 5):
        _image(folder / "img" / f"{t:08d}.jpg")
    found = read_lasot(tmp_path)
    (clip,) = found.clips
    assert clip.name == "airplane-10"
    assert clip.tracks[0].visible.tolist() == [True, False, True, False]
    assert clip.images[3] == folder / "img" / "00000004.jpg"
    assert len(found.problems) == 1119  # the other training sequences are not there
    assert "airplane-11" in " ".join(found.problems)
    assert len(read_lasot(tmp_path, "all").problems) == 0


def test_got10k_splits_and_labels(tmp_path: Path) -> None:
    for name in ("GOT-10k_Train_000001", "GOT-10k_Train_000003"):
        folder = tmp_path / "train" / name
        _text(folder / "groundtruth.txt", "1,2,3,4\n2,2,3,4\n3,2,3,4\n")
        _text(folder / "absence.label", "0\n1\n0\n")
        _text(folder / "cover.label", "8\n8\n0\n")
        for t in range(1, 4):
            _image(folder / f"{t:08d}.jpg")
    found = read_got10k(tmp_path, "train")
    assert [clip.name for clip in found.clips] == ["GOT-10k_Train_000001", "GOT-10k_Train_000003"]
    assert found.clips[0].tracks[0].visible.tolist() == [True, False, False]
    vot = read_got10k(tmp_path)
    assert len(vot.clips) + len(vot.problems) == 7086
    assert "GOT-10k_Train_000001" in {clip.name for clip in vot.clips}
    with pytest.raises(SettingsError, match="vot, train, val"):
        read_got10k(tmp_path, "test")


def test_trackingnet_frames_count_from_0(tmp_path: Path) -> None:
    for chunk in (0, 3):
        _text(tmp_path / f"TRAIN_{chunk}" / "anno" / f"c{chunk}.txt", "1,2,3,4\n2,2,3,4\n")
        for t in range(2):
            _image(tmp_path / f"TRAIN_{chunk}" / "frames" / f"c{chunk}" / f"{t}.jpg")
    assert [clip.name for clip in read_trackingnet(tmp_path, "train").clips] == ["c0", "c3"]
    (clip,) = read_trackingnet(tmp_path, "1-4").clips
    assert [path.name for path in clip.images] == ["0.jpg", "1.jpg"]
    with pytest.raises(SettingsError, match="0-11"):
        read_trackingnet(tmp_path, "first")


def test_missing_last_frame_leaves_the_sequence_out(tmp_path: Path) -> None:
    _text(tmp_path / "TRAIN_0" / "anno" / "c.txt", "1,2,3,4\n2,2,3,4\n")
    _image(tmp_path / "TRAIN_0" / "frames" / "c" / "0.jpg")
    found = read_trackingnet(tmp_path)
    assert not found.clips
    assert "1.jpg: no such frame" in found.problems[0]


def test_coco_stills(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 64, "height": 48}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 30, 40], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [1, 2, 30, 40], "iscrowd": 1},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [1, 2, 0, 40]},
        ],
    }
    _text(tmp_path / "annotations" / "instances_train2017.json", json.dumps(content))
    _image(tmp_path / "train2017" / "a.jpg")
    found = read_coco(tmp_path)
    (clip,) = found.clips
    (track,) = clip.tracks
    assert (track.label, track.boxes_xywh.tolist(), clip.is_video) == ("cat", [[1, 2, 30, 40]], False)
    assert clip.images[0].is_file()
    assert "annotation 3" in found.problems[0]


def test_coco_style_video_follows_tracks(tmp_path: Path) -> None:
    content = {
        "videos": [{"id": 1, "name": "v"}],
        "images": [{"id": i, "file_name": f"{i}.jpg", "video_id": 1, "frame_id": 5 - i} for i in (1, 2, 3)],
        "categories": [],
        "annotations": [
            {"id": 1, "image_id": 1, "track_id": 4, "bbox": [1, 1, 5, 5]},
            {"id": 2, "image_id": 3, "track_id": 4, "bbox": [3, 3, 5, 5]},
        ],
    }
    _text(tmp_path / "own.json", json.dumps(content))
    (clip,) = read_coco(tmp_path / "own.json").clips
    assert [path.name for path in clip.images] == ["3.jpg", "2.jpg", "1.jpg"]
    (track,) = clip.tracks
    assert (track.frames.tolist(), track.visible.tolist()) == ([0, 2], [True, True])
    assert track.boxes_xywh[0].tolist() == [3, 3, 5, 5]


def test_yolo_boxes_and_polygons(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _image(tmp_path / "images" / "train" / f"{name}.jpg", 100, 50)
    _text(tmp_path / "labels" / "train" / "a.txt", "0 0.5 0.5 0.2 0.4\n1 0.1 0.2 0.3 0.2 0.2 0.6\n")
    _text(tmp_path / "labels" / "train" / "b.txt", "0 0.5 half 0.2 0.4\n")
    found = read_yolo(tmp_path, "train")
    (clip,) = found.clips
    np.testing.assert_allclose(clip.tracks[0].boxes_xywh, [[40, 15, 20, 20]], atol=1e-4)
    np.testing.assert_allclose(clip.tracks[1].boxes_xywh, [[10, 10, 20, 20]], atol=1e-4)
    assert "b.txt, line 1" in found.problems[0]
    assert "c.txt: missing" in found.problems[1]


def test_mot_challenge_counts_from_1(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "MOT17-02"
    rows = "1,1,11,21,5,6,1,1,0.9\n2,1,12,22,5,6,1,1,0.1\n1,2,1,1,5,6,0,1,1\n3,1,13,23,5,6,1,1,1\n"
    _text(folder / "gt" / "gt.txt", rows)
    for t in range(1, 4):
        _image(folder / "img1" / f"{t:06d}.jpg")
    (clip,) = read_mot_challenge(tmp_path, "train").clips
    (track,) = clip.tracks  # the second identity is flagged 0
    assert track.boxes_xywh[0].tolist() == [10, 20, 5, 6]
    assert track.visible.tolist() == [True, False, True]


def _linked(folder: Path, name: str) -> None:
    """Move a folder elsewhere and leave a link in its place."""
    elsewhere = folder.parent / "elsewhere"
    (folder / name).rename(elsewhere)
    (folder / name).symlink_to(elsewhere, target_is_directory=True)


def test_yolo_follows_linked_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("a/10", "a/9", "b"):
        _image(root / "images" / f"{name}.jpg", 100, 50)
        _text(root / "labels" / f"{name}.txt", "0 0.5 0.5 0.2 0.4")
    _linked(root / "images", "a")
    found = read_yolo(root)
    assert [Path(clip.name).as_posix() for clip in found.clips] == ["a/9.jpg", "a/10.jpg", "b.jpg"]
    assert not found.problems


def test_mot_challenge_follows_linked_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("films/two", "one"):
        _text(root / name / "gt" / "gt.txt", "1,1,11,21,5,6,1,1,1\n")
        _image(root / name / "img1" / "000001.jpg")
    _linked(root, "films")
    assert [clip.name for clip in read_mot_challenge(root).clips] == ["two", "one"]


def test_lasot_follows_linked_folders(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "cat" / "cat-1"
    for name, text in {"groundtruth": "1,2,3,4", "full_occlusion": "0", "out_of_view": "0"}.items():
        _text(folder / f"{name}.txt", text)
    _image(folder / "img" / "00000001.jpg")
    _linked(tmp_path / "root", "cat")
    assert [clip.name for clip in read_lasot(tmp_path / "root", "all").clips] == ["cat-1"]


@pytest.mark.parametrize(
    "read", [read_lasot, read_got10k, read_trackingnet, read_coco, read_yolo, read_mot_challenge]
)
def test_nothing_there_is_an_error(tmp_path: Path, read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match="nowhere"):
        read(tmp_path / "nowhere")


def test_check_counts_and_names_problems(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "boxes": [[1, 2, 20, 20], [0, 0, 2, 2]]},
        {"image": "lost.png", "boxes": [[1, 2, 20, 20]]},
        *({"image": "a.png", "boxes": [[1, 1, 20, 20]], "video": "v", "frame": t} for t in range(6)),
    ]
    _text(tmp_path / "own.jsonl", "\n".join(json.dumps(row) for row in rows))
    _image(tmp_path / "a.png")
    source = SourceSettings(layout=Layout.JSON_LINES, path=tmp_path / "own.jsonl")
    (report,) = check_source(source, DataSettings(min_box_px=8))
    assert (report.stills, report.videos, report.videos_usable) == (2, 1, 1)
    assert (report.images, report.boxes, report.usable_boxes) == (7, 9, 7)
    assert report.problems == [f"{tmp_path / 'lost.png'}: missing or not an image"]
    assert report.is_usable
    (unopened,) = check_source(source, open_images=False)
    assert unopened.problems == [f"{tmp_path / 'lost.png'}: missing"]


def _cutout(path: Path) -> None:
    pixels = np.full((48, 64, 4), 255, dtype=np.uint8)
    pixels[0, 0, 3] = 0
    cv2.imwrite(str(path), pixels)


@pytest.mark.parametrize(
    ("image", "boxes", "usable", "words"),
    [
        ("cutout.png", [[0, 0, 64, 48]], True, "1 cut-outs, to be pasted"),
        ("cutout.png", [], False, "cut-outs have no boxes"),
        ("photo.png", [], True, "backgrounds"),
        ("photo.png", [[0, 0, 64, 48]], False, "cover 0.2 to 45 % of its image"),
        ("photo.png", [[0, 0, 2, 2]], False, "none of its 1 boxes"),
        ("lost.png", [[0, 0, 20, 20]], False, "none of its images"),
        ("photo.png", [[0, 0, 20, 20]], True, ""),
    ],
)
def test_check_says_what_a_source_without_usable_boxes_is_good_for(
    tmp_path: Path, image: str, boxes: list[list[int]], usable: bool, words: str
) -> None:
    _cutout(tmp_path / "cutout.png")
    _image(tmp_path / "photo.png")
    _text(tmp_path / "own.jsonl", json.dumps({"image": image, "boxes": boxes}))
    (report,) = check_source(SourceSettings(path=tmp_path / "own.jsonl"))
    assert report.is_usable is usable
    assert words in report.note
    assert bool(report.note) is bool(words)
