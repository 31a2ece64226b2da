"""The synthetic world: a seeded film of a moving thing with exact boxes, masks and visibility."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.data.synthetic.backdrop import Picture, paint_backdrop
from aiatrack.data.synthetic.cast import Actor, Cast
from aiatrack.data.synthetic.motion import CameraPose, Drift, FloatArray, translation, turn_and_scale
from aiatrack.data.synthetic.rendering import (
    Layer,
    Moment,
    composite,
    draw_backdrop,
    draw_layer,
    exposures,
)
from aiatrack.data.synthetic.settings import SyntheticWorldSettings
from aiatrack.data.synthetic.windows import overlap
from aiatrack.errors import DataError

_NOISE_SPARE_PX = 64


@dataclass(frozen=True)
class SyntheticFrame:
    """One frame and the truth about its K targets."""

    image: Picture
    """`(H, W, 3)` uint8 RGB."""
    index: int
    boxes_xywh: FloatArray
    """`(K, 4)` px: bounds of the target's whole silhouette, hidden parts included, clipped to the frame.

    In the middle of the exposure, exact to a small fraction of a pixel (pixel i spans [i, i + 1]). NaN while
    no part of the silhouette is inside the frame.
    """
    masks: npt.NDArray[np.bool_]
    """`(K, H, W)` pixels more than half of which show the target."""
    visibility: FloatArray
    """`(K,)` in [0, 1]: share of the silhouette's area that is inside the frame and not hidden."""

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """`(K,)` whether a pixel of the target can be seen."""
        return np.asarray(self.masks.any(axis=(1, 2)))


