"""Box formats and overlap by hand, on arrays and tensors alike."""

import numpy as np
import pytest
import torch

from aiatrack import boxes
from aiatrack.errors import BoxError

XYXY = np.array([[10.0, 20.0, 40.0, 80.0], [0.0, 0.0, 1.0, 1.0], [-5.0, -6.0, 5.0, 6.0]])
XYWH = np.array([[10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 1.0, 1.0], [-5.0, -6.0, 10.0, 12.0]])

CONVERSIONS = [
    (boxes.xywh_to_xyxy, XYWH, XYXY),
    (boxes.xyxy_to_xywh, XYXY, XYWH),
]

UNIT = (0.0, 0.0, 1.0, 1.0)
OVERLAPS = [  # a, b, IoU, GIoU
    (UNIT, UNIT, 1.0, 1.0),
    (UNIT, (0.5, 0.0, 1.5, 1.0), 1 / 3, 1 / 3),  # the enclosing box holds nothing else
    (UNIT, (0.5, 0.5, 1.5, 1.5), 1 / 7, 1 / 7 - 0.5 / 2.25),
    (UNIT, (1.0, 0.0, 2.0, 1.0), 0.0, 0.0),  # they touch
    (UNIT, (2.0, 0.0, 3.0, 1.0), 0.0, -1 / 3),  # a gap of one between
    ((0.0, 0.0, 2.0, 2.0), (0.5, 0.5, 1.5, 1.5), 0.25, 0.25),  # one inside the other
    (UNIT, (0.5, 0.5, 0.5, 0.5), 0.0, 0.0),  # a point inside
    (UNIT, (1.0, 1.0, 0.0, 0.0), 0.0, 0.0),  # inverted: no area
]


@pytest.mark.parametrize(("convert", "given", "expected"), CONVERSIONS)
def test_conversions_by_hand(convert, given, expected):
    np.testing.assert_array_equal(convert(given), expected)
    np.testing.assert_array_equal(convert(given[0]), expected[0])
    np.testing.assert_array_equal(convert(given.reshape(3, 1, 4)), expected.reshape(3, 1, 4))
    tensor = convert(torch.from_numpy(given))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), expected)


def test_conversions_leave_their_argument_alone():
    given = XYWH.copy()
    boxes.xywh_to_xyxy(given)
    np.testing.assert_array_equal(given, XYWH)


@pytest.mark.parametrize(("a", "b", "iou", "giou"), OVERLAPS)
@pytest.mark.parametrize("make", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_overlap_by_hand(make, a, b, iou, giou):
    first, second = make([a]), make([b])
    assert float(boxes.box_iou(first, second)[0]) == pytest.approx(iou, abs=1e-6)
    assert float(boxes.box_iou(second, first)[0]) == pytest.approx(iou, abs=1e-6)
    assert float(boxes.generalized_box_iou(first, second)[0]) == pytest.approx(giou, abs=1e-6)


def test_overlap_of_two_empty_boxes_is_zero():
    point = np.array([3.0, 3.0, 3.0, 3.0])
    assert boxes.box_iou(point, point) == 0


def test_overlap_is_the_same_in_numpy_and_torch_and_pairs_by_broadcasting():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (7, 1, 4)), rng.uniform(-1, 1, (1, 5, 4))  # inverted ones among them
    for overlap in (boxes.box_iou, boxes.generalized_box_iou):
        ours = overlap(a, b)
        assert ours.shape == (7, 5)
        np.testing.assert_allclose(
            overlap(torch.from_numpy(a), torch.from_numpy(b)).numpy(), ours, atol=1e-12
        )
    iou, giou = boxes.box_iou(a, b), boxes.generalized_box_iou(a, b)
    assert (iou >= 0).all() and (iou <= 1).all()
    assert (giou <= iou + 1e-12).all() and (giou >= -1).all()


