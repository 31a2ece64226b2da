"""What makes a scene hard: look-alikes beside the target, things in front of it."""

import math

import numpy as np

from aiatrack.config.data import DataSettings
from aiatrack.data.appearance import draw_cutout_colour
from aiatrack.data.corpus import Corpus
from aiatrack.data.geometry import Matrix, Points, apply, scale, translate
from aiatrack.data.outlines import outline_box_xywh
from aiatrack.data.staging import Layer, Stage, draw_motion

_OWN_LOOK_ALIKE = 0.7
"""Probability that a look-alike is the target's own cut-out, where there is one."""
_PRESENT = 0.85
"""Probability that a look-alike is there in each of the three crops."""


def add_distractors(
    stages: list[Stage], cutout: int, corpus: Corpus, settings: DataSettings, rng: np.random.Generator
) -> None:
    """Lay look-alikes beside the target, over it a little at most and seldom (see `_beside`).

    Args:
        stages: of one sample; changed.
        cutout: id of the target's own cut-out, or -1.
        corpus: where other cut-outs come from.
        settings: how often and how many.
        rng: randomness.
    """
    if not corpus.cutouts or rng.random() >= settings.paste.distractor_probability:
        return
    for _ in range(int(rng.integers(1, settings.paste.distractors_max + 1))):
        image, corners = _draw_thing(cutout if rng.random() < _OWN_LOOK_ALIKE else -1, corpus, rng)
        colour = draw_cutout_colour(1.5 * settings.paste.colour, rng)
        relative_size = math.exp(0.2 * float(rng.standard_normal()))
        flip = -1.0 if rng.random() < 0.5 else 1.0
        for stage in stages:
            if rng.random() >= _PRESENT:
                continue
            box = stage.box_xywh()
            size = relative_size * math.sqrt(max(float(box[2] * box[3]), 1.0))
            shape = draw_motion(settings.motion, 0.7, size, rng) @ _centred(corners, size, flip)
            extent = outline_box_xywh(apply(shape, corners))[2:]
            to_scene = translate(*_beside(box, extent, rng)) @ shape
            stage.layers.insert(0, Layer(image, to_scene, colour))


def add_occluders(
    stages: list[Stage], corpus: Corpus, settings: DataSettings, rng: np.random.Generator
) -> None:
    """Lay something over part of the target in some of the crops, never in the first reference."""
    low, high = settings.paste.occluded_share
    for stage in stages[1:]:
        if not corpus.cutouts or rng.random() >= settings.paste.occluder_probability:
            continue
        image, corners = _draw_thing(-1, corpus, rng)
        box = stage.box_xywh()
        size = math.sqrt(max(float(box[2] * box[3]), 1.0)) * float(rng.uniform(0.6, 1.3))
        shape = draw_motion(settings.motion, 1.0, size, rng) @ _centred(corners, size, 1.0)
        extent = outline_box_xywh(apply(shape, corners))[2:]
        place = _over_side(box, extent, float(rng.uniform(low, high)), rng)
        colour = draw_cutout_colour(settings.paste.colour, rng)
        stage.layers.append(Layer(image, translate(*place) @ shape, colour))


def _draw_thing(cutout: int, corpus: Corpus, rng: np.random.Generator) -> tuple[int, Points]:
    """Choose a cut-out; returns its image and the corners of what it shows, px."""
    if cutout < 0:
        cutout = int(corpus.object_cutout[int(corpus.cutouts.draw(rng))])
    width, height = (float(side) for side in corpus.image_size[cutout])
    return cutout, np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])


def _centred(corners: Points, size: float, flip: float) -> Matrix:
    """Shift a thing's centre to the origin and make sqrt(width x height) equal `size`."""
    width, height = corners[2]
    zoom = size / math.sqrt(max(float(width * height), 1.0))
    return scale(flip * zoom, zoom) @ translate(-float(width) / 2, -float(height) / 2)


def _beside(box: Points, extent: Points, rng: np.random.Generator) -> tuple[float, float]:
    """Choose a centre for a thing so that its box and the target's do not overlap.

    One seen in perspective reaches further to one side of its centre than to the other, so that in one draw
    of some hundreds they do, a little.
    """
    side = float(np.sqrt(box[2] * box[3]))
    reach = (box[2:] + extent) / 2
    axis, sign = int(rng.integers(2)), 1.0 if rng.random() < 0.5 else -1.0
    offset = rng.uniform(-1.4, 1.4, 2) * side
    offset[axis] = sign * (reach[axis] + float(rng.random()) * 0.8 * side)
    centre = box[:2] + box[2:] / 2 + offset
    return float(centre[0]), float(centre[1])


def _over_side(box: Points, extent: Points, share: float, rng: np.random.Generator) -> tuple[float, float]:
    """Choose a centre for a thing that covers `share` of the target's extent, from one side."""
    axis, sign = int(rng.integers(2)), 1.0 if rng.random() < 0.5 else -1.0
    centre = box[:2] + box[2:] / 2 + rng.uniform(-0.3, 0.3, 2) * box[2:]
    middle = box[axis] + box[2 + axis] / 2
    centre[axis] = middle + sign * ((0.5 - share) * box[2 + axis] + extent[axis] / 2)
    return float(centre[0]), float(centre[1])
