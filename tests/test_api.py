"""Names and paths in, ready objects out; and what is said where they are wrong."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import aiatrack
from aiatrack import api
from aiatrack.errors import (
    BoxError,
    FrameError,
    SettingsError,
    TrackingError,
    VideoError,
    WeightsError,
)

BOX = (20, 20, 20, 20)


def image(index: int = 0, width: int = 96, height: int = 64) -> np.ndarray:
    picture = np.full((height, width, 3), (90, 60, 30), np.uint8)
    picture[20:40, 20 + index : 40 + index] = (230, 180, 40)
    return picture


def test_tracker_is_ready(tiny_weights):
    tracker = aiatrack.load_tracker(tiny_weights, "cpu")
    first = tracker.start(image(), BOX)
    assert (first.box_xywh, first.score, first.frame_index, first.remembered) == (BOX, 1.0, 0, True)
    second = tracker.update(image(1))
    assert second.frame_index == 1
    assert len(second.box_xywh) == 4
    assert 0 <= second.predicted_iou <= 1


def test_auto_device_is_one_that_works(tiny_weights):
    tracker = aiatrack.load_tracker(tiny_weights)
    tracker.start(image(), BOX)
    assert np.isfinite(tracker.update(image(1)).box_xywh).all()
    torch = sys.modules["torch"]
    assert api.select_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_bgr_is_rgb_reversed(tiny_weights):
    rgb = aiatrack.load_tracker(tiny_weights, "cpu")
    bgr = aiatrack.load_tracker(tiny_weights, "cpu", color="bgr")
    rgb.start(image(), BOX)
    bgr.start(image()[..., ::-1], BOX)
    assert bgr.update(image(1)[..., ::-1]) == rgb.update(image(1))
    assert bgr.update(image(2)) != rgb.update(image(2))  # the order matters to the network


@pytest.mark.parametrize("model", [None, 3, b"lite"])
@pytest.mark.parametrize("load", [aiatrack.load_tracker, aiatrack.load_multi_tracker])
def test_a_model_is_a_name_or_a_path(load, model):
    with pytest.raises(SettingsError, match="a name or the path"):
        load(model)


def test_tracking_settings_are_laid_over_the_models(tiny_weights):
    tracker = aiatrack.load_tracker(tiny_weights, "cpu", ensemble_size=5)
    assert (tracker.settings.ensemble_size, tracker.settings.memory_capacity) == (5, 100)
    tracker = aiatrack.load_tracker(tiny_weights, "cpu", benchmark="got10k_test", memory_capacity=7)
    assert (tracker.settings.ensemble_size, tracker.settings.memory_capacity) == (4, 7)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"model": "huge"}, SettingsError, "choose one of base, lite, nano"),
        ({"model": ""}, WeightsError, "there is no weights file"),
        ({"model": "gone.safetensors"}, WeightsError, "there is no weights file gone.safetensors"),
        ({"device": "toaster"}, SettingsError, "cannot use device 'toaster'"),
        ({"device": ""}, SettingsError, "cannot use device ''"),
        ({"device": "hpu"}, SettingsError, "cannot use device 'hpu'"),
        ({"device": None}, SettingsError, "cannot use device None"),
        ({"color": "grb"}, SettingsError, "'rgb' or 'bgr'"),
        ({"benchmark": "imagenet"}, SettingsError, "choose one of"),
        ({"benchmark": ""}, SettingsError, "choose one of"),
        ({"ensemble_sise": 3}, SettingsError, "ensemble_sise"),
        ({"ensemble_size": -1}, SettingsError, "ensemble_size"),
        ({"search_factor": float("nan")}, SettingsError, "search_factor"),
    ],
)
def test_load_tracker_refuses(arguments, error, words, tiny_weights):
    with pytest.raises(error, match=words):
        aiatrack.load_tracker(**{"model": tiny_weights} | arguments)


def test_update_before_start(tiny_weights):
    with pytest.raises(TrackingError, match="mark the target first"):
        aiatrack.load_tracker(tiny_weights, "cpu").update(image())


def test_track_is_start_and_updates(tiny_weights):
    frames = [image(index) for index in range(4)]
    tracker = aiatrack.load_tracker(tiny_weights, "cpu", ensemble_size=2)
    by_hand = [tracker.start(frames[0], BOX), *(tracker.update(frame) for frame in frames[1:])]
    options = {"model": tiny_weights, "device": "cpu", "ensemble_size": 2}
    assert list(aiatrack.track(iter(frames), BOX, **options)) == by_hand
    assert list(aiatrack.track(np.stack(frames), BOX, **options)) == by_hand


@pytest.fixture
def folder(tmp_path):
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image(index)[..., ::-1])
    return tmp_path


@pytest.mark.parametrize("look_ahead", [1, 3, 64])
def test_what_is_on_disk_can_be_looked_ahead_in(look_ahead, folder, tiny_weights):
    options = {"model": tiny_weights, "device": "cpu", "max_shift_ahead": 0.5, "look_ahead": look_ahead}
    results = list(aiatrack.track(folder, BOX, **options))
    assert [result.frame_index for result in results] == list(range(6))
    tracker = aiatrack.load_tracker(tiny_weights, "cpu", max_shift_ahead=0.5)
    expected, frames = [tracker.start(image(0), BOX)], [image(index) for index in range(1, 6)]
    count = look_ahead
    while frames:
        given = frames[:count]
        found = tracker.update_ahead(given)
        count = min(look_ahead, 2 * len(found) if len(found) == len(given) else len(found) + 1)
        expected, frames = expected + found, frames[len(found) :]
    assert results == expected
    together = list(aiatrack.track_many(folder, [BOX], **options))
    assert [found[1] for found in together] == expected


@pytest.mark.parametrize("follow", [aiatrack.track, aiatrack.track_many])
def test_frames_that_come_one_by_one_are_not_looked_ahead_in(follow, tiny_weights):
    with pytest.raises(SettingsError, match="one at a time"):
        next(follow([image()], [BOX], model=tiny_weights, device="cpu", look_ahead=2))


@pytest.mark.parametrize(
    ("boxes", "ids"), [([BOX, (50, 10, 16, 30)], [1, 2]), ({"car": BOX, 7: (50, 10, 16, 30)}, ["car", 7])]
)
def test_track_many_is_adds_and_updates(boxes, ids, tiny_weights):
    frames = [image(index) for index in range(4)]
    results = list(aiatrack.track_many(frames, boxes, model=tiny_weights, device="cpu", ensemble_size=1))
    assert [list(of_frame) for of_frame in results] == [ids] * 4
    assert [of_frame[ids[1]].frame_index for of_frame in results] == [0, 1, 2, 3]
    assert results[0][ids[1]].box_xywh == (50, 10, 16, 30)
    tracker = aiatrack.load_multi_tracker(tiny_weights, "cpu", ensemble_size=1)
    for target_id, box in zip(ids, (BOX, (50, 10, 16, 30)), strict=True):
        tracker.add(frames[0], box, target_id)
    assert results[1:] == [tracker.update(frame) for frame in frames[1:]]


def test_track_many_takes_the_ids_of_a_series(tiny_weights):
    pandas = pytest.importorskip("pandas")
    boxes = pandas.Series({"car": BOX, "dog": (50, 10, 16, 30)})
    first = next(aiatrack.track_many([image()], boxes, model=tiny_weights, device="cpu", ensemble_size=1))
    assert list(first) == ["car", "dog"]


def test_track_many_names_what_is_wrong(tiny_weights):
    with pytest.raises(BoxError, match="outside the 96 x 64 frame"):
        next(aiatrack.track_many([image()], [BOX, (200, 0, 5, 5)], model=tiny_weights, device="cpu"))


@pytest.mark.parametrize("follow", [aiatrack.track, aiatrack.track_many])
def test_the_color_of_films_is_not_the_callers_to_say(follow, tiny_weights):
    with pytest.raises(SettingsError, match=r"decoded as RGB.*load_tracker\(color=\"bgr\"\)"):
        next(follow("missing.mp4", [BOX], model=tiny_weights, color="bgr"))


def test_track_takes_a_part(tiny_weights):
    frames = [(image(index), index / 10) for index in range(8)]
    results = aiatrack.track(frames, BOX, model=tiny_weights, device="cpu", start_s=0.2, end_s=0.5)
    assert [result.frame_index for result in results] == [0, 1, 2]


BAD_FRAMES = {
    "NaN": (np.full((64, 96, 3), np.nan), "NaN"),
    "float": (image().astype(np.float32), "got float32"),
    "channels first": (image().transpose(2, 0, 1), "channels come last"),
    "two channels": (image()[..., :2], "got shape"),
    "no pixel": (image()[:0], "no pixel"),
    "words": ("no such picture.png", "cannot read image"),
    "none": (None, "not an image"),
    "other size": (image(0, 64, 64), "64 x 64 pixels but the first was 96 x 64"),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frame_in_mid_stream(name, tiny_weights):
    frame, words = BAD_FRAMES[name]
    results = aiatrack.track([image(), image(1), frame], BOX, model=tiny_weights, device="cpu")
    next(results), next(results)
    with pytest.raises((FrameError, VideoError), match=words):
        next(results)


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ([], VideoError, "has no frame"),
        (3.5, VideoError, "cannot take frames from a float"),
        (b"film.mp4", VideoError, "cannot take frames from a bytes"),
        ({0: image()}, VideoError, "cannot take frames from a dict"),
        (image(), FrameError, "put one image into a list"),
        ("missing.mp4", VideoError, "No such file"),
        (-1, VideoError, "numbered from 0"),
    ],
)
def test_bad_source(source, error, words):
    with pytest.raises(error, match=words):
        next(aiatrack.track(source, BOX))


@pytest.mark.parametrize(
    "box", [(1, 2, 3), "box", None, (1, 2, 3, float("nan")), (90, 2, -3, 4), (96, 0, 5, 5)]
)
def test_bad_box(box, tiny_weights):
    with pytest.raises(BoxError):
        next(aiatrack.track([image()], box, model=tiny_weights, device="cpu"))


def test_source_is_closed_with_the_generator(tiny_weights, monkeypatch):
    sources = []
    monkeypatch.setattr(
        api.tracking,
        "open_frames",
        lambda *a, **k: sources.append(aiatrack.open_frames(*a, **k)) or sources[-1],
    )
    results = aiatrack.track([image(index) for index in range(9)], BOX, model=tiny_weights, device="cpu")
    assert sources == []  # nothing is opened before it is asked for
    next(results)
    results.close()
    with pytest.raises(StopIteration):
        next(sources[0])
    with pytest.raises(BoxError):
        next(aiatrack.track([image()], (0, 0, 0, 0), model=tiny_weights, device="cpu"))
    with pytest.raises(StopIteration):
        next(sources[1])


def test_settings_of_a_model_without_weights():
    assert api.read_model_settings("base").network.crop_size == 320
    with pytest.raises(SettingsError, match="there is no model 'huge'"):
        api.read_model_settings("huge")


def test_settings_of_a_file(tiny_weights):
    assert api.read_model_settings(tiny_weights).name == "tiny"


def test_model_without_weights_says_how_to_get_some(tmp_path, monkeypatch):
    monkeypatch.setattr(api.networks.resources, "files", lambda _package: tmp_path)
    monkeypatch.setattr(api.networks, "preset_names", lambda: ["base"])
    with pytest.raises(WeightsError, match="aiatrack convert"):
        api.find_weights("base")


def test_a_folder_of_a_shipped_models_name_does_not_hide_the_model(tmp_path, monkeypatch):
    (tmp_path / "nano").mkdir()
    (tmp_path / "nano" / "metadata.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert api.read_model_settings("nano").name == "nano"
    assert api.describe_model("nano", "cpu").settings.name == "nano"
    assert api.open_network("nano", "cpu", runtime="eager")[0].name == "nano"
    assert api.benchmark_precision("nano", "auto") == "float32"
    assert aiatrack.load_tracker("nano", "cpu", runtime="eager").settings.calibration == "nano"
    for folder in ("./nano", Path("./nano")):
        with pytest.raises(WeightsError, match=r"metadata\.json cannot be used"):
            aiatrack.load_tracker(folder, "cpu")
    with pytest.raises(SettingsError, match="give its name as a string"):
        aiatrack.load_tracker(Path("lite"), "cpu")


def test_a_shipped_model_brings_its_calibration_however_it_is_opened(tiny_weights):
    assert api.open_network("nano", "cpu", runtime="eager")[0].tracking.calibration == "nano"
    assert api.read_model_settings("lite").tracking.calibration == "lite"
    assert api.describe_model("lite", "cpu").settings.tracking.calibration == "lite"
    assert api.read_model_settings(tiny_weights).tracking.calibration == "generic"


def test_a_model_may_lie_at_home(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tiny_weights.parent))
    monkeypatch.setenv("USERPROFILE", str(tiny_weights.parent))
    assert api.find_weights("~/tiny.safetensors") == tiny_weights
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "metadata.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"metadata\.json cannot be used"):
        api.read_model_settings("~/exported")
