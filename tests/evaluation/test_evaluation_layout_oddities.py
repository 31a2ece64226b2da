"""Copies of benchmarks and files of one's own that are odd or damaged: read as meant, or refused by name."""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from aiatrack.errors import DataError
from aiatrack.evaluation.benchmark import Benchmark, check_benchmark, open_benchmark
from aiatrack.evaluation.layouts import davis, mot
from aiatrack.evaluation.running.sequence_run import build_task
from aiatrack.mask_files import read_voc_mask


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def open_coco(root: Path, videos: list[str], rows: list[dict[str, Any]], **image: Any) -> Benchmark:
    """Two images a video, called `VIDEO0` and `VIDEO1` where `VIDEO` is a number from 0."""
    images = [
        {"id": f"{video}{frame}", "video_id": video, "frame_id": frame, "file_name": f"{video}{frame}.jpg"}
        | image
        for video in range(len(videos))
        for frame in range(2)
    ]
    content = {
        "videos": [{"id": number, "name": name} for number, name in enumerate(videos)],
        "images": images,
        "annotations": [{"id": n, "bbox": [1, 2, 3, 4]} | row for n, row in enumerate(rows)],
    }
    put(root / "annotations.json", json.dumps(content))
    return open_benchmark("coco", root)


@pytest.mark.parametrize(
    ("videos", "names"),
    [
        (["day/cam1.avi", "night/cam1.avi"], ["day_cam1", "night_cam1"]),
        (["take.1", "take.2"], ["take.1", "take.2"]),
        (["a.MP4", "a.mov"], None),
        (["films/a.mp4", "b.v2.mkv"], ["a", "b.v2"]),
        (["/data/a.mp4", "../a.mp4"], ["data_a", "a"]),
        (["day\\a.mp4", "b"], ["a", "b"]),
    ],
)
def test_coco_loses_no_video_whose_name_resembles_anothers(
    tmp_path: Path, videos: list[str], names: list[str] | None
) -> None:
    rows = [{"image_id": f"{video}0", "track_id": 5} for video in range(2)]
    if names is None:
        with pytest.raises(DataError, match="two sequences would be called a_5: rename"):
            open_coco(tmp_path, videos, rows)
    else:
        found = [sequence.name for sequence in open_coco(tmp_path, videos, rows).sequences]
        assert found == [f"{name}_5" for name in names]


def test_coco_refuses_targets_that_would_be_called_the_same(tmp_path: Path) -> None:
    rows = [{"image_id": "00", "track_id": "1_2"}, {"image_id": "10", "track_id": 2}]
    with pytest.raises(DataError, match="two sequences would be called a_1_2: rename"):
        open_coco(tmp_path, ["a", "a_1"], rows)


def test_coco_takes_whichever_number_of_a_track_is_given(tmp_path: Path) -> None:
    rows = [
        {"image_id": "00", "track_id": None, "instance_id": 1},
        {"image_id": "01", "track_id": 1, "instance_id": None},
    ]
    (sequence,) = open_coco(tmp_path, ["v"], rows).sequences
    assert sequence.name == "v_1"
    assert sequence.read_annotation().visible.tolist() == [True, True]


def test_coco_passes_over_crowds(tmp_path: Path) -> None:
    rows = [
        {"image_id": "00", "track_id": 1},
        {"image_id": "01", "iscrowd": 1, "bbox": None},
        {"image_id": "01", "iscrowd": 1, "track_id": 1},
    ]
    (sequence,) = open_coco(tmp_path, ["v"], rows).sequences
    assert sequence.read_annotation().visible.tolist() == [True, False]


@pytest.mark.parametrize("bbox", [[1, 2, 3], None, "box", [1, 2, 3, "wide"], [1, 2, 3, 10**400], [[1]] * 4])
def test_coco_names_an_annotation_whose_box_is_none(tmp_path: Path, bbox: Any) -> None:
    with pytest.raises(DataError, match=r"annotations\.json .*annotation 0: bbox .* is not four numbers"):
        open_coco(tmp_path, ["v"], [{"image_id": "00", "track_id": 1, "bbox": bbox}])


def test_coco_names_an_annotation_without_track(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"annotation 1 has no track_id or instance_id"):
        open_coco(tmp_path, ["v"], [{"image_id": "00", "track_id": 1}, {"image_id": "01", "track_id": None}])


