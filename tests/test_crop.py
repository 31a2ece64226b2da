"""Crops against a small implementation of the method's rules of its own, and at every border."""

import math

import cv2
import numpy as np
import pytest

from aiatrack import crop as crop_module
from aiatrack.crop import CropWindow, check_frame, clip_to_frame, crop_region, crop_window, cut_regions
from aiatrack.errors import BoxError, FrameError

RNG = np.random.default_rng(5)
FRAME = cv2.GaussianBlur(RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8), (5, 5), 0)
SIZE = 64

BOXES = [
    (50, 40, 10, 10),  # wholly inside
    (2, 3, 20, 10),  # over the top left corner
    (100, 70, 18, 18),  # over the bottom right corner
    (-30, 40, 20, 20),  # the box itself outside
    (40.5, 30.25, 7.5, 12.75),
    (0, 0, 120, 90),  # larger than the frame
    (59, 44, 1, 1),
    (57.5, 45, 4, 4),  # x falls on a half: rounded to even
]


def crop_by_the_book(frame, box, factor, size):
    """docs/method.md, conventions, step by step: pad, cut, resize."""
    x, y, w, h = box
    side = math.ceil(math.sqrt(w * h) * factor)
    x1, y1 = round(x + 0.5 * w - side * 0.5), round(y + 0.5 * h - side * 0.5)
    height, width = frame.shape[:2]
    before_x, after_x = max(0, -x1), max(x1 + side - width + 1, 0)
    before_y, after_y = max(0, -y1), max(y1 + side - height + 1, 0)
    region, mask = np.zeros((side, side, 3), np.uint8), np.ones((side, side), np.float32)
    for row in range(before_y, side - after_y):
        for column in range(before_x, side - after_x):
            region[row, column] = frame[y1 + row, x1 + column]
            mask[row, column] = 0
    return cv2.resize(region, (size, size)), cv2.resize(mask, (size, size)) > 0


@pytest.mark.parametrize("factor", [2.0, 5.0])
@pytest.mark.parametrize("box", BOXES)
def test_crops_follow_the_method(box, factor):
    image, padding = crop_by_the_book(FRAME, box, factor, SIZE)
    crop = crop_region(FRAME, np.array(box, float), factor, SIZE)
    np.testing.assert_array_equal(crop.image, image)
    np.testing.assert_array_equal(crop.padding, padding)


def test_many_windows_are_cut_like_one_and_come_as_rgb():
    windows = [crop_window(np.array(box, float), 5.0, SIZE) for box in BOXES]
    images, padding = cut_regions([FRAME], windows)
    swapped, _ = cut_regions([np.ascontiguousarray(FRAME[..., ::-1])], windows, "bgr")
    np.testing.assert_array_equal(swapped, images)
    for row, box in enumerate(BOXES):
        crop = crop_region(FRAME, np.array(box, float), 5.0, SIZE)
        np.testing.assert_array_equal(images[row], crop.image)
        np.testing.assert_array_equal(padding[row], crop.padding)


def test_a_crop_that_touches_the_last_column_loses_it():
    # Side 20 from column 100: its last column is the frame's last, 119, and counts as padding.
    crop = crop_region(FRAME, np.array([108.0, 40, 4, 4]), 5.0, 20)
    assert (crop.window.left, crop.window.side) == (100, 20)
    assert crop.padding[:, -1].all() and not crop.padding[:, :-1].any()
    assert (crop.image[:, -1] == 0).all()
    np.testing.assert_array_equal(crop.image[:, :-1], FRAME[32:52, 100:119])


def test_windows_by_hand():
    assert crop_window(np.array([10.0, 20, 8, 18]), 5.0, 320) == CropWindow(-16, -1, 60, 320, 14.0, 29.0)
    # centre - side / 2 is 0.5 and 1.5: half to even gives 0 and 2.
    window = crop_window(np.array([2.0, 3.0, 2, 2]), 2.5, 320)
    assert (window.left, window.top, window.side) == (0, 2, 5)


