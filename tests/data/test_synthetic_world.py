"""The synthetic world: its truth against its pixels, its determinism, its borders."""

import ast
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings, random_world_settings
from aiatrack.errors import DataError, SettingsError

SMALL = SyntheticWorldSettings(width=160, height=120, frames=40, target_size=0.3)


def bounds(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]], dtype=float)


def test_a_frame_has_the_promised_shapes_and_types() -> None:
    frame = SyntheticWorld(SMALL.replace(targets=3)).frame(7)
    assert frame.image.shape == (120, 160, 3)
    assert frame.image.dtype == np.uint8
    assert frame.index == 7
    assert frame.boxes_xywh.shape == (3, 4)
    assert frame.boxes_xywh.dtype == np.float64
    assert frame.masks.shape == (3, 120, 160)
    assert frame.masks.dtype == np.bool_
    assert frame.visibility.shape == frame.present.shape == (3,)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_bound_the_pixels_of_an_unhidden_target(seed: int) -> None:
    settings = SyntheticWorldSettings(
        width=320, height=240, frames=60, seed=seed, distractors=0, occluders=0, target_size=0.3, shutter=0
    )
    world = SyntheticWorld(settings)
    for index in (0, 23, 59):
        frame = world.frame(index)
        # A pixel counts from half coverage: a pointed tip falls short of the exact outline.
        np.testing.assert_allclose(bounds(frame.masks[0]), frame.boxes_xywh[0], atol=2.5)
        overlap = box_iou(xywh_to_xyxy(bounds(frame.masks[0])), xywh_to_xyxy(frame.boxes_xywh[0]))
        assert overlap > 0.95
        assert frame.visibility[0] > 0.5


def test_boxes_have_no_bias_against_pixels() -> None:
    errors = []
    for seed in range(12):
        settings = SMALL.replace(seed=seed, width=320, height=240, distractors=0, occluders=0, zoom=1)
        frame = SyntheticWorld(settings).frame(5)
        x, y, width, height = bounds(frame.masks[0]) - frame.boxes_xywh[0]
        errors.append([x + width / 2, y + height / 2])
    assert np.abs(np.mean(errors, axis=0)).max() < 0.25


def test_any_order_gives_the_same_frames() -> None:
    in_order = list(SyntheticWorld(SMALL))
    world = SyntheticWorld(SMALL)
    for index in (39, 0, 17):
        frame = world.frame(index)
        np.testing.assert_array_equal(frame.image, in_order[index].image)
        np.testing.assert_array_equal(frame.boxes_xywh, in_order[index].boxes_xywh)
        np.testing.assert_array_equal(frame.masks, in_order[index].masks)
        np.testing.assert_array_equal(frame.visibility, in_order[index].visibility)
        np.testing.assert_array_equal(world.boxes_xywh(index), frame.boxes_xywh)


def test_length_does_not_change_the_frames() -> None:
    short, long = SyntheticWorld(SMALL), SyntheticWorld(SMALL.replace(frames=100_000))
    np.testing.assert_array_equal(short.frame(20).image, long.frame(20).image)
    assert np.isfinite(long.frame(99_999).image).all()


def test_seeds_give_different_films() -> None:
    first, second = (SyntheticWorld(SMALL.replace(seed=seed)).frame(0).image for seed in (1, 2))
    assert np.abs(first.astype(int) - second).mean() > 10


def test_a_world_of_nothing_but_the_target_stands_still() -> None:
    still = SMALL.replace(
        speed=0, deformation=0, zoom=1, camera_motion=0, shake_px=0, noise=0, illumination=0, defocus_px=0,
        occluders=0, distractors=0,
    )  # fmt: skip
    world = SyntheticWorld(still)
    np.testing.assert_array_equal(world.frame(0).image, world.frame(39).image)
    np.testing.assert_array_equal(world.boxes_xywh(0), world.boxes_xywh(39))


def test_noise_changes_from_frame_to_frame_with_the_asked_strength() -> None:
    still = SMALL.replace(
        speed=0, deformation=0, zoom=1, camera_motion=0, shake_px=0, noise=4, illumination=0, defocus_px=0,
        occluders=0, distractors=0,
    )  # fmt: skip
    world = SyntheticWorld(still)
    difference = world.frame(0).image.astype(float) - world.frame(1).image
    # Of two independent pictures: root two; a little less where values are cut at black and white.
    assert 3.4 * 2**0.5 < difference.std() < 4.2 * 2**0.5


@pytest.mark.parametrize("seed", range(10))
def test_the_first_frame_shows_the_target(seed: int) -> None:
    frame = SyntheticWorld(SMALL.replace(seed=seed, occluders=3, frames=300, absence=0.25)).frame(0)
    assert frame.visibility[0] > 0.6
    assert frame.present[0]


def test_targets_grow_and_shrink_within_the_zoom() -> None:
    settings = SMALL.replace(zoom=2.0, frames=600, deformation=0, width=320, height=320, seed=4)
    world = SyntheticWorld(settings)
    sizes = np.array([np.sqrt(np.prod(world.boxes_xywh(index)[0, 2:])) for index in range(600)])
    assert np.nanmax(sizes) / np.nanmin(sizes) > 1.5
    assert np.abs(np.diff(np.log(sizes))).max() < 0.2


def test_occluders_hide_for_a_moment_without_moving_the_box() -> None:
    busy, free = (SMALL.replace(occluders=n, distractors=0, frames=200, shutter=0) for n in (3, 0))
    world, unhidden = SyntheticWorld(busy), SyntheticWorld(free)
    visibility = np.array([frame.visibility[0] for frame in world])
    assert visibility.min() < 0.5
    assert np.median(visibility) > 0.8
    hidden = int(visibility.argmin())
    np.testing.assert_array_equal(world.boxes_xywh(hidden), unhidden.boxes_xywh(hidden))
    assert unhidden.frame(hidden).visibility[0] > visibility.min()


