"""Targets as they are given, in options and files: what is read, and what is wrong with a line."""

import numpy as np
import pytest

from aiatrack.cli import targets
from aiatrack.cli.targets import read_marks
from aiatrack.errors import AiATrackError, BoxError, DataError

HEADER = "id,frame,x,y,w,h\n"


LINES = {
    "no header": ("1,0,20,20,20,20\n", DataError, "line 1: expected a line id,frame,x,y,w,h"),
    "column missing": ("id,frame,x,y,w\n", DataError, "line 1: expected a line"),
    "column unknown": ("id,frame,x,y,w,h,lust\n", DataError, "line 1: expected a line"),
    "column twice": ("id,frame,x,y,w,h,id\n", DataError, "line 1: expected a line"),
    "only a header": (HEADER, DataError, "marks no target"),
    "empty": ("", DataError, "line 1: expected a line"),
    "cell missing": (f"{HEADER}1,0,20,20,20\n", BoxError, "line 2: expected 6 cells, got 5"),
    "no id": (f"{HEADER},0,20,20,20,20\n", BoxError, "line 2: the id of a target"),
    "frame is negative": (f"{HEADER}1,-1,20,20,20,20\n", BoxError, "line 2: the first frame of target 1"),
    "frame is a fraction": (f"{HEADER}1,0.5,20,20,20,20\n", BoxError, "line 2: the first frame"),
    "frame is a word": (f"{HEADER}1,now,20,20,20,20\n", BoxError, "line 2: the first frame"),
    "frame beyond all films": (f"{HEADER}1,{'9' * 30},20,20,20,20\n", BoxError, "line 2: the first frame"),
    "not a number": (f"{HEADER}\n1,0,20,x,20,20\n", BoxError, "line 3: target 1: a box is four numbers"),
    "NaN": (f"{HEADER}1,0,20,nan,20,20\n", BoxError, "line 2: target 1: a box is finite"),
    "no width": (f"{HEADER}1,0,20,20,0,20\n", BoxError, "positive width"),
    "negative height": (f"{HEADER}1,0,20,20,9,-20\n", BoxError, "positive width"),
    "id twice": (f"{HEADER}1,4,2,2,9,9\n01,4,2,2,9,9\n", BoxError, r"line 3: .* already \(.*line 2\)"),
    "ends before it begins": ("id,frame,x,y,w,h,last\n1,5,2,2,9,9,4\n", BoxError, "ends in frame 4"),
    "cell beyond all measure": (f"{HEADER}1,0,2,2,9,{'9' * 200_000}\n", BoxError, "line 2: not CSV"),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_that_are_wrong_are_named(name, tmp_path):
    text, kind, message = LINES[name]
    (tmp_path / "targets.csv").write_text(text)
    with pytest.raises(kind, match=message):
        read_marks([], tmp_path / "targets.csv")


JSON_LINES = {
    "not JSON": ("{\n", "line 1: expected an object"),
    "a list": ("[1]\n", "line 1: expected an object"),
    "key missing": ('{"id": 1, "frame": 0}\n', "line 1: expected an object"),
    "key unknown": ('{"id": 1, "frame": 0, "box": [1, 2, 3, 4], "lust": 4}\n', "line 1: expected an object"),
    "id is a fraction": ('{"id": 1.5, "frame": 0, "box": [1, 2, 3, 4]}\n', "the id of a target"),
    "id is true": ('{"id": true, "frame": 0, "box": [1, 2, 3, 4]}\n', "the id of a target"),
    "frame is true": ('{"id": 1, "frame": true, "box": [1, 2, 3, 4]}\n', "whole number from 0"),
    "three numbers": ('\n{"id": 1, "frame": 0, "box": [1, 2, 3]}\n', "line 2: target 1: a box is four"),
    "box is a text": ('{"id": 1, "frame": 0, "box": "6472"}\n', "line 1: target 1: a box is four"),
    "box is an object": (
        '{"id": 1, "frame": 0, "box": {"6": 0, "4": 0, "7": 0, "2": 0}}\n',
        "a box is four",
    ),
    "side is true": ('{"id": 1, "frame": 0, "box": [6, 4, true, 2]}\n', "a box is four"),
    "side beyond all floats": (f'{{"id": 1, "frame": 0, "box": [6, 4, 7, 1{"0" * 400}]}}\n', "a box is four"),
    "box is null": ('{"id": 1, "frame": 0, "box": null}\n', "a box is four"),
    "box is infinite": ('{"id": 1, "frame": 0, "box": [1, 2, 3, Infinity]}\n', "finite"),
    "without end": ("[" * 100_000 + "\n", "line 1: expected an object"),
}


@pytest.mark.parametrize("name", JSON_LINES)
def test_json_lines_that_are_wrong_are_named(name, tmp_path):
    text, message = JSON_LINES[name]
    (tmp_path / "targets.jsonl").write_text(text)
    with pytest.raises(BoxError, match=message):
        read_marks([], tmp_path / "targets.jsonl")


def test_columns_in_any_order_with_spaces_and_a_mark_of_order(tmp_path):
    text = '\ufeffFrame, ID ,w,h,x,y,last\r\n4,"a, b",30,40,10,20,9\r\n\r\n0,7,3,4,1,2,\r\n'
    (tmp_path / "targets.csv").write_text(text, newline="")
    first, second = read_marks([], tmp_path / "targets.csv")
    assert (first.id, first.first_frame, first.last_frame, first.box_xywh) == ("a, b", 4, 9, (10, 20, 30, 40))
    assert (second.id, second.first_frame, second.last_frame, second.box_xywh) == (7, 0, None, (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["1,2,3,4", "1,2,3,4"], [1, 2]),
        (["2=1,2,3,4", "1,2,3,4", "1,2,3,4"], [2, 1, 3]),
        (["a=b=1,2,3,4", " c d =1 2 3 4"], ["a=b", "c d"]),
        (["9" * 19 + "=1,2,3,4"], ["9" * 19]),
    ],
)
def test_ids_of_options(options, ids):
    assert [mark.id for mark in read_marks(options, None)] == ids


def test_every_error_is_of_our_tree(tmp_path):
    """Random bytes and random damage of a good file."""
    random = np.random.default_rng(0)
    good = b"id,frame,x,y,w,h,last\na,0,20,20,20,20,4\n7,3,1.5,2,3,4,\n"
    for name in ("targets.csv", "targets.jsonl"):
        for trial in range(300):
            damaged = bytearray(good if trial % 3 else random.bytes(60))
            for place in random.integers(len(damaged), size=trial % 5):
                damaged[place] = random.integers(256)
            (tmp_path / name).write_bytes(damaged)
            try:
                marks = read_marks([], tmp_path / name)
            except AiATrackError:
                continue
            assert all(isinstance(mark, targets.TargetMark) for mark in marks)