def test_whole_numbers_and_floats_make_the_same_crop():
    ints, floats = (crop_region(FRAME, np.array(BOXES[1], kind), 4.0, SIZE) for kind in (int, float))
    np.testing.assert_array_equal(ints.image, floats.image)
    assert ints.window == floats.window
    np.testing.assert_allclose(
        ints.window.to_crop(np.array([3, 4, 5, 6])), floats.window.to_crop(np.array([3.0, 4, 5, 6]))
    )


def test_boxes_between_frame_and_crop_by_hand():
    window = crop_window(np.array([90.0, 90, 20, 20]), 4.0, 160)  # side 80, scale 2, centre (100, 100)
    # ((160 - 1) / 2 + (centre - 100) * 2 - size / 2) / 160
    np.testing.assert_allclose(
        window.to_crop(np.array([90.0, 90, 20, 20])), [59.5 / 160, 59.5 / 160, 0.25, 0.25]
    )
    np.testing.assert_allclose(window.to_frame(np.array([0.375, 0.375, 0.25, 0.25])), [90, 90, 20, 20])
    np.testing.assert_allclose(window.to_frame(np.array([0.0, 0.5, 1, 0.1])), [60, 100, 80, 8])


def test_there_and_back_is_half_a_crop_pixel_off():
    rng = np.random.default_rng(1)
    for _ in range(50):
        window = crop_window(rng.uniform(5, 60, 4), 5.0, SIZE)
        boxes = rng.uniform(-50, 100, (3, 4))
        back = window.to_frame(window.to_crop(boxes))
        np.testing.assert_allclose(back[:, 2:], boxes[:, 2:])
        np.testing.assert_allclose(back[:, :2], boxes[:, :2] - 0.5 / window.scale)


@pytest.mark.parametrize("box", [(500, 400, 300, 300), (-200, -300, 900, 500), (1700, 900, 250, 250)])
def test_sampling_a_large_region_equals_resizing_it_to_one_grey_level(box, monkeypatch):
    frame = cv2.resize(RNG.integers(0, 256, (110, 190, 3), dtype=np.uint8), (1900, 1100))
    sampled = crop_region(frame, np.array(box, float), 5.0, SIZE)
    assert sampled.window.side > crop_module._MAX_PADDED_REDUCTION * SIZE
    monkeypatch.setattr(crop_module, "_MAX_PADDED_REDUCTION", 10**6)
    resized = crop_region(frame, np.array(box, float), 5.0, SIZE)
    assert np.abs(sampled.image.astype(int) - resized.image).max() <= 1
    np.testing.assert_array_equal(sampled.padding, resized.padding)


@pytest.mark.parametrize("far", [(1e6, 0), (-1e6, 0), (0, 1e6), (0, -1e6), (200, 200), (-200, -200)])
@pytest.mark.parametrize("side", [10, 400])
def test_a_region_far_outside_is_all_padding(far, side):
    crop = crop_region(FRAME, np.array([*far, side / 20, side / 20]), 5.0, SIZE)
    assert crop.padding.all() and not crop.image.any()


def test_a_huge_region_costs_no_memory_and_shows_next_to_nothing():
    crop = crop_region(FRAME, np.array([-400_000.0, -400_000, 800_000, 800_000]), 5.0, SIZE)
    assert crop.window.side == 4_000_000 and crop.image.shape == (SIZE, SIZE, 3)
    assert crop.padding.sum() >= SIZE * SIZE - 4


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((10, 10, 0, 5), "too small"),
        ((10, 10, -5, -5), "too small"),
        ((10, 10, 1e-200, 1e-200), "too small"),
        ((10, 10, float("nan"), 5), "too small"),
        ((10, 10, 1e7, 1e7), "too large"),
        ((10, 10, 1e300, 1e300), "too large"),
        ((10, 10, float("inf"), 5), "too large"),
        ((float("nan"), 10, 5, 5), "too far out"),
        ((10, -1e30, 5, 5), "too far out"),
    ],
)
def test_boxes_that_no_region_fits_are_refused(box, message):
    with pytest.raises(BoxError, match=message):
        crop_region(FRAME, np.array(box, float), 5.0, SIZE)


