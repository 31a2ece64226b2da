"""Every layout, written by hand and read back; descriptions; completeness."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.errors import DataError, SettingsError
from aiatrack.evaluation.benchmark import Benchmark, check_benchmark, open_benchmark
from aiatrack.evaluation.description import benchmark_names, load_description
from aiatrack.evaluation.layouts import LAYOUTS
from aiatrack.evaluation.rules import RULE_SETS
from aiatrack.evaluation.running.sequence_run import build_task
from aiatrack.video.image_source import list_images

NAN = float("nan")


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def put_frames(folder: Path, names: list[str]) -> None:
    for name in names:
        put(folder / name)


def only(benchmark: Benchmark, name: str):
    return benchmark.select_sequences([name]).sequences[0]


@pytest.mark.parametrize("name", benchmark_names())
def test_descriptions_name_layouts_and_rules_that_exist(name):
    description = load_description(name)
    assert description.name == name
    assert description.layout in LAYOUTS
    assert description.rules in RULE_SETS
    names = [entry.name for entry in description.listed_sequences()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("otb100", 100),
        ("uav123", 123),
        ("nfs30", 100),
        ("lasot", 280),
        ("lasot_ext", 150),
        ("got10k_val", 180),
    ],
)
def test_published_lists_are_whole(name, count):
    assert len(load_description(name).listed_sequences()) == count


def test_otb_reads_ranges_second_targets_and_tabs(tmp_path: Path):
    put(tmp_path / "Jogging" / "groundtruth_rect.2.txt", "1\t2\t3\t4\n" * 307)
    put(tmp_path / "Tiger1" / "groundtruth_rect.txt", "0,0,1,1\n" * 5 + "5,6,7,8\n" * 349)
    put_frames(tmp_path / "Tiger1" / "img", [f"{n:04d}.jpg" for n in range(1, 355)])
    put(tmp_path / "Tiger1" / "attrs.txt", "IV, OCC")
    benchmark = open_benchmark("otb100", tmp_path)
    assert len(only(benchmark, "Jogging_2").read_annotation()) == 307
    tiger = only(benchmark, "Tiger1")
    assert tiger.frame_paths[0].name == "0006.jpg"
    annotation = tiger.read_annotation()
    assert len(annotation) == len(tiger.frame_paths) == 349
    assert annotation.boxes_xywh[0].tolist() == [5, 6, 7, 8]
    assert annotation.attributes == {"IV", "OCC"}
    complete = {check.name for check in check_benchmark(benchmark) if check.complete}
    assert complete == {"Tiger1"}


def test_a_missing_frame_and_a_wrong_row_count_are_named(tmp_path: Path):
    put(tmp_path / "Tiger1" / "groundtruth_rect.txt", "5,6,7,8\n" * 349)
    put_frames(tmp_path / "Tiger1" / "img", [f"{n:04d}.jpg" for n in range(1, 355) if n != 9])
    put(tmp_path / "Biker" / "groundtruth_rect.txt", "5,6,7,8\n" * 141)
    checks = {check.name: check.problems for check in check_benchmark(open_benchmark("otb100", tmp_path))}
    assert checks["Tiger1"][0].startswith("1 of 349 frames missing, first ")
    assert checks["Tiger1"][0].endswith("0009.jpg")
    assert "142 rows were expected for Biker, got 141" in checks["Biker"][0]
    assert "cannot read" in checks["Basketball"][0]


def test_uav_reads_nan_as_absent_and_its_twelve_flags(tmp_path: Path):
    put(tmp_path / "anno" / "UAV123" / "bird1_1.txt", "1,2,3,4\n" * 252 + "NaN,NaN,NaN,NaN\n")
    put(tmp_path / "anno" / "UAV123" / "att" / "bird1_1.txt", "1,0,0,1,0,0,0,0,0,0,0,0\n")
    put_frames(tmp_path / "data_seq" / "UAV123" / "bird1", ["000001.jpg"])
    sequence = only(open_benchmark("uav123", tmp_path), "bird1_1")
    annotation = sequence.read_annotation()
    assert annotation.visible.sum() == 252
    assert annotation.flagged_absent is None
    assert annotation.attributes == {"scale variation", "fast motion"}
    assert len(sequence.frame_paths) == 253


def test_nfs_reads_its_flat_annotation_folder(tmp_path: Path):
    put(tmp_path / "anno" / "nfs_Skiing_red.txt", "1,2,3,4\n" * 69)
    sequence = only(open_benchmark("nfs30", tmp_path), "Skiing_red")
    assert len(sequence.read_annotation()) == 69
    assert sequence.frame_paths == ()


@pytest.mark.parametrize("below", ["airplane/airplane-1", "airplane-1"])
def test_lasot_joins_both_flags_of_absence(tmp_path: Path, below: str):
    folder = tmp_path / below
    put(folder / "groundtruth.txt", "1,2,3,4\n" * 4)
    put(folder / "full_occlusion.txt", "0,1,0,0")
    put(folder / "out_of_view.txt", "0,0,0,1")
    put_frames(folder / "img", ["00000001.jpg", "00000002.jpg", "00000003.jpg", "00000004.jpg"])
    sequence = only(open_benchmark("lasot", tmp_path), "airplane-1")
    annotation = sequence.read_annotation()
    assert annotation.visible.tolist() == [True, False, True, False]
    assert annotation.attributes == {"full occlusion", "out of view"}
    assert sequence.description.object_class == "airplane"
    assert len(sequence.frame_paths) == 4


def test_got10k_reads_cover_size_and_class(tmp_path: Path):
    folder = tmp_path / "val" / "GOT-10k_Val_000001"
    put(folder / "groundtruth.txt", "1,2,3,4\n" * 3)
    put(folder / "cover.label", "8\n0\n3\n")
    put(folder / "meta_info.ini", "[METAINFO]\nobject_class: bird\nresolution: (1920, 1080)\n")
    put_frames(folder, ["00000001.jpg", "00000002.jpg", "00000003.jpg"])
    sequence = only(open_benchmark("got10k_val", tmp_path), "GOT-10k_Val_000001")
    annotation = sequence.read_annotation()
    assert annotation.visible.tolist() == [True, False, True]
    assert annotation.image_size == (1920, 1080)
    assert sequence.description.object_class == "bird"
    assert len(sequence.frame_paths) == 3


def test_got10k_names_a_frame_that_is_missing_in_between(tmp_path: Path):
    folder = tmp_path / "test" / "GOT-10k_Test_000001"
    put(folder / "groundtruth.txt", "1,2,3,4\n")
    put_frames(folder, [f"{n:08d}.jpg" for n in (1, 2, 4, 5)])
    benchmark = open_benchmark("got10k_test", tmp_path)
    sequence = only(benchmark, "GOT-10k_Test_000001")
    assert len(sequence.read_annotation()) == len(sequence.frame_paths) == 5
    check = check_benchmark(benchmark)[0]
    assert check.problems[0].startswith("1 of 5 frames missing, first ")
    assert check.problems[0].endswith("00000003.jpg")
    with pytest.raises(DataError, match="lacks 1 of 5 frames"):
        build_task(sequence, benchmark)


def test_test_splits_annotate_frame_0_alone_and_order_frames_by_number(tmp_path: Path):
    put(tmp_path / "TEST" / "anno" / "abc_0.txt", "1,2,3,4\n")
    put_frames(tmp_path / "TEST" / "frames" / "abc_0", [f"{number}.jpg" for number in range(10, -1, -1)])
    sequence = only(open_benchmark("trackingnet", tmp_path), "abc_0")
    assert [path.stem for path in sequence.frame_paths] == [str(number) for number in range(11)]
    annotation = sequence.read_annotation()
    assert len(annotation) == 11
    assert annotation.visible.tolist() == [True, *[False] * 10]


def test_tnl2k_reads_imgs_and_flags(tmp_path: Path):
    put(tmp_path / "seq" / "groundtruth.txt", "1,2,3,4\n" * 2)
    put(tmp_path / "seq" / "attributes.txt", ",".join("1" + "0" * 15 + "1"))
    put_frames(tmp_path / "seq" / "imgs", ["00001.png", "00002.png"])
    sequence = only(open_benchmark("tnl2k", tmp_path), "seq")
    assert sequence.read_annotation().attributes == {"camera motion", "modality switch"}
    assert len(sequence.frame_paths) == 2
    incomplete = [check for check in check_benchmark(open_benchmark("tnl2k", tmp_path)) if not check.complete]
    assert [(check.name, check.problems) for check in incomplete] == [
        ("tnl2k", ("1 sequences found, 700 expected",))
    ]


def test_vot_reads_rectangles_polygons_and_masks(tmp_path: Path):
    put(tmp_path / "list.txt", "box\npolygon\nmask\n")
    put(tmp_path / "box" / "groundtruth.txt", "1,2,3,4\nnan,nan,nan,nan\n")
    put(tmp_path / "polygon" / "groundtruth.txt", "5,1,9,5,5,9,1,5\n")
    # A 4 x 3 window at (10, 20): two pixels of row 1 (columns 1, 2), one of row 2 (column 3).
    put(tmp_path / "mask" / "groundtruth.txt", "m10,20,4,3,5,2,4,1\n0\nm 10,20,4,3,12\n3,4,5,6\n")
    put_frames(tmp_path / "box" / "color", ["00000001.jpg"])
    benchmark = open_benchmark("vot", tmp_path)
    assert only(benchmark, "box").read_annotation().visible.tolist() == [True, False]
    assert only(benchmark, "polygon").read_annotation().boxes_xywh.tolist() == [[1, 1, 8, 8]]
    masks = only(benchmark, "mask").read_annotation()
    assert masks.boxes_xywh[0].tolist() == [11, 21, 3, 2]
    assert masks.boxes_xywh[3].tolist() == [3, 4, 5, 6]
    assert masks.visible.tolist() == [True, False, False, True]
    assert len(only(benchmark, "box").frame_paths) == 1
    put(tmp_path / "mask" / "groundtruth.txt", "m10,20,4,3,5,20\n")
    with pytest.raises(DataError, match="runs of a mask cover 25 pixels"):
        only(benchmark, "mask").read_annotation()


@pytest.mark.parametrize("palette", [False, True])
def test_davis_makes_boxes_of_masks_for_each_object(tmp_path: Path, palette: bool):
    first, second = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    first[2:6, 3:10] = 1
    first[10:12, 20:22] = 2
    second[3:6, 3:10] = 1
    folder = tmp_path / "Annotations" / "480p" / "film"
    folder.mkdir(parents=True)
    for index, mask in enumerate((first, second)):
        # The colours of objects 1 and 2 in the palette are (128, 0, 0) and (0, 128, 0), red first.
        image = np.stack((0 * mask, (mask == 2) * 128, (mask == 1) * 128), axis=-1) if palette else mask
        cv2.imwrite(str(folder / f"{index:05d}.png"), image.astype(np.uint8))
    put(tmp_path / "ImageSets" / "2017" / "val.txt", "film\n")
    put_frames(tmp_path / "JPEGImages" / "480p" / "film", ["00000.jpg", "00001.jpg"])
    benchmark = open_benchmark("davis2017", tmp_path)
    assert [sequence.name for sequence in benchmark.sequences] == ["film_1", "film_2"]
    assert benchmark.sequences[0].read_annotation().boxes_xywh.tolist() == [[3, 2, 7, 4], [3, 3, 7, 3]]
    absent = benchmark.sequences[1].read_annotation()
    assert absent.boxes_xywh[0].tolist() == [20, 10, 2, 2]
    assert absent.visible.tolist() == [True, False]
    assert absent.image_size == (30, 20)
    assert all(check.complete for check in check_benchmark(benchmark))


def test_coco_makes_a_sequence_of_each_track(tmp_path: Path):
    images = [
        {"id": 10 + n, "video_id": 1, "frame_index": n, "file_name": f"v/{n}.jpg", "width": 64, "height": 48}
        for n in (2, 0, 1)
    ]
    boxes = [
        {"image_id": 10, "track_id": 5, "bbox": [1, 2, 3, 4], "category_id": 1},
        {"image_id": 12, "track_id": 5, "bbox": [2, 2, 3, 4], "category_id": 1},
        {"image_id": 11, "track_id": 6, "bbox": [9, 9, 3, 4], "category_id": 1},
    ]
    content = {
        "videos": [{"id": 1, "name": "v"}],
        "categories": [{"id": 1, "name": "car"}],
        "images": images,
        "annotations": boxes,
    }
    put(tmp_path / "annotations.json", json.dumps(content))
    benchmark = open_benchmark("coco", tmp_path)
    assert [sequence.name for sequence in benchmark.sequences] == ["v_5", "v_6"]
    whole = benchmark.sequences[0]
    assert whole.read_annotation().visible.tolist() == [True, False, True]
    assert whole.read_annotation().image_size == (64, 48)
    assert [path.name for path in whole.frame_paths] == ["0.jpg", "1.jpg", "2.jpg"]
    assert whole.description.object_class == "car"
    late = benchmark.sequences[1]
    assert [path.name for path in late.frame_paths] == ["1.jpg", "2.jpg"]
    del boxes[0]["track_id"]
    put(tmp_path / "annotations.json", json.dumps(content))
    with pytest.raises(DataError, match="track_id or instance_id"):
        open_benchmark("coco", tmp_path)


def test_mot_cuts_each_target_from_its_film(tmp_path: Path):
    put(
        tmp_path / "film" / "gt" / "gt.txt",
        "2,7,1,2,3,4,1,1,1\n4,7,5,6,7,8,1,1,1\n1,8,0,0,9,9,1,1,1\n1,9,0,0,9,9,0,1,1\n",
    )
    put(tmp_path / "film" / "seqinfo.ini", "[Sequence]\nimWidth=64\nimHeight=48\n")
    put_frames(tmp_path / "film" / "img1", [f"{n:06d}.jpg" for n in range(1, 6)])
    benchmark = open_benchmark("mot", tmp_path)
    assert [sequence.name for sequence in benchmark.sequences] == ["film_7", "film_8"]
    target = benchmark.sequences[0]
    assert [path.stem for path in target.frame_paths] == ["000002", "000003", "000004"]
    annotation = target.read_annotation()
    assert annotation.visible.tolist() == [True, False, True]
    assert annotation.boxes_xywh[2].tolist() == [5, 6, 7, 8]
    assert annotation.image_size == (64, 48)


def put_mot_film(root: Path, frames: list[str]) -> Benchmark:
    put(root / "film" / "gt" / "gt.txt", "2,7,1,2,3,4,1,1,1\n4,7,5,6,7,8,1,1,1\n")
    put_frames(root / "film" / "img1", frames)
    return open_benchmark("mot", root)


def test_mot_finds_frames_by_their_numbers_and_names_those_that_are_missing(tmp_path: Path):
    benchmark = put_mot_film(tmp_path, [f"view2_{n:06d}.jpg" for n in (1, 2, 4, 5)])
    stems = [path.stem for path in benchmark.sequences[0].frame_paths]
    assert stems == ["view2_000002", "view2_000003", "view2_000004"]
    (check,) = check_benchmark(benchmark)
    assert "1 of 3 frames missing" in check.problems[0] and "view2_000003.jpg" in check.problems[0]


def test_mot_counts_frames_whose_names_are_no_numbers(tmp_path: Path):
    benchmark = put_mot_film(tmp_path, [f"{letter}.jpg" for letter in "abcde"])
    assert [path.stem for path in benchmark.sequences[0].frame_paths] == ["b", "c", "d"]


def test_frames_are_those_that_a_video_has_in_the_same_order(tmp_path: Path):
    put(tmp_path / "cat" / "groundtruth.txt", "1,2,3,4\n" * 12)
    folder = tmp_path / "cat" / "img"
    put_frames(folder, [f"frame{n}.jpg" for n in range(1, 12)] + ["frame12.PPM"])
    put_frames(folder, [".DS_Store", "._frame1.jpg", ".hidden.png", "notes.txt"])
    frames = only(open_benchmark("folders", tmp_path), "cat").frame_paths
    assert [path.stem for path in frames] == [f"frame{n}" for n in range(1, 13)]
    assert list(frames) == list_images(folder)


def test_own_folders_read_absence_and_attributes(tmp_path: Path):
    put(tmp_path / "cat" / "groundtruth.txt", "1,2,3,4\n5,6,7,8\n")
    put(tmp_path / "cat" / "absent.txt", "0\n1\n")
    put(tmp_path / "cat" / "meta.json", '{"attributes": ["blur"]}')
    put_frames(tmp_path / "cat" / "img", ["a.jpg", "b.jpg"])
    annotation = only(open_benchmark("folders", tmp_path), "cat").read_annotation()
    assert annotation.visible.tolist() == [True, False]
    assert annotation.attributes == {"blur"}


def test_own_folders_with_frames_but_no_annotation_are_listed_and_named(tmp_path: Path):
    put(tmp_path / "cat" / "groundtruth.txt", "1,2,3,4\n")
    put_frames(tmp_path / "cat" / "img", ["1.jpg"])
    put_frames(tmp_path / "dog" / "img", ["1.jpg"])
    put_frames(tmp_path / "notes", ["1.jpg"])
    checks = {check.name: check.problems for check in check_benchmark(open_benchmark("folders", tmp_path))}
    assert set(checks) == {"cat", "dog"}
    assert checks["cat"] == ()
    assert "cannot read " in checks["dog"][0] and "groundtruth.txt" in checks["dog"][0]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("folders", "caf\udce9/groundtruth.txt"),
        ("vot", "caf\udce9/groundtruth.txt"),
        ("mot", "caf\udce9/gt/gt.txt"),
        ("trackingnet", "TEST/anno/caf\udce9.txt"),
        ("folders", "caf\udce9.txt"),
    ],
)
def test_a_name_that_is_no_text_is_named_with_the_remedy(tmp_path: Path, name: str, file: str):
    put(tmp_path / file, "1,1,2,3,4,5,1\n")
    with pytest.raises(SettingsError, match=r"caf.* is not UTF-8 text.*: rename it"):
        open_benchmark(name, tmp_path)


def test_flat_annotation_stands_in_for_a_layout(tmp_path: Path):
    put(tmp_path / "lasot" / "airplane-1.txt", "1,2,3,4\n1,2,3,4\n")
    put(tmp_path / "lasot" / "absent" / "airplane-1.txt", "0\n1\n")
    benchmark = open_benchmark("lasot", tmp_path)
    assert not benchmark.has_frames
    assert only(benchmark, "airplane-1").read_annotation().visible.tolist() == [True, False]
    (tmp_path / "lasot" / "absent" / "airplane-1.txt").unlink()
    with pytest.raises(DataError, match="absent"):
        only(benchmark, "airplane-1").read_annotation()


@pytest.mark.parametrize("name", benchmark_names())
def test_an_empty_folder_is_no_benchmark(tmp_path: Path, name: str):
    with pytest.raises(DataError, match="holds no annotation of"):
        open_benchmark(name, tmp_path)


def test_unknown_names_and_folders_are_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match="choose one of"):
        open_benchmark("otb2015", tmp_path)
    with pytest.raises(DataError, match="there is no folder"):
        open_benchmark("otb100", tmp_path / "nowhere")
    put(tmp_path / "cat" / "groundtruth.txt", "1,2,3,4\n")
    with pytest.raises(SettingsError, match="no sequence dog; its names look like cat"):
        open_benchmark("folders", tmp_path).select_sequences(["dog"])


def test_sizes_of_images_come_from_the_frames(tmp_path: Path):
    put(tmp_path / "cat" / "groundtruth.txt", "1,2,3,4\n")
    (tmp_path / "cat" / "img").mkdir()
    cv2.imwrite(str(tmp_path / "cat" / "img" / "1.jpg"), np.zeros((48, 64, 3), np.uint8))
    assert only(open_benchmark("folders", tmp_path), "cat").read_annotation().image_size == (64, 48)
    put(tmp_path / "cat" / "img" / "1.jpg", "no picture")
    assert only(open_benchmark("folders", tmp_path), "cat").read_annotation().image_size is None
