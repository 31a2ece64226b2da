"""Boxes, masks and whole sources that are passed over: named by the check, and by the training on them."""

import json
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from aiatrack.config import DataSettings, Layout, SourceSettings
from aiatrack.data import DataWarning, SourceReport, build_batches, check_source
from aiatrack.data.corpus import clip_part
from aiatrack.data.readers import read_json_lines
from aiatrack.data.sources import check_sources, open_sources
from aiatrack.data.staging import SceneSetter
from aiatrack.data.store import build_store
from aiatrack.errors import DataError

_WHOLE = [1, 1, 62, 46]
_USABLE = [10, 10, 20, 16]
_OUTSIDE = [[70, 10, 20, 16], [10, 48, 20, 16], [-20, 10, 20, 16], [10, -30, 20, 16]]
_TRAINED: dict[str, Any] = {"validation_share": 0, "validation_clip_share": 0}


def _write(folder: Path, *rows: dict[str, Any]) -> Path:
    """JSON lines on images of noise, 64 x 48."""
    rng = np.random.default_rng(0)
    for name in {row["image"] for row in rows}:
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "own.jsonl"


def _stills(*boxes: list[Any], **values: Any) -> list[dict[str, Any]]:
    return [{"image": f"{number}.png", "boxes": own} | values for number, own in enumerate(boxes)]


def _settings(path: Path, *, packed: bool = True, **changes: Any) -> DataSettings:
    source = {"path": path, "packed": packed}
    return DataSettings(**({"sources": [source], "cache": path.parent / "cache"} | changes))


def _first_batch(settings: DataSettings) -> None:
    next(build_batches(settings, batch_size=2, crop_size=32, search_factor=5.0, seed=0))


def _report(path: Path, *, open_images: bool = True) -> SourceReport:
    (report,) = check_source(SourceSettings(path=path), open_images=open_images)
    return report


def test_no_run_goes_on_with_random_regions_where_no_box_is_usable(tmp_path: Path) -> None:
    path = _write(tmp_path, *_stills(*[[_WHOLE]] * 15))
    reason = r"15 of 15 boxes are passed over by data\.box_share"
    words = rf"none of the samples .*\(still, clip\).*{reason}.*data\.still_share=0 data\.clip_share=0"
    with pytest.warns(DataWarning), pytest.raises(DataError, match=words):
        _first_batch(_settings(path, **_TRAINED))
    with pytest.warns(DataWarning, match="15 of 15 boxes are passed over by data.box_share"):
        _first_batch(_settings(path, **_TRAINED, still_share=0, clip_share=0))


def test_boxes_passed_over_are_counted_by_setting(tmp_path: Path) -> None:
    small = [10, 10, 30, 4]
    path = _write(tmp_path, *_stills([_WHOLE, _USABLE], [small], [_USABLE, _OUTSIDE[0]]))
    words = (
        r"source own: 1 of 5 boxes lies wholly outside of its image, 1 of 5 boxes is passed over by "
        r"data\.box_share, 1 of 5 boxes is passed over by data\.min_box_px"
    )
    with pytest.warns(DataWarning, match=words):
        _first_batch(_settings(path, **_TRAINED))


def test_sources_of_which_every_box_is_usable_are_opened_without_a_word(tmp_path: Path) -> None:
    path = _write(tmp_path, *_stills([_USABLE], []))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        _first_batch(_settings(path, **_TRAINED))


def test_images_without_any_box_still_serve_for_random_regions(tmp_path: Path) -> None:
    _first_batch(_settings(_write(tmp_path, *_stills([], [])), **_TRAINED))


