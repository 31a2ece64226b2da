"""Challenges of a sequence that follow from its boxes alone, by the definitions of OTB and LaSOT."""

from collections.abc import Mapping

import numpy as np

from aiatrack.evaluation.annotation import Annotation, BoolArray, FloatArray

LARGEST_RATIO = 2.0
"""Change of size or shape, against the first frame, above which a sequence counts as varying."""
LOW_RESOLUTION_PX = 1000.0
"""Area of a box, square pixels, below which a sequence counts as of low resolution."""


def derive_attributes(annotation: Annotation) -> frozenset[str]:
    """Challenges measured from the boxes, with `measured:` before their names.

    Source: Fan et al., LaSOT, CVPR 2019, table 3; Wu et al., TPAMI 2015, table 2.
    """
    usable = annotation.visible & (annotation.boxes_xywh[:, 2:] > 0).all(axis=1)
    boxes = annotation.boxes_xywh[usable]
    names = set() if annotation.visible.all() else {"measured: absence"}
    if len(boxes):
        sides = boxes[:, 2:]
        areas = sides[:, 0] * sides[:, 1]
        shapes = sides[:, 0] / sides[:, 1]
        found = {
            "measured: scale variation": _varies(np.sqrt(areas)),
            "measured: aspect ratio change": _varies(shapes),
            "measured: low resolution": bool((areas < LOW_RESOLUTION_PX).any()),
            "measured: fast motion": _moves_fast(boxes, usable),
        }
        names |= {name for name, true in found.items() if true}
    return frozenset(names)


def group_by_attribute(annotations: Mapping[str, Annotation]) -> dict[str, frozenset[str]]:
    """Names of sequences by challenge, the benchmark's own and measured ones, in alphabetical order."""
    groups: dict[str, set[str]] = {}
    for name, annotation in annotations.items():
        for attribute in annotation.attributes | derive_attributes(annotation):
            groups.setdefault(attribute, set()).add(name)
    return {attribute: frozenset(groups[attribute]) for attribute in sorted(groups)}


def _varies(values: FloatArray) -> bool:
    ratio = values / values[0]
    return bool(((ratio > LARGEST_RATIO) | (ratio < 1 / LARGEST_RATIO)).any())


def _moves_fast(boxes: FloatArray, usable: BoolArray) -> bool:
    """Whether the centre moves further than the box is large, between two frames that follow each other."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    steps = np.hypot(*np.diff(centres, axis=0).T)
    adjacent = np.diff(np.flatnonzero(usable)) == 1
    sizes = np.sqrt(boxes[1:, 2] * boxes[1:, 3])
    return bool((adjacent & (steps > sizes)).any())
