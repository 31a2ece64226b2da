"""Several targets on the command line: who is followed when, what is written, what is refused."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from cli_inputs import BOX, make_film, make_folder

from aiatrack import api
from aiatrack.video import open_frames, read_boxes_txt

OTHER = "50,10,16,30"
HEADER = "id,frame,x,y,w,h\n"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def frames_of(path: Path) -> dict[str, list[int]]:
    """The frames in which each target has a row."""
    frames: dict[str, list[int]] = {}
    for row in rows_of(path):
        frames.setdefault(row["id"], []).append(int(row["frame"]))
    return frames


def boxes_of(path: Path, target_id: str) -> np.ndarray:
    rows = [row for row in rows_of(path) if row["id"] == target_id]
    return np.array([[float(row[side]) for side in "xywh"] for row in rows])


def test_each_target_is_found_as_if_it_were_alone(track, here, film, tiny_weights):
    outcome = track(film, "--box", f"car={BOX}", "--box", OTHER, "--save-boxes", "boxes.csv")
    assert outcome.code == 0
    for target_id, box in (("car", BOX), ("1", OTHER)):
        marked = [float(side) for side in box.split(",")]
        alone = [r.box_xywh for r in api.track(film, marked, model=tiny_weights, device="cpu")]
        assert boxes_of(here / "boxes.csv", target_id) == pytest.approx(np.array(alone), abs=2e-3)
    lines = outcome.out.splitlines()
    assert [line.partition(",")[0] for line in lines[:2]] == ["target car: 12 frames", "target 1: 12 frames"]
    assert "2 of 2 targets followed; wrote boxes.csv" in lines[2]


def test_targets_come_and_go(track, here, film):
    (here / "targets.csv").write_text(
        "id,frame,x,y,w,h,last\nlate,7,20,20,20,20,\n3,0,20,20,20,20,4\nbrief,5,50,10,16,30,5\n"
    )
    outcome = track(film, "--boxes", "targets.csv", "--save-boxes", "boxes.csv", "-o", "out.mp4")
    assert outcome.code == 0
    assert outcome.err == ""
    assert frames_of(here / "boxes.csv") == {
        "3": [0, 1, 2, 3, 4],
        "brief": [5],
        "late": [7, 8, 9, 10, 11],
    }
    # As given in the first frame of each, with full score.
    first = {row["id"]: row for row in reversed(rows_of(here / "boxes.csv"))}
    assert {row["score"] for row in first.values()} == {"1.0000"}
    assert boxes_of(here / "boxes.csv", "brief").tolist() == [[50, 10, 16, 30]]
    with av.open("out.mp4") as written:
        assert sum(1 for _ in written.decode(video=0)) == 12


def test_json_lines_and_options_together(track, here, film):
    lines = [
        {"id": "dog", "frame": 3, "box": [50, 10, 16, 30]},
        {"id": 1, "frame": 0, "box": [20, 20, 20, 20]},
    ]
    (here / "targets.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "\n")
    arguments = ("--boxes", "targets.jsonl", "--box", BOX, "--save-boxes", "boxes.csv")
    assert track(film, *arguments).code == 0
    # The number 1 is taken in the file: the option's box is target 2.
    found = frames_of(here / "boxes.csv")
    assert {target_id: frames[0] for target_id, frames in found.items()} == {"2": 0, "1": 0, "dog": 3}


def test_frames_count_from_the_films_first_also_after_start(track, here, film):
    (here / "targets.csv").write_text(f"{HEADER}a,6,20,20,20,20\n")
    arguments = ("--boxes", "targets.csv", "--save-boxes", "boxes.csv", "--start", "0.2")
    assert track(film, *arguments).code == 0
    assert frames_of(here / "boxes.csv") == {"a": [6, 7, 8, 9, 10, 11]}
    outcome = track(film, *arguments[:-1], "0.4")
    assert outcome.code == 2
    assert "targets.csv, line 2: target a begins in frame 6, before the first frame that is tracked, 10" in (
        outcome.err
    )


def test_text_of_one_late_target_keeps_its_place(track, here, film):
    (here / "targets.csv").write_text(f"{HEADER}9,10,20,20,20,20\n")
    assert track(film, "--boxes", "targets.csv", "--save-boxes", "boxes.txt").code == 0
    boxes = read_boxes_txt("boxes.txt")
    assert np.isnan(boxes[:10]).all()
    assert boxes[10].tolist() == [20, 20, 20, 20]
    assert len(boxes) == 12


def test_text_file_for_each_target(track, here, film):
    arguments = ("--box", f"a={BOX}", "--box", f"b={OTHER}", "--save-boxes", "boxes_{id}.txt")
    assert track(film, *arguments).code == 0
    assert read_boxes_txt("boxes_a.txt")[0].tolist() == [20, 20, 20, 20]
    assert read_boxes_txt("boxes_b.txt")[0].tolist() == [50, 10, 16, 30]
    assert len(read_boxes_txt("boxes_b.txt")) == 12


def test_documents_for_annotation_tools(track, here, film):
    arguments = ("--no-presence", "--box", f"car={BOX}", "--box", f"dog={OTHER}", "--save-boxes")
    assert track(film, *arguments, "boxes.cvat.xml").code == 0
    assert track(film, *arguments, "boxes.coco.json").code == 0
    assert track(film, *arguments, "boxes", "--format", "mot").code == 0
    root = ElementTree.parse("boxes.cvat.xml").getroot()
    assert root.findtext("meta/task/name") == "street.mp4"
    assert [(entry.get("label"), len(entry)) for entry in root.findall("track")] == [("car", 12), ("dog", 12)]
    content = json.loads((here / "boxes.coco.json").read_text())
    assert (content["videos"][0]["width"], content["videos"][0]["height"]) == (96, 64)
    assert content["videos"][0]["fps"] == 25.0
    assert len(content["annotations"]) == 24
    assert len((here / "boxes").read_text().splitlines()) == 24
    assert not list(here.glob("*.journal"))


@pytest.mark.parametrize(("span", "outside"), [(("--end", "0.2"), ["5"]), ((), [])])
def test_cvat_tracks_end_with_the_run_where_the_film_goes_on(span, outside, track, here, film):
    arguments = ("--no-presence", "--box", BOX, "--save-boxes", "boxes.cvat.xml", *span)
    assert track(film, *arguments).code == 0
    boxes = ElementTree.parse("boxes.cvat.xml").getroot().findall("track/box")
    assert [box.get("frame") for box in boxes if box.get("outside") == "1"] == outside


def test_coco_names_the_images_of_a_folder(track, here):
    folder = make_folder(here / "pictures", [(96, 64)] * 3)
    (folder / "0001.png").rename(folder / "left 2.png")
    assert track(folder, "--box", BOX, "--save-boxes", "boxes.coco.json", "--start", "0.02").code == 0
    images = json.loads((here / "boxes.coco.json").read_text())["images"]
    assert [(image["frame_index"], image["file_name"]) for image in images] == [
        (1, "0002.png"),
        (2, "left 2.png"),
    ]


def test_the_lost_are_outside_in_every_format(track, here, long_film):
    arguments = ("--presence", "--box", f"car={BOX}", "--box", f"dog={OTHER}", "--save-boxes")
    for name in ("boxes.csv", "boxes.cvat.xml", "boxes.coco.json", "boxes.mot.txt"):
        assert track(long_film, *arguments, name).code == 0
    rows = rows_of(here / "boxes.csv")
    seen = [(int(row["frame"]), row["id"]) for row in rows if row["state"] != "lost"]
    assert 0 < len(seen) < 40, "the random network should lose its targets"
    names = {"1": "car", "2": "dog"}
    mot = [line.split(",") for line in (here / "boxes.mot.txt").read_text().splitlines()]
    assert [(int(row[0]) - 1, names[row[1]]) for row in mot] == seen
    content = json.loads((here / "boxes.coco.json").read_text())
    coco = [(a["image_id"] - 1, names[str(a["track_id"])]) for a in content["annotations"]]
    assert coco == seen
    tracks = ElementTree.parse("boxes.cvat.xml").getroot().findall("track")
    inside = [
        (int(box.get("frame")), entry.get("label"))
        for entry in tracks
        for box in entry
        if box.get("outside") == "0"
    ]
    assert sorted(inside) == sorted(seen)


def test_each_target_has_its_colour_and_name(track, here, film):
    alone = track(film, "--no-presence", "--box", BOX, "-o", "alone.mkv")
    both = track(film, "--no-presence", "--box", BOX, "--box", OTHER, "-o", "both.mkv")
    assert alone.code == both.code == 0
    pictures = []
    for name in ("alone.mkv", "both.mkv"):
        with av.open(name) as film_written:
            pictures.append(next(film_written.decode(video=0)).to_ndarray(format="rgb24").astype(int))
    # The second box is orange, on a ground that is grey without it.
    red, _, blue = (pictures[1] - pictures[0])[15:38, 49:51].mean(axis=(0, 1))
    assert red > 40
    assert blue < -10


def test_a_later_row_of_an_id_marks_the_target_anew(track, here, film, tiny_weights):
    (here / "targets.csv").write_text(f"{HEADER}car,5,50,10,16,30\ncar,0,20,20,20,20\n")
    outcome = track(film, "--boxes", "targets.csv", "--save-boxes", "boxes.csv", "-o", "out.mp4")
    assert (outcome.code, outcome.err) == (0, "")
    assert frames_of(here / "boxes.csv") == {"car": list(range(12))}
    given = [int(row["frame"]) for row in rows_of(here / "boxes.csv") if row["score"] == "1.0000"]
    assert given == [0, 5]
    # As the tracker does when it is told to remove and add.
    tracker = api.load_multi_tracker(tiny_weights, "cpu")
    expected = []
    with open_frames(film) as frames:
        for frame in frames:
            if frame.index == 5:
                tracker.remove("car")
            tracker.update(frame.image)
            if frame.index in (0, 5):
                tracker.add(frame.image, ((20, 20, 20, 20), (50, 10, 16, 30))[frame.index > 0], "car")
            expected.append(tracker.latest["car"].box_xywh)
    assert boxes_of(here / "boxes.csv", "car") == pytest.approx(np.array(expected), abs=2e-3)


def test_a_target_may_end_and_be_marked_anew(track, here, film):
    lines = [
        {"id": "car", "frame": 0, "box": [20, 20, 20, 20], "last": 2},
        {"id": "car", "frame": 6, "box": [50, 10, 16, 30], "last": 9},
        {"id": "car", "frame": 8, "box": [20, 20, 20, 20]},
    ]
    (here / "targets.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ("--no-presence", "--boxes", "targets.jsonl", "--save-boxes")
    for name in ("boxes.csv", "boxes.txt", "boxes.cvat.xml"):
        assert track(film, *arguments, name).code == 0
    assert frames_of(here / "boxes.csv") == {"car": [0, 1, 2, 6, 7, 8, 9, 10, 11]}
    assert np.isnan(read_boxes_txt("boxes.txt")).all(axis=1).nonzero()[0].tolist() == [3, 4, 5]
    (one,) = ElementTree.parse("boxes.cvat.xml").getroot().findall("track")
    assert [box.get("frame") for box in one if box.get("outside") == "1"] == ["3"]


def test_an_option_is_corrected_by_a_file(track, here, film):
    (here / "targets.csv").write_text(f"{HEADER}car,8,50,10,16,30\n")
    arguments = ("--box", f"car={BOX}", "--boxes", "targets.csv", "--save-boxes", "boxes.csv", "--start")
    assert track(film, *arguments, "0.2").code == 0
    assert frames_of(here / "boxes.csv") == {"car": [5, 6, 7, 8, 9, 10, 11]}
    assert boxes_of(here / "boxes.csv", "car")[3].tolist() == [50, 10, 16, 30]
    # The same frame, which is known once the film has been opened.
    outcome = track(film, *arguments, "0.32")
    assert outcome.code == 3
    assert "targets.csv, line 2: target car was marked already (--box car=" in outcome.err


def test_a_correction_after_the_end_is_a_warning(track, here, film):
    (here / "targets.csv").write_text(f"{HEADER}a,0,20,20,20,20\na,12,20,20,20,20\n")
    outcome = track(film, "--boxes", "targets.csv", "--save-boxes", "boxes.csv")
    assert outcome.code == 0
    assert outcome.err == "warning: not marked anew, as the source ends before that frame: target a\n"


def test_mean_overlap_leaves_out_what_was_given(track, here, film):
    (here / "targets.csv").write_text(HEADER + "".join(f"a,{n},20,20,20,20\n" for n in range(12)))
    outcome = track(film, "--boxes", "targets.csv", "--save-boxes", "boxes.csv")
    assert outcome.out.endswith("frames/s; wrote boxes.csv\n")


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.jsonl"])
def test_a_file_of_results_marks_no_targets(name, track, here, film):
    assert track(film, "--box", BOX, "--save-boxes", name).code == 0
    outcome = track(film, "--boxes", name, "--save-boxes", "again.csv")
    assert (outcome.code, outcome.err.count("\n")) == (9, 1)
    assert f"{name} was written by --save-boxes, with a box for every frame" in outcome.err
    assert "id,frame,x,y,w,h" in outcome.err
    assert not (here / "again.csv").exists()


def test_a_target_after_the_end_is_a_warning(track, here, film):
    (here / "targets.csv").write_text(f"{HEADER}a,0,20,20,20,20\nlate,12,20,20,20,20\n")
    outcome = track(film, "--boxes", "targets.csv", "--save-boxes", "boxes.csv")
    assert outcome.code == 0
    expected = "warning: never followed, as the source ends before their first frame: target late\n"
    assert outcome.err == expected
    assert "target late: 0 frames\n" in outcome.out
    assert "1 of 2 targets followed" in outcome.out


def test_nobody_to_follow_yet_nor_ever(track, here, film):
    (here / "targets.csv").write_text(f"{HEADER}late,500,20,20,20,20\n")
    outcome = track(film, "--boxes", "targets.csv", "--save-boxes", "boxes.csv")
    assert outcome.code == 0
    assert "no target followed; wrote boxes.csv" in outcome.out
    assert len((here / "boxes.csv").read_text().splitlines()) == 1


def test_documents_keep_what_there_was_when_the_source_breaks(track, here):
    folder = make_folder(here / "pictures", [(96, 64)] * 4 + [(64, 64)])
    arguments = ("--box", f"a={BOX}", "--box", f"b={OTHER}", "--save-boxes", "boxes.coco.json")
    outcome = track(folder, *arguments)
    assert outcome.code == 4
    assert "broken off: 4 frames" in outcome.out
    assert len(json.loads((here / "boxes.coco.json").read_text())["annotations"]) == 8


REFUSED = {
    "one id twice": (("--box", f"a={BOX}", "--box", f"a={OTHER}"), 3, "target a was marked already"),
    "second box outside": (("--box", BOX, "--box", "96,0,5,5"), 3, "target 2 in frame 0: box"),
    "second box is NaN": (("--box", BOX, "--box", "nan,0,5,5"), 3, "finite"),
    "name without box": (("--box", "car="), 3, "takes X,Y,WIDTH,HEIGHT"),
    "box without name": (("--box", f"={BOX}"), 3, "number or a name"),
    "name with a bell": (("--box", f"c\x07r={BOX}"), 3, "can be printed"),
    "two boxes and select": (("--box", BOX, "--box", OTHER, "--select"), 2, "either with --box"),
    "file and select": (("--boxes", "good.csv", "--select"), 2, "either with --box"),
    "file is missing": (("--boxes", "gone.csv"), 9, "cannot read boxes from gone.csv"),
    "file is a film": (("--boxes", "film.csv"), 9, "is not a text file"),
    "late box outside": (("--boxes", "outside.csv"), 3, "outside.csv, line 3: target b in frame 5: box"),
    "late box too large": (("--boxes", "large.csv"), 3, "large.csv, line 3: target big in frame 3: box"),
    "late box too small": (("--boxes", "small.csv"), 3, "small.csv, line 2: target dot in frame 3: box"),
    "text for two": (("--box", BOX, "--box", OTHER, "--save-boxes", "boxes.txt"), 6, "boxes_{id}.txt"),
    "name that is a path": (
        ("--box", f"../a={BOX}", "--save-boxes", "boxes_{id}.txt"),
        6,
        "cannot be part of a file's name",
    ),
    "unknown format": (("--box", BOX, "--save-boxes", "boxes.txt", "--format", "gif"), 2, "one of txt, csv"),
    "format without a file": (("--box", BOX, "--format", "cvat"), 2, "name a file of boxes"),
    "one file for film and boxes": (
        ("--box", BOX, "--save-boxes", "./out.mp4", "--format", "csv"),
        6,
        "two names",
    ),
    "output is the file of boxes": (
        ("--boxes", "good.csv", "--save-boxes", "good.csv"),
        6,
        "is the input itself",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_written(name, track, here, film):
    options, code, words = REFUSED[name]
    (here / "good.csv").write_text(f"{HEADER}a,0,20,20,20,20\n")
    (here / "outside.csv").write_text(f"{HEADER}a,0,20,20,20,20\nb,5,96,20,20,20\n")
    (here / "large.csv").write_text(f"{HEADER}a,0,20,20,20,20\nbig,3,-1e9,-1e9,2e9,2e9\n")
    (here / "small.csv").write_text(f"{HEADER}dot,3,20,20,1e-300,1e-300\n")
    (here / "film.csv").write_bytes(film.read_bytes())
    (here / "out.mp4").write_bytes(b"precious")
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    outcome = track(film, *options, "-o", "out.mp4")
    assert (outcome.code, outcome.err.count("\n")) == (code, 1), outcome
    assert words in outcome.err
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_many_targets_in_one_film(track, here):
    source = make_film(here / "short.mp4", 3)
    lines = [f"t{n},{n % 3},{n % 60},{n % 40},12,12\n" for n in range(40)]
    (here / "targets.csv").write_text(HEADER + "".join(lines))
    outcome = track(source, "--boxes", "targets.csv", "--save-boxes", "boxes.mot.txt", "-o", "out.mp4")
    assert outcome.code == 0
    assert len((here / "boxes.mot.txt").read_text().splitlines()) == 14 * 3 + 13 * 2 + 13
    assert "40 of 40 targets followed" in outcome.out
