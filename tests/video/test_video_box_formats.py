"""Boxes of several targets, some lost: every format against tables worked by hand."""

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from box_rows import CAR, DOCUMENTS, DOG, FILM, THIRD, fill, row, write

from aiatrack.errors import OutputError, SettingsError
from aiatrack.evaluation.layouts.coco import CocoLayout
from aiatrack.video import (
    BoxRow,
    FilmFacts,
    check_box_output,
    open_box_writer,
    read_boxes_txt,
)
from aiatrack.video.box_writer import TrackNumbers

NAN_BOX = (math.nan,) * 4


def test_csv(tmp_path: Path) -> None:
    lines = write(tmp_path / "boxes.csv").read_text().splitlines()
    assert len(lines) == 11
    assert lines[1:4] == [
        "4,0.160000,1.0000,20.5000,30.0000,40.0000,0.5000,car-2,,tracked",
        "4,0.160000,10.0000,20.5000,30.0000,40.0000,0.5000,7,0.9000,tracked",
        "5,0.200000,2.0000,20.5000,30.0000,40.0000,0.5000,car-2,0.4000,uncertain",
    ]
    assert lines[5] == "6,0.240000,2.0000,20.5000,30.0000,40.0000,0.5000,car-2,0.1000,lost"


def test_csv_quotes_names(tmp_path: Path) -> None:
    with open_box_writer(tmp_path / "boxes.csv") as writer:
        writer.write(BoxRow(0, 0.0, (1, 2, 3, 4), 0.5, 'the "red", one'))
    assert '0.5000,"the ""red"", one",,tracked' in (tmp_path / "boxes.csv").read_text()


def test_json_lines(tmp_path: Path) -> None:
    entries = [json.loads(line) for line in write(tmp_path / "boxes.jsonl").open()]
    assert entries[2] == {
        "frame": 5,
        "time": 0.2,
        "box": [2.0, 20.5, 30.0, 40.0],
        "score": 0.5,
        "id": "car-2",
        "presence": 0.4,
        "state": "uncertain",
    }
    assert [entry["id"] for entry in entries] == [CAR, THIRD, CAR, THIRD, CAR, DOG, CAR, DOG, CAR, DOG]


def test_mot_counts_from_one_and_leaves_out_the_lost(tmp_path: Path) -> None:
    # Names are numbered from 1 in order; 7 stays 7. Without a presence, score 0.5 is an overlap of 0.75.
    assert write(tmp_path / "boxes.mot.txt").read_text().splitlines() == [
        "5,1,2.0000,21.5000,30.0000,40.0000,0.7500,-1,-1,-1",
        "5,7,11.0000,21.5000,30.0000,40.0000,0.9000,-1,-1,-1",
        "6,1,3.0000,21.5000,30.0000,40.0000,0.4000,-1,-1,-1",
        "6,7,12.0000,21.5000,30.0000,40.0000,0.9000,-1,-1,-1",
        "7,2,101.0000,21.5000,30.0000,40.0000,0.9000,-1,-1,-1",
        "8,2,102.0000,21.5000,30.0000,40.0000,0.9000,-1,-1,-1",
        "9,1,6.0000,21.5000,30.0000,40.0000,0.8000,-1,-1,-1",
        "9,2,103.0000,21.5000,30.0000,40.0000,0.9000,-1,-1,-1",
    ]


def test_cvat_puts_the_lost_outside(tmp_path: Path) -> None:
    root = ElementTree.parse(write(tmp_path / "boxes.cvat.xml")).getroot()
    assert root.findtext("version") == "1.1"
    task = root.find("meta/task")
    assert task.findtext("name") == FILM.name
    assert [task.findtext(tag) for tag in ("size", "start_frame", "stop_frame")] == ["6", "4", "9"]
    assert [task.findtext(f"original_size/{side}") for side in ("width", "height")] == ["640", "480"]
    assert [label.text for label in task.findall("labels/label/name")] == ["car", "dog", "target"]
    tracks = {track.get("id"): track for track in root.findall("track")}
    assert {number: track.get("label") for number, track in tracks.items()} == {
        "1": "car",
        "2": "dog",
        "7": "target",
    }
    table = {
        number: [(int(box.get("frame")), int(box.get("outside")), float(box.get("xtl"))) for box in track]
        for number, track in tracks.items()
    }
    # Once outside is enough; a track that ends before the film does is put outside there.
    assert table == {
        "1": [(4, 0, 1.0), (5, 0, 2.0), (6, 1, 2.0), (8, 0, 5.0), (9, 1, 5.0)],
        "2": [(6, 0, 100.0), (7, 0, 101.0), (8, 0, 102.0), (9, 1, 102.0)],
        "7": [(4, 0, 10.0), (5, 0, 11.0), (6, 1, 11.0)],
    }
    first = tracks["1"][0]
    assert [float(first.get(side)) for side in ("xtl", "ytl", "xbr", "ybr")] == [1.0, 20.5, 31.0, 60.5]
    assert {box.get("keyframe") for track in tracks.values() for box in track} == {"1"}


