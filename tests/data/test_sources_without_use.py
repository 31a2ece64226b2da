"""Sources of which some or all cannot be used: said when they are read, in words of their layout."""

import json
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.config import DataSettings, Layout, SourceSettings
from aiatrack.data import check_source
from aiatrack.data.readers import read_coco, read_got10k, read_json_lines, read_lasot, read_mot_challenge
from aiatrack.data.sources import default_cache, read_source
from aiatrack.data.store import build_store
from aiatrack.errors import DataError


def _image(path: Path, width: int = 64, height: int = 48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, dtype=np.uint8))


def _lasot(folder: Path, name: str, occluded: str = "0,0,0", out_of_view: str = "0,0,0") -> None:
    folder = folder / name.rsplit("-", 1)[0] / name
    for t in range(1, 4):
        _image(folder / "img" / f"{t:08d}.jpg")
    (folder / "groundtruth.txt").write_text("1,2,3,4\n2,2,3,4\n3,2,3,4\n")
    (folder / "full_occlusion.txt").write_text(occluded)
    (folder / "out_of_view.txt").write_text(out_of_view)


@pytest.mark.parametrize(
    ("marks", "file", "got"),
    [
        ({"occluded": "0,0"}, "full_occlusion.txt", 2),
        ({"out_of_view": "1"}, "out_of_view.txt", 1),
        ({"occluded": "1", "out_of_view": "1"}, "full_occlusion.txt", 1),
        ({"occluded": ""}, "full_occlusion.txt", 0),
    ],
)
def test_lasot_with_marks_of_another_length_leaves_the_clip_out(
    tmp_path: Path, marks: dict[str, str], file: str, got: int
) -> None:
    _lasot(tmp_path, "airplane-1")
    _lasot(tmp_path, "airplane-2", **marks)
    found = read_lasot(tmp_path, "all")
    assert [clip.name for clip in found.clips] == ["airplane-1"]
    (problem,) = found.problems
    assert f"{file}: {got} marks for 3 boxes; airplane-2 is left out" in problem


@pytest.mark.parametrize("file", ["absence.label", "cover.label"])
@pytest.mark.parametrize("marks", ["0\n0\n", "1\n"])
def test_got10k_with_marks_of_another_length_leaves_the_clip_out(
    tmp_path: Path, file: str, marks: str
) -> None:
    for name in ("GOT-10k_Train_000001", "GOT-10k_Train_000002"):
        folder = tmp_path / "train" / name
        for t in range(1, 4):
            _image(folder / f"{t:08d}.jpg")
        (folder / "groundtruth.txt").write_text("1,2,3,4\n2,2,3,4\n3,2,3,4\n")
    (folder / file).write_text(marks)
    found = read_got10k(tmp_path, "train")
    assert [clip.name for clip in found.clips] == ["GOT-10k_Train_000001"]
    (problem,) = found.problems
    assert f"{file}: {marks.count(chr(10))} marks for 3 boxes" in problem


@pytest.mark.parametrize("layout", [Layout.LASOT, Layout.GOT10K, Layout.TRACKINGNET])
@pytest.mark.parametrize("split", [None, "other"])
def test_a_folder_without_clips_is_refused(tmp_path: Path, layout: Layout, split: str | None) -> None:
    splits = {Layout.LASOT: "all", Layout.GOT10K: "train", Layout.TRACKINGNET: "0-3"}
    source = SourceSettings(layout=layout, path=tmp_path, split=split and splits[layout])
    with pytest.raises(DataError) as caught:
        read_source(source)
    assert f"{tmp_path}: not one clip or image of layout {layout.value}" in str(caught.value)