class SyntheticWorld:
    """A film that is computed frame by frame, in any order, always the same for the same settings.

    Example:
        >>> world = SyntheticWorld(SyntheticWorldSettings(width=160, height=120, frames=3, seed=1))
        >>> [frame.image.shape for frame in world]
        [(120, 160, 3), (120, 160, 3), (120, 160, 3)]
    """

    def __init__(self, settings: SyntheticWorldSettings | None = None) -> None:
        """Paint the world; `None` is the default one."""
        self.settings = settings or SyntheticWorldSettings()
        paint, play, light = np.random.default_rng(self.settings.seed).spawn(3)
        self._cast = Cast(self.settings, play)
        self._frame_size = self.settings.width, self.settings.height
        self._backdrop = paint_backdrop(paint, *self._backdrop_size())
        self._noise = self._paint_noise(paint)
        self._light = Drift(light, 4, (2.0, 12.0))
        self._shadow = float(light.uniform(0.15, 0.5))
        away = light.uniform(-0.06, 0.06), light.uniform(0.02, 0.1)
        self._shadow_offset = tuple(int(share * self.settings.target_diameter_px) for share in away)

    def __len__(self) -> int:
        """Frames of the film."""
        return self.settings.frames

    def __iter__(self) -> Iterator[SyntheticFrame]:
        """The frames in order, one at a time."""
        return (self.frame(index) for index in range(len(self)))

    def boxes_xywh(self, index: int) -> FloatArray:
        """The boxes of a frame, `(K, 4)` as in `SyntheticFrame`, without rendering it.

        Raises:
            DataError: the film has no such frame.
        """
        self._check(index)
        boxes = np.full((self.settings.targets, 4), np.nan)
        for actor in self._cast.actors:
            if actor.target is not None:
                middle = self._moment(actor, index, self._camera_at(index))
                boxes[actor.target] = self._box_of(actor, middle)
        return boxes

    def frame(self, index: int) -> SyntheticFrame:
        """Render one frame.

        Raises:
            DataError: the film has no such frame.
        """
        self._check(index)
        half = self.settings.shutter / 2
        times = [index - half, float(index), index + half]
        poses = [self._camera_at(time) for time in times]
        image = self._draw_backdrop(times, poses)
        shown: dict[int, tuple[Layer, npt.NDArray[np.uint8]]] = {}
        for actor in self._cast.actors:
            layer = self._draw_actor(actor, times, poses)
            if layer is None:
                continue
            composite(image, layer, self._shadow, (self._shadow_offset[0], self._shadow_offset[1]))
            _hide(shown, layer)
            if actor.target is not None:
                shown[actor.target] = layer, layer.coverage.copy()
        boxes = self.boxes_xywh(index)
        masks, visibility = self._truth(shown)
        # Of a silhouette that just misses the frame, a trace of anti-aliasing may be left.
        gone = np.isnan(boxes[:, 0])
        masks[gone], visibility[gone] = False, 0.0
        return SyntheticFrame(self._photograph(image, index), index, boxes, masks, visibility)

    def _check(self, index: int) -> None:
        if not 0 <= index < self.settings.frames:
            raise DataError(
                f"the film has frames 0 to {self.settings.frames - 1}; got {index}: ask for one of these"
            )

    def _backdrop_size(self) -> tuple[int, int]:
        """Width and height that the camera's way hardly leaves; far ways see the painting mirrored."""
        motion = min(self.settings.camera_motion, 0.6)
        return int(self.settings.width * (1.1 + 1.2 * motion)), int(
            self.settings.height * (1.2 + 0.6 * motion)
        )

    def _paint_noise(self, rng: np.random.Generator) -> npt.NDArray[np.int16]:
        """A sheet of noise, larger than the frame: every frame cuts another piece."""
        shape = (self.settings.height + _NOISE_SPARE_PX, self.settings.width + _NOISE_SPARE_PX, 3)
        noise = rng.standard_normal(shape, dtype=np.float32) * self.settings.noise
        return np.round(noise).astype(np.int16)

    def _camera_at(self, time: float) -> CameraPose:
        return self._cast.camera.at(time / self.settings.frame_rate)

    def _moment(self, actor: Actor, time: float, pose: CameraPose) -> Moment | None:
        placed = actor.placed(time, self.settings.frame_rate, pose)
        return None if placed is None else Moment(time / self.settings.frame_rate, placed)

    def _box_of(self, actor: Actor, moment: Moment | None) -> FloatArray:
        if moment is None:
            return np.full(4, np.nan)
        points = np.concatenate(actor.thing.outlines(moment.placed, moment.seconds))
        low, high = np.maximum(points.min(axis=0), 0.0), np.minimum(points.max(axis=0), self._frame_size)
        return np.concatenate([low, high - low]) if (high > low).all() else np.full(4, np.nan)

    def _draw_backdrop(self, times: list[float], poses: list[CameraPose]) -> Picture:
        height, width = self._backdrop.shape[:2]
        # Zoomed out, the camera still sees little beyond the painting.
        wider = max(self.settings.zoom**0.4, 1.0)
        centred = turn_and_scale(0.0, wider, wider) @ translation(-width / 2 + 0.5, -height / 2 + 0.5)
        half_pixel = translation(-0.5, -0.5)
        placed = [half_pixel @ self._cast.camera.world_to_frame(pose) @ centred for pose in poses]
        seconds = [time / self.settings.frame_rate for time in times]
        first, middle, last = (Moment(s, matrix) for s, matrix in zip(seconds, placed, strict=True))
        radius = 0.3 * float(np.hypot(*self._frame_size))
        moments = exposures(first, middle, last, radius_px=radius, spacing_px=2.5, most=5)
        return draw_backdrop(self._backdrop, moments, self._frame_size)

    def _draw_actor(self, actor: Actor, times: list[float], poses: list[CameraPose]) -> Layer | None:
        first, middle, last = (
            self._moment(actor, time, pose) for time, pose in zip(times, poses, strict=True)
        )
        if middle is None:
            return None
        first, last = first or middle, last or middle
        radius = actor.thing.reach * float(np.sqrt(abs(np.linalg.det(middle.placed[:2, :2]))))
        centre = middle.placed[:2, 2]
        if (centre < -2 * radius).any() or (centre > self._frame_size + np.array(2 * radius)).any():
            return None
        whole = actor.target is not None
        moments = exposures(first, middle, last, radius_px=radius, spacing_px=2.0, most=7)
        return draw_layer(actor.thing, moments, self._frame_size, whole=whole)

    def _truth(
        self, shown: dict[int, tuple[Layer, npt.NDArray[np.uint8]]]
    ) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        width, height = self._frame_size
        masks = np.zeros((self.settings.targets, height, width), np.bool_)
        visibility = np.zeros(self.settings.targets)
        for target, (layer, visible) in shown.items():
            common = overlap((0, 0, width, height), layer.window)
            if common is None:
                continue
            rows, columns, layer_rows, layer_columns = common
            inside = visible[layer_rows, layer_columns]
            masks[target, rows, columns] = inside > 127
            visibility[target] = inside.sum(dtype=np.int64) / max(int(layer.coverage.sum(dtype=np.int64)), 1)
        return masks, visibility

    def _photograph(self, image: Picture, index: int) -> Picture:
        """Apply light, focus and noise."""
        settings = self.settings
        brightness, warmth, contrast, focus = self._light.at(index / settings.frame_rate)
        strength = settings.illumination
        gains = np.exp(
            strength * np.array([brightness + 0.3 * warmth, brightness, brightness - 0.3 * warmth])
        )
        levels = np.arange(256)[:, None] / 255
        table = 255 * np.clip(gains * levels, 0, 1) ** np.exp(0.4 * strength * contrast)
        if strength:
            image = np.asarray(cv2.LUT(image, np.round(table).astype(np.uint8)[None]), dtype=np.uint8)
        sigma = settings.defocus_px * abs(focus)
        if sigma > 0.25:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
        if settings.noise:
            top, left = np.random.default_rng((settings.seed, index)).integers(0, _NOISE_SPARE_PX, 2).tolist()
            grain = self._noise[top : top + settings.height, left : left + settings.width]
            image = np.asarray(cv2.add(image, grain, dtype=cv2.CV_8U), dtype=np.uint8)
        return image


def _hide(shown: dict[int, tuple[Layer, npt.NDArray[np.uint8]]], front: Layer) -> None:
    """Take what a nearer layer covers off the visible part of every target drawn so far."""
    for layer, visible in shown.values():
        common = overlap(layer.window, front.window)
        if common is None:
            continue
        rows, columns, front_rows, front_columns = common
        through = 255 - front.coverage[front_rows, front_columns]
        visible[rows, columns] = cv2.multiply(visible[rows, columns], through, scale=1 / 255)