@pytest.mark.parametrize("seed", range(3))
def test_absences_last_as_long_as_asked_and_jump(seed: int) -> None:
    settings = SMALL.replace(
        absence=0.2, absence_frames=20, frames=400, occluders=0, distractors=0, clutter=0, seed=seed
    )
    frames = list(SyntheticWorld(settings))
    absent = np.array([not frame.present[0] for frame in frames])
    # The way out and back is partly out of sight as well.
    assert 0.2 <= absent.mean() < 0.3
    out_of_frame = np.array([np.isnan(frame.boxes_xywh[0]).any() for frame in frames])
    assert out_of_frame.any()
    assert (absent & ~out_of_frame).any(), "some absences hide the target inside the frame"
    assert all(frame.visibility[0] == 0 for frame, gone in zip(frames, out_of_frame, strict=True) if gone)


def test_targets_come_and_go_at_different_times() -> None:
    settings = SMALL.replace(
        absence=0.2, absence_frames=20, frames=100, occluders=0, distractors=0, clutter=0, targets=4
    )
    absent = np.array([~frame.present for frame in SyntheticWorld(settings)])
    assert (absent.sum(axis=0) >= 20).all()
    assert len(set(absent.argmax(axis=0).tolist())) == 4


@pytest.mark.parametrize("seed", range(3))
def test_a_target_that_vanishes_comes_back_far_away(seed: int) -> None:
    settings = SMALL.replace(
        absence=0.2,
        absence_frames=20,
        absence_kind="vanish",
        frames=200,
        occluders=0,
        distractors=0,
        seed=seed,
    )
    world = SyntheticWorld(settings)
    boxes = np.array([world.boxes_xywh(index)[0] for index in range(200)])
    absent = np.flatnonzero(np.isnan(boxes[:, 0]))
    assert len(absent) == 40, "two absences, each from one frame to the next"
    assert not any(world.frame(int(index)).present[0] for index in absent[[0, 19]])
    for gone, back in ((absent[0] - 1, absent[19] + 1), (absent[20] - 1, absent[39] + 1)):
        jump = np.hypot(*(boxes[gone, :2] + boxes[gone, 2:] / 2 - boxes[back, :2] - boxes[back, 2:] / 2))
        assert jump > 0.4 * settings.height
    np.testing.assert_array_equal(SyntheticWorld(settings).boxes_xywh(199)[0], boxes[199])


def test_distractors_look_alike_but_are_not_annotated() -> None:
    with_twins = SyntheticWorld(SMALL.replace(distractors=4)).frame(3)
    assert len(with_twins.boxes_xywh) == 1
    lonely = SyntheticWorld(SMALL.replace(distractors=0)).frame(3)
    assert (with_twins.image != lonely.image).any()


def test_many_targets_hide_one_another_and_share_no_pixel() -> None:
    frame = SyntheticWorld(SMALL.replace(targets=8, distractors=0, occluders=0)).frame(30)
    assert frame.masks.sum(axis=0).max() == 1
    assert frame.visibility.min() < 0.9 < frame.visibility.max()
    assert len({tuple(box) for box in frame.boxes_xywh.tolist()}) == 8


def test_motion_blur_smears_the_picture_but_not_the_truth() -> None:
    fast = SMALL.replace(speed=6, noise=0, defocus_px=0)
    sharp, blurred = (SyntheticWorld(fast.replace(shutter=shutter)).frame(11) for shutter in (0.0, 1.0))
    np.testing.assert_array_equal(sharp.boxes_xywh, blurred.boxes_xywh)
    assert np.diff(sharp.image.astype(int), axis=1).std() > np.diff(blurred.image.astype(int), axis=1).std()


def test_random_settings_vary_and_repeat() -> None:
    drawn = [random_world_settings(np.random.default_rng(seed), size=(96, 64), frames=5) for seed in range(6)]
    assert len({settings.model_dump_json() for settings in drawn}) == 6
    assert drawn[0] == random_world_settings(np.random.default_rng(0), size=(96, 64), frames=5)
    for settings in drawn:
        assert SyntheticWorld(settings).frame(4).image.shape == (64, 96, 3)


@pytest.mark.parametrize("index", [-1, 40])
def test_a_frame_beyond_the_film_is_refused(index: int) -> None:
    world = SyntheticWorld(SMALL)
    with pytest.raises(DataError, match="0 to 39"):
        world.frame(index)
    with pytest.raises(DataError, match="0 to 39"):
        world.boxes_xywh(index)


def test_a_film_too_short_for_its_absences_is_refused() -> None:
    with pytest.raises(SettingsError, match="lengthen it"):
        SyntheticWorldSettings(frames=100, absence=0.1, absence_frames=30)


def test_a_target_that_outgrows_the_frame_is_refused() -> None:
    with pytest.raises(SettingsError, match="outgrows"):
        SyntheticWorldSettings(target_size=0.6, zoom=3)


@pytest.mark.parametrize("field", ["zoom", "absence", "noise", "targets"])
def test_settings_out_of_range_are_refused(field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        SyntheticWorldSettings.parse({field: -1}, origin="test")


def test_the_world_needs_only_numpy_and_opencv() -> None:
    allowed = {"numpy", "cv2", "pydantic", "typing_extensions", "aiatrack"} | set(sys.stdlib_module_names)
    for path in Path(inspect.getfile(SyntheticWorld)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path
