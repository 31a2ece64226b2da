"""Set the scene of a sample: the image under each crop, where the target is in it, what lies over it."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from aiatrack.config.data import DataSettings, MotionSettings
from aiatrack.data.appearance import draw_cutout_colour
from aiatrack.data.corpus import Corpus, spread_frames
from aiatrack.data.geometry import Matrix, Points, apply, identity, linear, scale, translate
from aiatrack.data.outlines import clip_outline, outline_box_xywh, outline_of_box

_REGION_TRIES = 8
_LEAST_VISIBLE_SHARE = 0.35


@dataclass(frozen=True)
class Layer:
    """A cut-out laid over a scene.

    Attributes:
        image: id of the RGBA image.
        to_scene: from its edge coordinates to the scene's.
        colour: `(3, 4)` change of its values, or None.
    """

    image: int
    to_scene: Matrix
    colour: npt.NDArray[np.floating[Any]] | None = None


@dataclass
class Stage:
    """What one crop of a sample will look at.

    Attributes:
        image: id of the scene's image.
        outline: `(K, 2)` the target in it, px, cut at the image's border.
        motion: from the image's edge coordinates to those of the frame that the crop is taken from.
        layers: from the lowest to the highest.
    """

    image: int
    outline: Points
    motion: Matrix = field(default_factory=identity)
    layers: list[Layer] = field(default_factory=list)

    def box_xywh(self) -> Points:
        """The target in the scene, `(4,)` px of the image."""
        return outline_box_xywh(self.outline)


class SceneSetter:
    """Draws the scenes of samples from a corpus."""

    def __init__(self, corpus: Corpus, settings: DataSettings) -> None:
        self.corpus = corpus
        self.settings = settings

    def still(self, rng: np.random.Generator) -> tuple[list[Stage], int]:
        """Stage one object of one image; returns the three stages and the object's cut-out, or -1."""
        chosen = int(self.corpus.stills.draw(rng))
        image, outline = int(self.corpus.object_image[chosen]), self._outline(chosen)
        stages = [Stage(image, outline) for _ in range(3)]
        self._move(stages[1:], self.settings.still_motion, rng)
        return stages, int(self.corpus.object_cutout[chosen])

    def clip(self, rng: np.random.Generator) -> tuple[list[Stage], int]:
        """Stage one object in three frames of a clip; returns the stages and one of its cut-outs, or -1."""
        track = self.corpus.tracks.draw(rng)
        places = spread_frames(self.corpus.frames(track), self.settings.max_gap, rng)
        if rng.random() < self.settings.reverse:
            places = places[::-1]
        objects = [int(track[place]) for place in places]
        stages = [Stage(int(self.corpus.object_image[k]), self._outline(k)) for k in objects]
        self._move(stages[1:], self.settings.clip_motion, rng)
        return stages, max(int(self.corpus.object_cutout[k]) for k in objects)

    def region(self, rng: np.random.Generator) -> tuple[list[Stage], int]:
        """Stage a random region of an image that is not plain; there is no cut-out of it."""
        image = int(self.corpus.scenes.draw(rng))
        width, height = (int(side) for side in self.corpus.image_size[image])
        box = self._random_region(image, width, height, rng)
        stages = [Stage(image, outline_of_box(box)) for _ in range(3)]
        self._move(stages[1:], self.settings.still_motion, rng)
        return stages, -1

    def pasted(self, rng: np.random.Generator) -> tuple[list[Stage], int]:
        """Stage a cut-out that moves over a scene; returns the three stages and the cut-out."""
        settings = self.settings.paste
        chosen = int(self.corpus.cutouts.draw(rng))
        cutout = int(self.corpus.object_cutout[chosen])
        outline = self._outline_in_cutout(chosen)
        images = self._scene_images(rng)
        width, height = (float(side) for side in self.corpus.image_size[images[0]])
        size = min(width, height) * log_uniform(*settings.size_range, rng)
        box = outline_box_xywh(outline)
        zoom = size / math.sqrt(max(float(box[2] * box[3]), 1.0))
        place = rng.random(2) * (width, height)
        exits = rng.random() < settings.exit_probability
        flip = -1.0 if rng.random() < 0.5 else 1.0
        base = scale(zoom * flip, zoom) @ translate(*(-(box[:2] + box[2:] / 2)))
        colour = draw_cutout_colour(settings.colour, rng)
        stages = []
        for view, image in enumerate(images):
            here = place + (settings.travel * size * rng.standard_normal(2) if view else 0.0)
            centre = self._place(here, width, height, exits and view > 0, rng)
            if not exits or not view:
                centre = _inwards(centre, size, width, height)
            shape = draw_motion(self.settings.motion, 1.0 if view else 0.3, size, rng)
            to_scene = translate(*centre) @ shape @ base
            visible = self._visible(apply(to_scene, outline), width, height)
            if visible is None:
                to_scene = translate(width / 2, height / 2) @ shape @ base
                visible = clip_outline(apply(to_scene, outline), width, height)
            stages.append(Stage(image, visible, layers=[Layer(cutout, to_scene, colour)]))
        self._move(stages[1:], self.settings.clip_motion, rng)
        return stages, cutout

    def _outline(self, chosen: int) -> Points:
        outline = self.corpus.outline(chosen)
        width, height = self.corpus.image_size[self.corpus.object_image[chosen]]
        if not width:
            return outline
        clipped = clip_outline(outline, float(width), float(height))
        # Of some boxes nothing is in the image but a corner, which their outlines are without.
        return clipped if len(clipped) >= 3 else outline_of_box(self.corpus.box_in_image(chosen))

    def _outline_in_cutout(self, chosen: int) -> Points:
        return np.asarray(self.corpus.outline(chosen) - self.corpus.object_cutout_origin[chosen])

    def _move(self, stages: list[Stage], strength: float, rng: np.random.Generator) -> None:
        """Set what the stages look at in motion, about the target's centre."""
        if strength <= 0:
            return
        for stage in stages:
            x, y, w, h = stage.box_xywh()
            centre = (float(x + w / 2), float(y + h / 2))
            shape = draw_motion(self.settings.motion, strength, math.sqrt(max(float(w * h), 1.0)), rng)
            stage.motion = translate(*centre) @ shape @ translate(-centre[0], -centre[1])

    def _random_region(self, image: int, width: int, height: int, rng: np.random.Generator) -> Points:
        best, best_detail = np.zeros(4), -1.0
        for _ in range(_REGION_TRIES):
            size = min(width, height) * log_uniform(*self.settings.region_size, rng)
            stretch = math.exp(0.3 * float(rng.standard_normal()))
            w, h = min(size * stretch, width - 1.0), min(size / stretch, height - 1.0)
            x, y = rng.random(2) * (width - w, height - h)
            box = np.array([x, y, w, h])
            detail = self._detail(image, box, width, height)
            if detail > best_detail:
                best, best_detail = box, detail
            if detail >= self.settings.region_detail:
                break
        return best

    def _detail(self, image: int, box: Points, width: int, height: int) -> float:
        low = np.floor(box[:2] / (width, height) * 16).astype(int)
        high = np.ceil((box[:2] + box[2:]) / (width, height) * 16).astype(int)
        return float(self.corpus.image_detail(image)[low[1] : high[1], low[0] : high[0]].mean())

    def _scene_images(self, rng: np.random.Generator) -> list[int]:
        if self.corpus.scene_clips and rng.random() < self.settings.paste.video_scene_probability:
            clip = self.corpus.scene_clips.draw(rng)
            places = spread_frames(self.corpus.image_frame[clip], self.settings.max_gap, rng)
            return [int(clip[place]) for place in places]
        return [int(self.corpus.scenes.draw(rng))] * 3

    @staticmethod
    def _place(
        place: Points, width: float, height: float, at_border: bool, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Keep a target's centre inside of the scene, or put it near one of its borders."""
        x, y = min(max(float(place[0]), 0.0), width), min(max(float(place[1]), 0.0), height)
        if not at_border:
            return x, y
        side, along = int(rng.integers(4)), float(rng.random())
        return (
            (0.0, along * height),
            (width, along * height),
            (along * width, 0.0),
            (along * width, height),
        )[side]

    @staticmethod
    def _visible(outline: Points, width: float, height: float) -> Points | None:
        """The part of an outline inside of a scene, or None if too little of it is."""
        clipped = clip_outline(outline, width, height)
        if len(clipped) < 3:
            return None
        whole, part = outline_box_xywh(outline), outline_box_xywh(clipped)
        return clipped if part[2] * part[3] >= _LEAST_VISIBLE_SHARE * whole[2] * whole[3] else None


def _inwards(centre: tuple[float, float], size: float, width: float, height: float) -> tuple[float, float]:
    """Move a thing's centre so that it is mostly inside of the scene."""
    margin_x, margin_y = min(size, width) / 2, min(size, height) / 2
    return (
        min(max(centre[0], margin_x), width - margin_x),
        min(max(centre[1], margin_y), height - margin_y),
    )


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(low * (high / low) ** rng.random())


def draw_motion(settings: MotionSettings, strength: float, size: float, rng: np.random.Generator) -> Matrix:
    """Draw a change of shape about the origin.

    Args:
        settings: how much.
        strength: factor on all of it.
        size: of the thing that moves, px; perspective is relative to it.
        rng: randomness.
    """
    n = np.clip(rng.standard_normal(5), -2, 2) * strength
    tilted = rng.random() < settings.perspective_probability
    tilt = settings.perspective * n[3:] / size if tilted else np.zeros(2)
    angle = math.radians(settings.rotation_degrees) * n[0]
    return linear(angle, settings.stretch * n[1], settings.shear * n[2], (float(tilt[0]), float(tilt[1])))