def test_cvat_tracks_end_where_nobody_looked_any_more(tmp_path: Path) -> None:
    with open_box_writer(tmp_path / "boxes.cvat.xml", film=FILM) as writer:
        writer.write_frame(4, 0.16, [row(4, CAR, 1), row(4, DOG, 9)])
        writer.write_frame(5, 0.2, [row(5, CAR, 2)])
        writer.film_goes_on()
    tracks = ElementTree.parse(tmp_path / "boxes.cvat.xml").getroot().findall("track")
    boxes = [[(b.get("frame"), b.get("outside"), b.get("xtl")) for b in track] for track in tracks]
    car = [("4", "0", "1.0000"), ("5", "0", "2.0000"), ("6", "1", "2.0000")]
    assert boxes == [car, [("4", "0", "9.0000"), ("5", "1", "9.0000")]]
    assert ElementTree.parse(tmp_path / "boxes.cvat.xml").getroot().findtext("meta/task/size") == "2"


def test_cvat_tracks_end_where_the_run_was_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "boxes.cvat.xml"
    with pytest.raises(RuntimeError, match="the source broke"), open_box_writer(path, film=FILM) as writer:
        writer.write_frame(4, 0.16, [row(4, CAR, 1)])
        raise RuntimeError("the source broke")
    (box, end) = ElementTree.parse(path).getroot().findall("track/box")
    assert [(b.get("frame"), b.get("outside")) for b in (box, end)] == [("4", "0"), ("5", "1")]


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.mot.txt", "boxes.coco.json", "boxes.labelstudio.json"])
def test_other_formats_are_the_same_where_the_film_goes_on(tmp_path: Path, name: str) -> None:
    texts = []
    for goes_on in (False, True):
        with open_box_writer(tmp_path / name, film=FILM, ids=[CAR, DOG, THIRD]) as writer:
            fill(writer)
            writer.write_frame(10, 0.4, [row(10, CAR, 3)])
            if goes_on:
                writer.film_goes_on()
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]


def test_coco_leaves_out_the_lost(tmp_path: Path) -> None:
    content = json.loads(write(tmp_path / "boxes.coco.json").read_text())
    (video,) = content["videos"]
    assert video == {"id": 1, "name": FILM.name, "width": 640, "height": 480, "length": 6, "fps": 25.0}
    assert content["categories"] == [
        {"id": 1, "name": "car"},
        {"id": 2, "name": "dog"},
        {"id": 3, "name": "target"},
    ]
    assert [(t["id"], t["category_id"], t["name"]) for t in content["tracks"]] == [
        (1, 1, "car-2"),
        (2, 2, "dog"),
        (7, 3, "7"),
    ]
    images = {image["id"]: image for image in content["images"]}
    assert [image["frame_index"] for image in images.values()] == [4, 5, 6, 7, 8, 9]
    assert [image["frame_id"] for image in images.values()] == [0, 1, 2, 3, 4, 5]
    assert images[1]["file_name"] == "street & <co>/000004.jpg"
    found = [
        (images[entry["image_id"]]["frame_index"], entry["track_id"], entry["bbox"][0], entry["score"])
        for entry in content["annotations"]
    ]
    assert found == [
        (4, 1, 1.0, 0.75),
        (4, 7, 10.0, 0.9),
        (5, 1, 2.0, 0.4),
        (5, 7, 11.0, 0.9),
        (6, 2, 100.0, 0.9),
        (7, 2, 101.0, 0.9),
        (8, 1, 5.0, 0.8),
        (8, 2, 102.0, 0.9),
    ]
    assert content["annotations"][0]["area"] == 1200.0
    assert len({entry["id"] for entry in content["annotations"]}) == len(found)