def test_the_smallest_region_is_one_pixel():
    crop = crop_region(FRAME, np.array([60.2, 40.2, 0.01, 0.01]), 5.0, SIZE)
    assert crop.window.side == 1
    assert (crop.image == FRAME[crop.window.top, crop.window.left]).all()


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((20, 30, 40, 20), (20, 30, 40, 20)),  # inside: as it is
        ((-5, -5, 30, 30), (0, 0, 25, 25)),
        ((90, 60, 50, 50), (90, 60, 10, 20)),
        ((200, 200, 10, 10), (90, 70, 10, 10)),  # gone: the margin stays
        ((-200, -200, 10, 10), (0, 0, 10, 10)),
        ((50, 40, 2, 3), (50, 40, 10, 10)),  # smaller than the margin
        ((97, 40, 2, 20), (90, 40, 10, 20)),
        ((-50, -50, 1000, 1000), (0, 0, 100, 80)),
    ],
)
def test_clipping_by_hand(box, clipped):
    ours = clip_to_frame(np.array(box, float), frame_width=100, frame_height=80, margin_px=10.0)
    np.testing.assert_allclose(ours, clipped)


def test_clipping_in_a_frame_smaller_than_the_margin_covers_it():
    box = clip_to_frame(np.array([3.0, 20, 1, 5]), frame_width=4, frame_height=50, margin_px=10.0)
    np.testing.assert_allclose(box, [0, 20, 4, 10])


def test_good_frames_pass():
    check_frame(FRAME)
    check_frame(FRAME[:1, :1])
    check_frame(FRAME[..., ::-1])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("film.mp4", "NumPy array"),
        (None, "NumPy array"),
        ([[[0, 0, 0]]], "NumPy array"),
        (FRAME[..., 0], "grey"),
        (np.zeros((4, 4, 4), np.uint8), "alpha"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape"),
        (FRAME.astype(np.float32), "float32"),
        (FRAME.astype(np.uint16), "uint16"),
        (FRAME[:0], "at least one pixel"),
    ],
)
def test_bad_frames_are_refused(frame, message):
    with pytest.raises(FrameError, match=message):
        check_frame(frame)


def test_crops_of_several_frames_are_those_of_each():
    windows = [crop_window(np.array(box, float), 5.0, SIZE) for box in BOXES]
    frames = [FRAME, np.ascontiguousarray(FRAME[::-1]), np.ascontiguousarray(FRAME[:, ::-1])]
    images, padding = cut_regions(frames, windows)
    alone = [cut_regions([frame], windows) for frame in frames]
    np.testing.assert_array_equal(images, np.concatenate([image for image, _ in alone]))
    np.testing.assert_array_equal(padding, np.concatenate([mask for _, mask in alone]))
    assert padding.any() and not padding.all()


@pytest.mark.parametrize(
    ("left", "top", "side", "share"),
    [
        (0, 0, 100, 0.0),
        (10, 0, 100, 0.1),
        (0, -10, 100, 0.1),
        (5, 5, 100, 0.05),
        (-5, -5, 110, 0.05),
        (0, 0, 90, 0.1),
    ],
)
def test_regions_are_apart_by_the_edge_that_is_furthest_off(left, top, side, share):
    window = CropWindow(50, 60, 100, 32, 100.0, 110.0)
    other = CropWindow(50 + left, 60 + top, side, 32, 0.0, 0.0)
    assert window.is_near(other, share)
    assert share == 0 or not window.is_near(other, share - 1e-6)