def test_coco_refuses_two_boxes_of_one_track_in_one_image(tmp_path: Path) -> None:
    rows = [{"image_id": "00", "track_id": 1}, {"image_id": "00", "track_id": 1, "bbox": [9, 9, 3, 4]}]
    with pytest.raises(DataError, match=r"annotation 1: image 00 has a box of track 1 before"):
        open_coco(tmp_path, ["v"], rows)


def test_coco_refuses_images_of_one_id(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"image 00 is given more than once"):
        open_coco(tmp_path, ["v"], [{"image_id": "00", "track_id": 1}], id="00")


@pytest.mark.parametrize("absent", [[0, 0, 0, 0], [1, 2, 0, 4], [1, 2, 3, -1], [float("nan")] * 4])
def test_coco_takes_boxes_without_area_as_absent(tmp_path: Path, absent: list[float]) -> None:
    rows = [
        {"image_id": "00", "track_id": 1, "bbox": absent},
        {"image_id": "01", "track_id": 1},
        {"image_id": "00", "track_id": 2},
        {"image_id": "01", "track_id": 2, "bbox": absent},
        {"image_id": "01", "track_id": 3, "bbox": absent},
    ]
    late, early = open_coco(tmp_path, ["v"], rows).sequences
    assert [path.name for path in late.frame_paths] == ["01.jpg"]
    assert late.read_annotation().boxes_xywh.tolist() == [[1, 2, 3, 4]]
    assert early.read_annotation().visible.tolist() == [True, False]


def test_coco_orders_frames_as_training_does(tmp_path: Path) -> None:
    rows = [{"image_id": "00", "track_id": 1}]
    content = json.loads(open_coco(tmp_path, ["v"], rows).sequences[0].annotation_path.read_text())
    content["images"] = [
        {"id": "00", "video_id": 0, "file_name": f"{n}.jpg", "frame_id": str(n), "frame_index": None}
        for n in (10, 9)
    ]
    content["images"][0]["id"] = "01"
    put(tmp_path / "annotations.json", json.dumps(content))
    (sequence,) = open_benchmark("coco", tmp_path).sequences
    assert [path.name for path in sequence.frame_paths] == ["9.jpg", "10.jpg"]
    with pytest.raises(DataError, match="image 00: frame_id 'first' is no whole number"):
        open_coco(tmp_path, ["v"], rows, frame_id="first")


@pytest.mark.parametrize("name", ["coco", "mot"])
def test_an_annotation_that_has_gone_since_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    put(tmp_path / "film" / "gt" / "gt.txt", "2,7,1,2,3,4,1,1,1\n")
    open_coco(tmp_path, ["v"], [{"image_id": "00", "track_id": 1}])
    (sequence,) = open_benchmark(name, tmp_path).sequences
    sequence.annotation_path.unlink()
    with pytest.raises(DataError, match="cannot read "):
        sequence.read_annotation()


def test_mot_reads_a_film_once_for_all_its_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{frame},{target},1,2,3,4,1,1,1\n" for target in range(20) for frame in (1, 2))
    path = put(tmp_path / "film" / "gt" / "gt.txt", rows)
    read, seen = mot.read_number_rows, []
    monkeypatch.setattr(mot, "read_number_rows", lambda path: seen.append(path) or read(path))
    sequences = open_benchmark("mot", tmp_path).sequences
    assert [len(sequence.read_annotation()) for sequence in sequences] == [2] * 20
    assert seen == [path]
    put(path, rows.replace("1,2,3,4", "5,2,3,4"))
    os.utime(path, (1, 1))
    assert sequences[3].read_annotation().boxes_xywh[0].tolist() == [5, 2, 3, 4]


def test_trackingnet_names_a_frame_that_is_missing_in_between(tmp_path: Path) -> None:
    put(tmp_path / "TEST" / "anno" / "abc_0.txt", "1,2,3,4\n")
    for number in (0, 1, 3, 4):
        put(tmp_path / "TEST" / "frames" / "abc_0" / f"{number}.jpg")
    benchmark = open_benchmark("trackingnet", tmp_path)
    (sequence,) = benchmark.sequences
    assert len(sequence.read_annotation()) == len(sequence.frame_paths) == 5
    (problem,) = check_benchmark(benchmark)[1].problems
    assert problem.startswith("1 of 5 frames missing, first ") and problem.endswith("2.jpg")
    with pytest.raises(DataError, match="lacks 1 of 5 frames"):
        build_task(sequence, benchmark)