def test_boxes_outside_of_their_images_are_named_and_left_out(tmp_path: Path) -> None:
    reaching_in = [-10, 10, 20, 16]
    video = [{"image": "v.png", "boxes": [_OUTSIDE[t % 4]], "video": "v", "frame": t} for t in range(6)]
    path = _write(tmp_path, *_stills([*_OUTSIDE, _USABLE], [reaching_in]), *video)
    report = _report(path)
    assert (report.boxes, report.usable_boxes, report.videos_usable) == (12, 2, 0)
    assert [line for line in report.problems if "outside" in line] == [
        "0.png: 4 of 5 boxes left out, wholly outside of the image",
        "v: 6 of 6 boxes left out, wholly outside of the image",
    ]
    with pytest.warns(DataWarning, match="source own: 10 of 12 boxes lie wholly outside of their images"):
        _, corpus = open_sources(_settings(path, **_TRAINED))
    assert not corpus.tracks
    assert corpus.object_box_xywh[np.array(corpus.stills.groups[0])].tolist() == [_USABLE, reaching_in]


def test_where_only_the_cut_corner_of_a_box_is_in_its_image_the_box_is_cut(tmp_path: Path) -> None:
    path = _write(tmp_path, *_stills([[62, 46, 20, 20]]))
    settings = _settings(path, **_TRAINED)
    corpus = open_sources(settings)[1]
    stages, _ = SceneSetter(corpus, settings).still(np.random.default_rng(0))
    assert stages[0].box_xywh().tolist() == [62, 46, 2, 2]


def test_unpacked_sources_leave_out_what_can_be_told_without_a_size(tmp_path: Path) -> None:
    path = _write(tmp_path, *_stills([_USABLE, _OUTSIDE[2]]))
    settings = _settings(path, packed=False, box_share=(0.2, 0.9), **_TRAINED)
    with pytest.warns(DataWarning, match="1 of 2 boxes lies wholly outside"):
        _, corpus = open_sources(settings)
    assert [list(group) for group in corpus.stills.groups] == [[0]]


@pytest.mark.parametrize("quick", [True, False])
def test_check_names_masks_that_are_missing_or_do_not_fit(tmp_path: Path, quick: bool) -> None:
    masks = ["good.png", "gone.png", "small.png", "damaged.png"]
    rows = _stills(*[[_USABLE]] * 4)
    path = _write(tmp_path, *(row | {"mask": mask} for row, mask in zip(rows, masks, strict=True)))
    cv2.imwrite(str(tmp_path / "good.png"), np.ones((48, 64), dtype=np.uint8))
    cv2.imwrite(str(tmp_path / "small.png"), np.ones((24, 32), dtype=np.uint8))
    (tmp_path / "damaged.png").write_bytes(b"no mask")
    expected = [f"{tmp_path / 'gone.png'}: missing; its image is used without a mask"]
    if not quick:
        words = "not a mask of 64 x 48 pixels; its image is used without a mask"
        expected += [f"{tmp_path / name}: {words}" for name in masks[2:]]
    report = _report(path, open_images=not quick)
    assert report.problems == expected
    assert (report.images, report.usable_boxes) == (4, 4)
    _, index = build_store(read_json_lines(path), tmp_path / "cache")
    assert quick or index.problems.tolist() == expected


def test_sizes_that_are_not_those_of_the_images_are_named(tmp_path: Path) -> None:
    sizes: list[dict[str, Any]] = [
        {"width": 64, "height": 48},
        {"width": 640, "height": 480},
        {},
        {"width": None},
    ]
    rows = [row | size for row, size in zip(_stills(*[[_USABLE]] * 4), sizes, strict=True)]
    path = _write(tmp_path, *rows)
    words = "the image is 64 x 48 px, its annotations say 640 x 480; its boxes may be of another size"
    assert _report(path).problems == [f"{tmp_path / '1.png'}: {words}"]
    assert _report(path, open_images=False).problems == []
    for _ in range(2):  # made, and found
        with pytest.warns(DataWarning, match=f"one problem: .*1.png: {words}"):
            open_sources(_settings(path, **_TRAINED))
    path.write_text(path.read_text().replace("640", "64").replace("480", "48"))
    assert _report(path).problems == []
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        open_sources(_settings(path, **_TRAINED))


def test_sizes_that_coco_states_wrongly_are_named(tmp_path: Path) -> None:
    _write(tmp_path, *_stills([_USABLE]))
    content = {
        "images": [{"id": 0, "file_name": "0.png", "width": 640, "height": 480}],
        "annotations": [{"id": 0, "image_id": 0, "bbox": _USABLE}],
    }
    path = tmp_path / "own.json"
    path.write_text(json.dumps(content))
    (report,) = check_source(SourceSettings(path=path, layout=Layout.COCO))
    (problem,) = report.problems
    assert "the image is 64 x 48 px, its annotations say 640 x 480" in problem