def test_label_studio_shows_nothing_after_the_last_box(tmp_path: Path) -> None:
    (task,) = json.loads(write(tmp_path / "boxes.labelstudio.json").read_text())
    assert task["data"] == {"video": FILM.name}
    regions = {region["id"]: region for region in task["predictions"][0]["result"]}
    table = {
        name: [(entry["frame"], entry["enabled"], entry["x"]) for entry in region["value"]["sequence"]]
        for name, region in regions.items()
    }
    # Frames from 1; lefts are percentages of 640 px.
    assert table == {
        "target-1": [(5, True, 0.1562), (6, False, 0.3125), (9, False, 0.7812)],
        "target-2": [(7, True, 15.625), (8, True, 15.7812), (9, False, 15.9375)],
        "target-7": [(5, True, 1.5625), (6, False, 1.7188)],
    }
    value = regions["target-1"]["value"]
    assert (value["framesCount"], value["duration"], value["labels"]) == (10, 0.4, ["car"])
    first = value["sequence"][0]
    assert (first["y"], first["width"], first["height"], first["time"]) == (4.2708, 4.6875, 8.3333, 0.2)
    assert {region["type"] for region in regions.values()} == {"videorectangle"}


def test_text_files_have_a_line_for_every_frame(tmp_path: Path) -> None:
    write(tmp_path / "boxes_{id}.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "boxes_7.txt",
        "boxes_car-2.txt",
        "boxes_dog.txt",
    ]
    lefts = {id: read_boxes_txt(tmp_path / f"boxes_{id}.txt")[:, 0] for id in (CAR, DOG, THIRD)}
    nan = math.nan
    np.testing.assert_array_equal(lefts[CAR], [1, 2, nan, nan, 5, nan])
    np.testing.assert_array_equal(lefts[DOG], [nan, nan, 100, 101, 102, nan])
    np.testing.assert_array_equal(lefts[THIRD], [10, 11, nan, nan, nan, nan])


def test_label_studio_has_the_frames_own_times(tmp_path: Path) -> None:
    path = tmp_path / "boxes.labelstudio.json"
    with open_box_writer(path, film=FILM) as writer:
        for frame, time_s in enumerate([0.0, 0.04, 2.0]):
            writer.write(BoxRow(frame, time_s, (1, 2, 3, 4), 0.5))
    (task,) = json.loads(path.read_text())
    value = task["predictions"][0]["result"][0]["value"]
    # One period of 1/25 s later than the frames, as in a film of even times frame 1 has 0.04.
    assert [entry["time"] for entry in value["sequence"]] == [0.04, 0.08, 2.04]
    assert (value["framesCount"], value["duration"]) == (3, 2.04)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_without_a_frame_is_one(tmp_path: Path, name: str) -> None:
    with open_box_writer(tmp_path / name, film=FILM):
        pass
    if name.endswith("xml"):
        assert ElementTree.parse(tmp_path / name).getroot().findall("track") == []
    elif name.endswith("coco.json"):
        assert json.loads((tmp_path / name).read_text())["annotations"] == []
    else:
        assert json.loads((tmp_path / name).read_text())[0]["predictions"][0]["result"] == []


def test_a_target_without_a_box_is_outside_everywhere(tmp_path: Path) -> None:
    for name in ("a.cvat.xml", "a.coco.json", "a.labelstudio.json", "a.mot.txt", "a.txt"):
        with open_box_writer(tmp_path / name, film=FILM) as writer:
            writer.write(BoxRow(0, 0.0, NAN_BOX, None))
    assert list(ElementTree.parse(tmp_path / "a.cvat.xml").getroot().iter("box")) == []
    assert json.loads((tmp_path / "a.coco.json").read_text())["annotations"] == []
    (task,) = json.loads((tmp_path / "a.labelstudio.json").read_text())
    assert task["predictions"][0]["result"][0]["value"]["sequence"] == []
    assert (tmp_path / "a.mot.txt").read_text() == ""
    assert (tmp_path / "a.txt").read_text() == "nan,nan,nan,nan\n"


def test_letters_that_xml_cannot_hold(tmp_path: Path) -> None:
    with open_box_writer(tmp_path / "a.cvat.xml", film=FilmFacts("caf\udce9\x01.mp4", 9, 9)) as writer:
        writer.write(BoxRow(0, 0.0, (1, 2, 3, 4), 0.5, "\x02<b>"))
    root = ElementTree.parse(tmp_path / "a.cvat.xml").getroot()
    assert root.findtext("meta/task/name") == "caf??.mp4"
    assert root.find("track").get("label") == "?<b>"