def test_overlap_of_integer_boxes():
    whole = np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2])
    assert boxes.box_iou(*whole) == pytest.approx(1 / 3)
    assert boxes.generalized_box_iou(*map(torch.tensor, whole)) == pytest.approx(1 / 3)


WHOLE = [np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64]


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_integers_never_wrap(make, kind):
    """Corners at the end of what each kind holds, so that sums, differences and areas all leave it."""
    largest = 1 if kind is np.bool_ else min(np.iinfo(kind).max, 60000)
    first = np.array([largest, 0, largest, largest])
    for a in (first, np.array([0, 0, largest, largest])):
        for b in (first, first[[1, 1, 0, 0]], first[[0, 0, 1, 1]]):
            narrow = [make(corners.astype(kind)) for corners in (a, b)]
            wide = [make(corners.astype(float)) for corners in (a, b)]
            for overlap in (boxes.box_iou, boxes.generalized_box_iou):
                assert float(overlap(*narrow)) == pytest.approx(float(overlap(*wide)), abs=1e-6)
            for convert in (boxes.xywh_to_xyxy, boxes.xyxy_to_xywh, boxes.box_area):
                assert convert(narrow[0]).tolist() == convert(wide[0]).tolist()
                assert convert(narrow[1]).tolist() == convert(wide[1]).tolist()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_floats_keep_their_type(make, kind):
    given = make(XYXY.astype(kind))
    for convert in (boxes.xywh_to_xyxy, boxes.xyxy_to_xywh, boxes.box_area):
        assert convert(given).dtype == given.dtype
    for overlap in (boxes.box_iou, boxes.generalized_box_iou):
        assert overlap(given, given).dtype == given.dtype


def test_area():
    np.testing.assert_array_equal(boxes.box_area(np.vstack((XYXY, [[5, 5, 1, 9]]))), [1800, 1, 120, 0])


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 1, 1],
        (99.5, 49.5, 10, 10),
        np.array([-5, -5, 6, 6]),
        [-10, -10, 500, 500],
        torch.tensor([1, 2, 3, 4]),
    ],
)
def test_good_boxes_are_returned_as_float64(box):
    checked = boxes.check_box_xywh(box, frame_width=100, frame_height=50)
    assert checked.dtype == np.float64 and checked.shape == (4,)
    np.testing.assert_array_equal(checked, np.asarray(box, np.float64))


def test_a_checked_box_is_a_copy():
    given = np.array([1.0, 2.0, 3.0, 4.0])
    checked = boxes.check_box_xywh(given, frame_width=100, frame_height=50)
    given *= 2
    assert checked.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([1, 2, 3], "shape"),
        ([[1, 2, 3, 4]], "shape"),
        (None, "four numbers"),
        ("1,2,3,4", "four numbers"),
        ([1, 2, 3, "x"], "four numbers"),
        ([1, [2], 3, 4], "four numbers"),
        ([1, 2, float("nan"), 4], "finite"),
        ([1, 2, float("inf"), 4], "finite"),
        ([1, 2, 10**400, 4], "finite"),
        pytest.param([1, 2, -(10**5000), 4], "finite", id="more digits than Python prints"),
        (torch.ones(4, requires_grad=True), "detach"),
        (np.ones(4, complex), "four numbers"),
        ([1, 2, 3, 4 + 0j], "four numbers"),
        (np.ma.array([1.0, 2, 3, 4], mask=[True, False, False, False]), "masked"),
        ([1, 2, 0, 4], "positive"),
        ([1, 2, 3, -4], "positive"),
        ([100, 10, 5, 5], "outside"),
        ([10, 50, 5, 5], "outside"),
        ([-5, 10, 5, 5], "outside"),
        ([10, -5, 5, 5], "outside"),
    ],
)
def test_bad_boxes_are_refused(box, message):
    with pytest.raises(BoxError, match=message):
        boxes.check_box_xywh(box, frame_width=100, frame_height=50)
