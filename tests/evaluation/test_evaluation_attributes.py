"""Challenges measured from boxes, by hand."""

import numpy as np
import pytest

from aiatrack.evaluation.annotation import build_annotation
from aiatrack.evaluation.attributes import derive_attributes, group_by_attribute

NAN = float("nan")
CALM = [0.0, 0.0, 40.0, 40.0]


@pytest.mark.parametrize(
    ("boxes", "names"),
    [
        ([CALM, CALM], set()),
        ([CALM, [0, 0, 80, 80]], set()),
        ([CALM, [0, 0, 81, 81]], {"scale variation"}),
        ([CALM, [0, 0, 80.5, 40]], {"aspect ratio change"}),
        ([CALM, [0, 0, 31, 32]], {"low resolution"}),
        ([CALM, [41, 0, 40, 40]], {"fast motion"}),
        ([CALM, [NAN] * 4, [41, 0, 40, 40]], {"absence"}),
        ([[NAN] * 4], {"absence"}),
    ],
)
def test_definitions(boxes, names):
    found = derive_attributes(build_annotation(np.array(boxes, float)))
    assert found == {f"measured: {name}" for name in names}


def test_groups_hold_own_and_measured_challenges():
    groups = group_by_attribute(
        {
            "a": build_annotation(np.array([CALM]), attributes=["blur"]),
            "b": build_annotation(np.array([CALM, [NAN] * 4]), attributes=["blur"]),
        }
    )
    assert groups == {"blur": frozenset({"a", "b"}), "measured: absence": frozenset({"b"})}