def test_a_source_without_clips_names_the_first_problem(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text(json.dumps({"image": "a.png", "boxes": []}))
    (tmp_path / "odd.jsonl").write_text("no row\n")
    with pytest.raises(DataError, match=r"odd\.jsonl: not one .*layout json_lines.*line 1: not JSON"):
        read_source(SourceSettings(path=tmp_path))
    without = SourceSettings(path=tmp_path, weights={"odd": 0})
    assert [found.annotations.name for found in read_source(without)] == ["good"]
    (tmp_path / "odd.jsonl").write_text("")
    with pytest.raises(DataError, match=r"odd\.jsonl: not one .*layout json_lines"):
        read_source(SourceSettings(path=tmp_path / "odd.jsonl"))
    (tmp_path / "own.json").write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(DataError, match=r"own\.json: not one .*layout coco"):
        read_source(SourceSettings(layout=Layout.COCO, path=tmp_path / "own.json"))


def test_the_working_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _image(tmp_path / "MOT" / "img1" / "000001.jpg")
    (tmp_path / "MOT" / "gt").mkdir()
    (tmp_path / "MOT" / "gt" / "gt.txt").write_text("1,1,11,21,5,6,1,1,1\n")
    monkeypatch.chdir(tmp_path / "MOT")
    assert read_mot_challenge(Path()).name == "MOT"


@pytest.mark.parametrize(("least", "usable"), [(0, 4), (19.5, 4), (20, 3), (50, 3)])
def test_check_counts_boxes_of_stills_by_the_size_asked_of_them(
    tmp_path: Path, least: float, usable: int
) -> None:
    rows = [
        {"image": "a.png", "boxes": [[1, 2, 20, 20]]},
        *({"image": "a.png", "boxes": [[1, 1, 20, 20]], "video": "v", "frame": t} for t in range(3)),
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    _image(tmp_path / "a.png")
    source = SourceSettings(path=tmp_path / "own.jsonl")
    (report,) = check_source(source, DataSettings(min_still_box_px=least))
    assert (report.boxes, report.usable_boxes) == (4, usable)
    (tmp_path / "own.jsonl").write_text(json.dumps(rows[0]))
    (report,) = check_source(source, DataSettings(min_still_box_px=least))
    assert report.is_usable == (usable == 4)
    assert ("in a still image more than" in report.note) == (usable < 4)


_FRAMES, _BOXES = 400, 6


def _crowd(folder: Path, layout: Layout) -> Path:
    """A video with boxes that nothing joins from frame to frame."""
    boxes = [[4 + 9 * k, 5, 8, 9] for k in range(_BOXES)]
    if layout is Layout.JSON_LINES:
        rows = [{"image": "a.png", "boxes": boxes, "video": "v", "frame": t} for t in range(_FRAMES)]
        (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return folder / "own.jsonl"
    images = [{"id": t, "file_name": "a.png", "video_id": 1, "frame_id": t} for t in range(_FRAMES)]
    rows = [{"image_id": t, "bbox": box} for t in range(_FRAMES) for box in boxes]
    (folder / "own.json").write_text(json.dumps({"images": images, "annotations": rows}))
    return folder / "own.json"


@pytest.mark.parametrize("layout", [Layout.JSON_LINES, Layout.COCO])
def test_lone_boxes_take_memory_by_their_number_alone(tmp_path: Path, layout: Layout) -> None:
    _image(tmp_path / "a.png")
    path = _crowd(tmp_path, layout)
    read = read_json_lines if layout is Layout.JSON_LINES else read_coco
    tracemalloc.start()
    try:
        found = read(path)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (clip,) = found.clips
    lone = len(clip.tracks) - (layout is Layout.JSON_LINES)
    assert lone == _FRAMES * (_BOXES - (layout is Layout.JSON_LINES))
    assert kept < 1000 * lone  # with a row for every frame, 16 bytes x 400 frames each for the boxes alone
    last = clip.tracks[-1]
    assert (last.frames.tolist(), last.visible.tolist()) == ([_FRAMES - 1], [True])
    assert last.boxes_xywh.tolist() == [[49, 5, 8, 9]]
    assert last.mask_values is None or last.mask_values.tolist() == [6]
    assert sum(len(track.frames) for track in clip.tracks) == _FRAMES * _BOXES
    _, index = build_store(found, tmp_path / "cache")
    assert len(index.object_image) == _FRAMES * _BOXES
    assert len(np.unique(index.object_track)) == len(clip.tracks)


def test_without_a_home_a_cache_has_to_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiatrack.data.sources.user_cache", lambda: None)
    with pytest.raises(DataError, match=r"choose one with data\.cache"):
        default_cache()