def test_trackingnet_takes_frames_without_numbers_by_position(tmp_path: Path) -> None:
    put(tmp_path / "TEST" / "anno" / "abc_0.txt", "1,2,3,4\n")
    for letter in "cab":
        put(tmp_path / "TEST" / "frames" / "abc_0" / f"{letter}.jpg")
    (sequence,) = open_benchmark("trackingnet", tmp_path).sequences
    assert [path.stem for path in sequence.frame_paths] == ["a", "b", "c"]


@pytest.mark.parametrize("listed", ["null", '"fast motion"', "[1]", '{"blur": true}'])
def test_challenges_that_are_no_list_of_words_are_refused(tmp_path: Path, listed: str) -> None:
    put(tmp_path / "cat" / "groundtruth.txt", "1,2,3,4\n")
    put(tmp_path / "cat" / "meta.json", f'{{"attributes": {listed}}}')
    (sequence,) = open_benchmark("folders", tmp_path).sequences
    with pytest.raises(DataError, match=r"meta\.json: attributes must be a list of texts, .* got "):
        sequence.read_annotation()


def test_otb_challenges_must_be_text_and_may_be_none(tmp_path: Path) -> None:
    put(tmp_path / "Dog" / "groundtruth_rect.txt", "5,6,7,8\n" * 127)
    path = put(tmp_path / "Dog" / "attrs.txt")
    sequence = open_benchmark("otb100", tmp_path).select_sequences(["Dog"]).sequences[0]
    assert sequence.read_annotation().attributes == frozenset()
    path.write_bytes("caf\u00e9".encode("latin-1"))
    with pytest.raises(DataError, match=r"attrs\.txt is not a text file \(UTF-8\)"):
        sequence.read_annotation()


def put_mask(root: Path, content: bytes) -> Benchmark:
    put(root / "JPEGImages" / "480p" / "film" / "00000.jpg")
    path = put(root / "Annotations" / "480p" / "film" / "00000.png")
    path.write_bytes(content)
    return open_benchmark("davis2017", root)


@pytest.mark.parametrize("palette", [[0, 0, 0, 128, 0, 0, 0, 128, 0], [9, 9, 9, 255, 255, 255, 7, 7, 7]])
def test_davis_reads_indices_whatever_their_palette(tmp_path: Path, palette: list[int]) -> None:
    picture = pytest.importorskip("PIL.Image")
    values = np.zeros((20, 30), np.uint8)
    values[2:6, 3:10], values[10:12, 20:22] = 1, 2
    mask = picture.fromarray(values)
    mask.putpalette(palette + [0] * (768 - len(palette)))
    mask.save(tmp_path / "mask.png")
    sequences = put_mask(tmp_path, (tmp_path / "mask.png").read_bytes()).sequences
    assert [sequence.name for sequence in sequences] == ["film_1", "film_2"]
    boxes = [sequence.read_annotation().boxes_xywh.tolist() for sequence in sequences]
    assert boxes == [[[3, 2, 7, 4]], [[20, 10, 2, 2]]]


def test_davis_reads_grey_levels_of_16_bits_under_any_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imread", lambda *_: None)  # as on Windows
    values = np.zeros((20, 30), np.uint16)
    values[2:6, 3:10] = 1
    content = cv2.imencode(".png", values)[1].tobytes()
    assert [sequence.name for sequence in put_mask(tmp_path, content).sequences] == ["film_1"]


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_davis_names_a_mask_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"cannot read mask .*00000\.png: a PNG image was expected"):
        put_mask(tmp_path, content)


def test_davis_reads_a_mask_once_for_all_objects_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.zeros((20, 30), np.uint8)
    values[2:6, 3:10], values[10:12, 20:22], values[0, 0] = 1, 2, 255
    first, second = put_mask(tmp_path, cv2.imencode(".png", values)[1].tobytes()).sequences
    read: list[Path] = []

    def count(path: Path) -> np.ndarray | None:
        read.append(path)
        return read_voc_mask(path)

    monkeypatch.setattr(davis, "read_voc_mask", count)
    first.read_annotation().boxes_xywh[:] = 0
    assert first.read_annotation().boxes_xywh.tolist() == [[3, 2, 7, 4]], "no reader spoils it for others"
    assert second.read_annotation().boxes_xywh.tolist() == [[20, 10, 2, 2]]
    assert len(read) == 1
    values[values == 2] = 0
    changed = read[0].stat().st_mtime_ns + 10**9
    cv2.imwrite(str(read[0]), values)
    os.utime(read[0], ns=(changed, changed))
    assert not second.read_annotation().visible.any()
