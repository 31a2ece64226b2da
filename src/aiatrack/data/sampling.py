"""Draw whole samples as plans: a scene, clutter, a crop for each view, its looks. No pixel is read here."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from aiatrack.config.data import DataSettings
from aiatrack.data.appearance import NOISE_TILE_SIZE, Look, draw_colour, draw_kernel, draw_look
from aiatrack.data.clutter import add_distractors, add_occluders
from aiatrack.data.corpus import Corpus
from aiatrack.data.geometry import (
    Matrix,
    Points,
    apply,
    crop_window,
    mirror,
    to_index_coordinates,
)
from aiatrack.data.outlines import outline_box_xywh
from aiatrack.data.plan import OverlayPlan, SamplePlan, ViewPlan
from aiatrack.data.proposals import draw_proposals
from aiatrack.data.shortage import why_none
from aiatrack.data.staging import SceneSetter, Stage
from aiatrack.errors import DataError, SettingsError

_MOST_SAMPLES = 4
_CENTRE_TRIES = 6
_Draw = Callable[[np.random.Generator], tuple[list[Stage], int]]


class Sampler:
    """Plans samples from a corpus; what sample i of step k is depends on the seed, k and i alone."""

    def __init__(
        self, corpus: Corpus, settings: DataSettings, *, crop_size: int, search_factor: float
    ) -> None:
        """Prepare to draw.

        Args:
            corpus: what to draw from.
            settings: how.
            crop_size: S, px, at most the 1024 of the noise tile.
            search_factor: side of an unjittered crop over sqrt(width x height) of the target.

        Raises:
            SettingsError: `crop_size` exceeds the noise tile.
            DataError: the corpus has nothing of what the settings ask for; or it has annotated boxes, and
                none is usable for what they ask for.
        """
        if crop_size > NOISE_TILE_SIZE:
            raise SettingsError(
                f"crop_size must be at most {NOISE_TILE_SIZE} px, the size of the noise laid over crops; "
                f"got {crop_size}: choose a smaller one"
            )
        self.corpus, self.settings = corpus, settings
        self.crop_size, self.search_factor = crop_size, search_factor
        self._kinds, self._draws, self._shares = self._ingredients()

    def _ingredients(self) -> tuple[list[str], list[_Draw], np.ndarray]:
        settings, corpus, scenes = self.settings, self.corpus, SceneSetter(self.corpus, self.settings)
        table: list[tuple[str, _Draw, float, bool]] = [
            ("still", scenes.still, settings.still_share, bool(corpus.stills)),
            ("clip", scenes.clip, settings.clip_share, bool(corpus.tracks)),
            ("pasted", scenes.pasted, settings.pasted_share, bool(corpus.cutouts) and bool(corpus.scenes)),
            ("region", scenes.region, settings.region_share, bool(corpus.scenes)),
        ]
        usable = [(kind, draw, share) for kind, draw, share, exists in table if exists and share > 0]
        followed = [(kind, exists) for kind, _, share, exists in table[:2] if share > 0]
        # A run that goes on with regions alone would end well, and have learnt nothing of its boxes.
        none_followed = bool(followed) and not any(exists for _, exists in followed)
        if none_followed and any(counts.boxes for counts in corpus.counts):
            raise DataError(why_none(corpus, [kind for kind, _ in followed]))
        if not usable:
            raise DataError(why_none(corpus, []))
        shares = np.cumsum([share for *_, share in usable])
        return [kind for kind, *_ in usable], [draw for _, draw, _ in usable], shares / shares[-1]

    def plan(self, seed: int, step: int, place: int, spare: int = 0) -> SamplePlan:
        """Plan sample `place` of the global batch of step `step`, or the `spare`-th to take its place."""
        rng = np.random.default_rng((seed, step, place, spare))
        choice = min(int(np.searchsorted(self._shares, rng.random(), "right")), len(self._shares) - 1)
        stages, cutout = self._draws[choice](rng)
        add_distractors(stages, cutout, self.corpus, self.settings, rng)
        add_occluders(stages, self.corpus, self.settings, rng)
        look = draw_look(self.settings.appearance, rng)
        views = tuple(self._view(stage, look, index > 0, rng) for index, stage in enumerate(stages))
        search = self._search_box(views[2].box_xywh)
        views = (views[0], views[1], replace(views[2], box_xywh=search))
        proposals, overlap = draw_proposals(search, self.settings.proposals, 1 / self.crop_size, rng)
        return SamplePlan(views, proposals, overlap, self._kinds[choice])

    def _search_box(self, box_xywh: Points) -> Points:
        if not self.settings.clip_to_crop:
            return box_xywh
        low = np.clip(box_xywh[:2], 0, 1 - 1 / self.crop_size)
        high = np.clip(box_xywh[:2] + box_xywh[2:], 1 / self.crop_size, 1)
        return np.concatenate((low, np.maximum(high - low, 1 / self.crop_size)))

    def _view(self, stage: Stage, look: Look, jittered: bool, rng: np.random.Generator) -> ViewPlan:
        """Choose the crop around a stage's target and everything that happens to its pixels."""
        settings = self.settings.appearance
        outline = apply(stage.motion, stage.outline)
        window, centre = self._window(outline_box_xywh(outline), stage, jittered, rng)
        flipped = look.flip != (float(rng.random()) < settings.crop_flip)
        to_crop = mirror(self.crop_size) @ window if flipped else window
        box = outline_box_xywh(apply(to_crop, outline)) / self.crop_size
        if self.settings.published_boxes:
            published_centre = (self.crop_size - 1) / 2
            box[:2] += (published_centre - apply(to_crop, centre[None])[0]) / self.crop_size
        from_image = to_crop @ stage.motion
        noisy, sigma, compressed, quality, smooth = rng.random(5)
        low, high = settings.compression_quality
        offset = rng.integers(0, NOISE_TILE_SIZE - self.crop_size, 2, endpoint=True)
        inverse = _inverse(from_image)
        return ViewPlan(
            image=stage.image,
            inverse=inverse,
            box_xywh=box,
            samples=_samples(inverse, self.crop_size) if smooth < settings.smooth_shrinking else 1,
            overlays=tuple(
                OverlayPlan(layer.image, _inverse(from_image @ layer.to_scene), layer.colour)
                for layer in stage.layers
            ),
            colour=draw_colour(settings, look, rng),
            kernel=draw_kernel(settings, rng),
            noise_sigma=sigma * settings.noise_max_sigma if noisy < settings.noise else 0.0,
            noise_offset=(int(offset[0]), int(offset[1])),
            quality=round(low + quality * (high - low)) if compressed < settings.compression else 0,
        )

    def _window(
        self, box_xywh: Points, stage: Stage, jittered: bool, rng: np.random.Generator
    ) -> tuple[Matrix, Points]:
        """Choose the crop of a frame (docs/method.md, training): whole pixels, as in tracking.

        Returns:
            From the frame to the crop; and `(2,)`, the exact centre of the box that it is cut around.
        """
        x, y, w, h = (float(value) for value in box_xywh)
        centre_x, centre_y = x + w / 2, y + h / 2
        if jittered:
            jitter = self.settings.jitter
            factors = np.exp(jitter.size * rng.standard_normal(2))
            w, h = max(w * float(factors[0]), 1.0), max(h * float(factors[1]), 1.0)
            reach = jitter.centre * math.sqrt(w * h)
            centre_x, centre_y = self._jittered_centre(centre_x, centre_y, reach, stage, rng)
        side = max(math.ceil(math.sqrt(w * h) * self.search_factor), 1)
        left, top = round(centre_x - side / 2), round(centre_y - side / 2)
        matrix = crop_window((left + side / 2, top + side / 2), side, self.crop_size)
        return matrix, np.array([centre_x, centre_y])

    def _jittered_centre(
        self, x: float, y: float, reach: float, stage: Stage, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Shift a crop's centre; not out of the image, since no tracker's last box is there."""
        size = self.corpus.image_size[stage.image]
        to_image = np.asarray(np.linalg.inv(stage.motion), dtype=np.float64)
        shifted = np.array([x, y])
        tries = _CENTRE_TRIES if self.settings.centre_in_image and size.all() else 1
        for _ in range(tries):
            shifted = (x, y) + reach * rng.uniform(-1, 1, 2)
            place = apply(to_image, shifted[None])[0]
            if (place >= 0).all() and (place <= size).all():
                break
        return float(shifted[0]), float(shifted[1])


def _inverse(matrix: Matrix) -> Matrix:
    inverse = to_index_coordinates(np.asarray(np.linalg.inv(matrix), dtype=np.float64))
    return np.asarray(inverse / inverse[2, 2])


def _samples(inverse: Matrix, crop_size: int) -> int:
    """Points per pixel and axis so that a shrunk image is averaged and not only sampled."""
    middle = crop_size / 2
    depth = inverse[2, 0] * middle + inverse[2, 1] * middle + inverse[2, 2]
    ratio = math.sqrt(abs(float(np.linalg.det(inverse)))) / max(abs(float(depth)), 1e-6) ** 1.5
    return 1 if ratio < 1.5 else min(math.ceil(ratio), _MOST_SAMPLES)