@pytest.mark.parametrize(("video", "setting"), [(True, "validation_clip_share"), (False, "validation_share")])
def test_data_kept_whole_for_validation_says_which_setting_keeps_it(
    tmp_path: Path, video: bool, setting: str
) -> None:
    rows = [
        {"image": "a.png", "boxes": [_USABLE], "frame": t} | ({"video": "v"} if video else {})
        for t in range(6)
    ]
    path = _write(tmp_path, *(rows if video else rows[:1]))
    changes: dict[str, Any] = _TRAINED | {setting: 0.999}
    settings = _settings(path, **changes)
    assert clip_part("v" if video else "a.png", video, settings) == "validation"
    with pytest.raises(DataError, match=rf"all .* kept for validation: .*data\.{setting}=0") as caught:
        _first_batch(settings)
    assert "data check" not in str(caught.value)
    _first_batch(settings.replace(**{setting: 0}))


def test_boxes_kept_whole_for_validation_are_told_of_beside_images_that_are_not(tmp_path: Path) -> None:
    video = [{"image": "v.png", "boxes": [_USABLE], "video": "v", "frame": t} for t in range(6)]
    path = _write(tmp_path, *_stills([], []), *video)
    settings = _settings(path, validation_share=0, validation_clip_share=0.999)
    with pytest.raises(DataError, match=r"all 6 usable boxes are kept .*data\.validation_clip_share=0"):
        _first_batch(settings)


@pytest.mark.parametrize("odd", ["NaN", "null"])
def test_a_still_s_box_without_numbers_is_named_and_absent_in_a_clip(tmp_path: Path, odd: str) -> None:
    still = {"image": "a.png", "boxes": [_USABLE, ["odd", 1, 2, 3], _USABLE]}
    frames = [{"image": "b.png", "boxes": [_USABLE], "video": "v", "frame": t} for t in range(2)]
    path = _write(tmp_path, still, *frames)
    absent = json.dumps(frames[1] | {"frame": 2, "boxes": [["odd"] * 4]})
    path.write_text((path.read_text() + "\n" + absent).replace('"odd"', odd))
    found = read_json_lines(path)
    assert found.problems == ("own.jsonl, line 1: box 2 has no number where one is expected; it is left out",)
    assert len(found.clips[1].images) == 3
    _, index = build_store(found, tmp_path / "cache")
    assert index.object_box_xywh.tolist() == [_USABLE] * 4


@pytest.mark.parametrize("odd", ["Infinity", "-Infinity", "1e300", "1e10"])
@pytest.mark.parametrize("video", [None, "v"])
def test_boxes_that_no_image_can_hold_are_named(tmp_path: Path, odd: str, video: str | None) -> None:
    row = {"image": "a.png", "video": video, "boxes": [[1, "odd", 2, 3]]}
    path = _write(tmp_path, row | {"boxes": [_USABLE]}, row)
    path.write_text(path.read_text().replace('"odd"', odd))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (problem,) = read_json_lines(path).problems
    assert (
        problem
        == "own.jsonl, line 2: boxes must be lists of four numbers x, y, width, height, at most 1e+09 px"
    )


def test_weights_that_a_recipe_brings_are_refused_without_reading(tmp_path: Path) -> None:
    path = _write(tmp_path, {"image": "a.png", "boxes": []})
    good, brought = SourceSettings(path=path), SourceSettings(path=path, weights={"coco_mini": 3})
    check_sources(DataSettings(sources=(good,)))
    with pytest.raises(DataError) as caught:
        check_sources(DataSettings(sources=(good, brought)))
    assert "no sources named coco_mini" in str(caught.value)
    assert "`data.sources.1.weights={} data.sources.1.without_identity=[]`" in str(caught.value)
    with pytest.raises(DataError, match="name no sources"):
        check_sources(DataSettings())
