"""`aiatrack data check`: says what is usable, and why a source is not."""

import json

import cv2
import numpy as np
import pytest

LONG_NAME = "flood_drone_person_ir"


def write_source(folder, name: str, box: list[int], channels: int) -> None:
    cv2.imwrite(str(folder / f"{name}.png"), np.full((48, 64, channels), 200, np.uint8))
    row = {"image": f"{name}.png", "boxes": [box] if box else []}
    (folder / f"{name}.jsonl").write_text(json.dumps(row))


def test_a_good_pack_passes(run, here):
    write_source(here, LONG_NAME, [5, 5, 20, 20], 3)
    write_source(here, "cutouts", [0, 0, 64, 48], 4)
    write_source(here, "backgrounds", [], 3)
    outcome = run("data", "check", here)
    assert (outcome.code, outcome.err) == (0, "")
    assert LONG_NAME in outcome.out, "names are not cut"
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "cutouts: 1 cut-outs, to be pasted over other images" in outcome.out
    assert "backgrounds: no boxes" in outcome.out


def test_a_yolo_folder_by_its_yaml(run, here):
    for folder in ("images", "labels"):
        (here / folder).mkdir()
    cv2.imwrite(str(here / "images" / "a.png"), np.full((48, 64, 3), 200, np.uint8))
    (here / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (here / "data.yaml").write_text("train: images\nnames: [thing]\n")
    outcome = run("data", "check", "data.yaml", "--layout", "yolo")
    assert (outcome.code, outcome.err) == (0, "")
    assert here.name in outcome.out


def test_a_source_without_anything_usable_is_named_with_the_reason(run, here):
    write_source(here, "good", [5, 5, 20, 20], 3)
    write_source(here, "huge", [0, 0, 64, 48], 3)
    outcome = run("data", "check", here)
    assert outcome.code == 9
    assert "nothing usable in huge (none of its 1 boxes can be followed" in outcome.err
    assert "good" not in outcome.err


def test_a_recipe_without_a_name_is_none(run, here):
    outcome = run("data", "check", "--recipe=")
    assert outcome.code == 2
    assert "there is no recipe ''" in outcome.err


def test_a_recipe_is_checked_as_a_run_would_take_it(run, here):
    write_source(here, "large", [0, 0, 40, 32], 3)  # 0.42 of the image
    assert run("data", "check", here).code == 0
    changes = (f"path={here}", "weights={}", "without_identity=[]")
    as_nano = ("data", "check", "--recipe", "nano", *(f"--set=data.sources.0.{change}" for change in changes))
    outcome = run(*as_nano)
    assert outcome.code == 9
    assert "cover 0.2 to 30 % of its image" in outcome.err
    assert run(*as_nano, "--set=data.box_share=[0,1]").code == 0


def test_settings_are_those_of_a_recipe(run, here):
    outcome = run("data", "check", here, "--set", "data.box_share=[0,1]")
    assert outcome.code == 2
    assert "give --recipe as well" in outcome.err


@pytest.mark.parametrize("stated", [{"width": 64, "height": 48}, {}])
def test_quick_goes_by_sizes_that_are_stated(run, here, stated):
    write_source(here, "huge", [0, 0, 64, 48], 3)
    row = json.loads((here / "huge.jsonl").read_text())
    (here / "huge.jsonl").write_text(json.dumps(row | stated))
    assert run("data", "check", here, "--quick").code == (9 if stated else 0)