def test_our_own_reader_takes_the_coco_file(tmp_path: Path) -> None:
    write(tmp_path / "annotations.coco.json")
    layout = CocoLayout()
    sequences = {sequence.name: sequence for sequence in layout.list_sequences(tmp_path, None)}
    assert set(sequences) == {f"street & <co>_{number}" for number in (1, 2, 7)}
    boxes = layout.read_annotation(tmp_path, sequences["street & <co>_1"]).boxes_xywh
    np.testing.assert_array_equal(boxes[:, 0], [1, 2, math.nan, math.nan, 5, math.nan])


@pytest.mark.parametrize(
    ("ids", "numbers"),
    [
        ([1, 2, 3], [1, 2, 3]),
        (["a", "b"], [1, 2]),
        (["a", 1, "b", 2], [3, 1, 4, 2]),
        ([0, -4, 1], [2, 3, 1]),
        ([], []),
    ],
)
def test_numbers_of_targets(ids: list[int | str], numbers: list[int]) -> None:
    given = TrackNumbers(ids)
    assert [given[each] for each in ids] == numbers
    assert given["late"] not in numbers
    assert given["late"] == given["late"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.mot.txt", "a.txt", *DOCUMENTS])
def test_numbers_of_numpy_are_written_as_python_s(tmp_path: Path, name: str) -> None:
    texts = []
    for whole, real in ((int, float), (np.int64, np.float32)):
        film = FilmFacts("film.mp4", whole(640), whole(480), real(25))
        with open_box_writer(tmp_path / name, film=film, ids=[whole(7)]) as writer:
            for frame in range(3):
                box = tuple(real(value) for value in (1, 2.5, 3, 4))
                found = BoxRow(whole(frame), real(frame / 4), box, real(0.5), whole(7), real(0.75))
                writer.write_frame(whole(frame), real(frame / 4), [found])
        texts.append((tmp_path / name).read_text())
    assert texts[1] == texts[0]


def test_formats_by_name(tmp_path: Path) -> None:
    lines = write(tmp_path / "boxes.mot.txt").read_text()
    assert write(tmp_path / "gt.txt", format="mot").read_text() == lines
    with pytest.raises(
        SettingsError, match="one of txt, csv, jsonl, mot, cvat, coco, labelstudio; got format 'gif'"
    ):
        open_box_writer(tmp_path / "boxes.csv", format="gif")
    with pytest.raises(SettingsError, match="give `film`"):
        open_box_writer(tmp_path / "boxes.cvat.xml")


def test_text_of_several_targets_needs_a_file_for_each(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"boxes_\{id\}\.txt"):
        check_box_output(tmp_path / "boxes.txt", ids=[1, 2])
    with pytest.raises(OutputError, match="only text files"):
        check_box_output(tmp_path / "boxes_{id}.csv", ids=[1, 2])
    with pytest.raises(OutputError, match="name the targets"):
        open_box_writer(tmp_path / "boxes_{id}.txt")
    with pytest.raises(OutputError, match="cannot be part of a file's name"):
        open_box_writer(tmp_path / "boxes_{id}.txt", ids=["../up"])
    with pytest.raises(OutputError, match=r"targets 1 and '1' would share the file .*boxes_1\.txt"):
        open_box_writer(tmp_path / "boxes_{id}.txt", ids=[1, 2, "1"])
    with pytest.raises(OutputError, match="targets 'car' and 'Car' would share"):
        check_box_output(tmp_path / "boxes_{id}.txt", ids=["car", "Car"])
    with (
        open_box_writer(tmp_path / "boxes.txt") as writer,
        pytest.raises(OutputError, match="holds one target"),
    ):
        writer.write_frame(0, 0.0, [row(0, 1, 2), row(0, 2, 3)])
    with (
        open_box_writer(tmp_path / "boxes_{id}.txt", ids=[1]) as writer,
        pytest.raises(OutputError, match="target 2"),
    ):
        writer.write(row(0, 2, 3))


@pytest.mark.parametrize("name", [*DOCUMENTS, "boxes.mot.txt"])
def test_writing_after_close(tmp_path: Path, name: str) -> None:
    writer = open_box_writer(tmp_path / name, film=FILM)
    writer.close()
    writer.close()
    with pytest.raises(OutputError, match="is closed"):
        writer.write(row(0, 1, 2))


def test_images_keep_their_names(tmp_path: Path) -> None:
    film = FilmFacts("pictures", 9, 9, 30.0, ["a/1.png", "b/2.png"])
    with open_box_writer(tmp_path / "a.coco.json", film=film) as writer:
        writer.write_frame(1, 0.0, [])
    (image,) = json.loads((tmp_path / "a.coco.json").read_text())["images"]
    assert image["file_name"] == "b/2.png"
