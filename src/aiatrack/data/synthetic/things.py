"""Things: bodies of one or several parts that bend, swing and turn, with their exact outlines."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np

from aiatrack.data.synthetic.motion import FloatArray, transform_points, turn_and_scale
from aiatrack.data.synthetic.outlines import OUTLINES, Outline, capsule_outline
from aiatrack.data.synthetic.sprites import Rgba, Sprite, paint_sprite, unit_to_pixel
from aiatrack.data.synthetic.textures import Look, random_look
from aiatrack.data.synthetic.windows import Window, bounding_window, overlap

_SQUARE = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


@dataclass(frozen=True)
class Bend:
    """Two crossed shear waves: a smooth bending of the plane that keeps areas and has an exact inverse.

    x1 = x + amplitude_x sin(rate y + phase_x), then y1 = y + amplitude_y sin(rate x1 + phase_y).
    """

    amplitude_x: float = 0.0
    amplitude_y: float = 0.0
    rate: float = 2.5
    phase_x: float = 0.0
    phase_y: float = 0.0

    def apply(self, points: FloatArray) -> FloatArray:
        """Bend `(P, 2)` points."""
        x, y = points[:, 0], points[:, 1]
        x = x + self.amplitude_x * np.sin(self.rate * y + self.phase_x)
        y = y + self.amplitude_y * np.sin(self.rate * x + self.phase_y)
        return np.stack([x, y], axis=1)


@dataclass(frozen=True)
class Part:
    """A cut-out that hangs on a joint of the body; the body itself is a part at rest."""

    sprite: Sprite
    joint: FloatArray = field(default_factory=lambda: np.zeros(2))
    """`(2,)` where on the body, in the body's unit square."""
    pivot: FloatArray = field(default_factory=lambda: np.zeros(2))
    """`(2,)` the point of the part that stays on the joint, in the part's unit square."""
    size: float = 1.0
    """Over the body's."""
    angle: float = 0.0
    """At rest, radians."""
    swing: float = 0.0
    """Amplitude, radians."""
    swing_rate: float = 0.0
    """Radians a second."""
    swing_phase: float = 0.0
    is_body: bool = True


@dataclass(frozen=True)
class Thing:
    """Parts from back to front."""

    parts: tuple[Part, ...]
    bend: Bend = Bend()
    bend_rate: float = 0.0
    """How fast the bending waves run, radians a second."""

    def bend_at(self, seconds: float) -> Bend:
        """The bending at a time."""
        turned = self.bend_rate * seconds
        bend = self.bend
        return Bend(
            bend.amplitude_x, bend.amplitude_y, bend.rate, bend.phase_x + turned, bend.phase_y + 0.7 * turned
        )

    def part_matrices(self, placed: FloatArray, seconds: float) -> list[FloatArray]:
        """The `(3, 3)` matrix from every part's unit square to the frame, where `placed` is the body's."""
        bend = self.bend_at(seconds)
        return [placed if part.is_body else placed @ _hang(part, bend, seconds) for part in self.parts]

    def outlines(self, placed: FloatArray, seconds: float) -> list[Outline]:
        """The exact silhouette of every part on the frame, `(P, 2)` px each."""
        bend, matrices = self.bend_at(seconds), self.part_matrices(placed, seconds)
        return [
            transform_points(matrix, bend.apply(part.sprite.outline) if part.is_body else part.sprite.outline)
            for part, matrix in zip(self.parts, matrices, strict=True)
        ]

    @cached_property
    def reach(self) -> float:
        """No point of the thing gets farther from its middle than this, in units of its half size."""
        still = max(float(np.hypot(*outline.T).max()) for outline in self.outlines(np.eye(3), 0.0))
        limbs = [
            np.hypot(*part.joint) + part.size * (1 + np.hypot(*part.pivot))
            for part in self.parts
            if not part.is_body
        ]
        bend = abs(self.bend.amplitude_x) + abs(self.bend.amplitude_y)
        return float(max([still, *limbs]) + bend)

    def render(self, placed: FloatArray, seconds: float, window: Window) -> Rgba:
        """Draw the thing onto an empty window of the frame.

        Args:
            placed: `(3, 3)` from the body's unit square to frame px.
            seconds: time, for bending and swinging.
            window: left, top, width, height in frame px.

        Returns:
            `(height, width, 4)`.
        """
        bend = self.bend_at(seconds)
        picture = np.zeros((window[3], window[2], 4), np.uint8)
        for part, matrix in zip(self.parts, self.part_matrices(placed, seconds), strict=True):
            # A body bends beyond its square, and fills most of the window anyhow.
            covered = window if part.is_body else bounding_window(transform_points(matrix, _SQUARE))
            common = overlap(window, covered)
            if common is None:
                continue
            rows, columns = common[:2]
            own = window[0] + columns.start, window[1] + rows.start
            size = columns.stop - columns.start, rows.stop - rows.start
            drawn = _warp(part.sprite, matrix, (*own, *size), bend if part.is_body else Bend())
            # Over nothing, there is nothing to mix.
            picture[rows, columns] = (
                drawn if part is self.parts[0] else lay_over(picture[rows, columns], drawn)
            )
        return picture


def _hang(part: Part, bend: Bend, seconds: float) -> FloatArray:
    """The `(3, 3)` matrix from a part's unit square to the body's."""
    angle = part.angle + part.swing * math.sin(part.swing_rate * seconds + part.swing_phase)
    matrix = turn_and_scale(angle, part.size, part.size)
    matrix[:2, 2] = bend.apply(part.joint[None])[0] - matrix[:2, :2] @ part.pivot
    return matrix


def lay_over(below: Rgba, above: Rgba) -> Rgba:
    """Composite premultiplied pictures of equal shape, `(H, W, 3 or 4)` under `(H, W, 4)`."""
    channels = below.shape[2]
    through = cv2.merge([255 - above[..., 3]] * channels)
    laid = cv2.add(cv2.multiply(below, through, scale=1 / 255), above[..., :channels])
    return np.asarray(laid, dtype=np.uint8)


def _warp(sprite: Sprite, matrix: FloatArray, window: Window, bend: Bend) -> Rgba:
    """Sample a sprite where each pixel of the window comes from."""
    left, top, width, height = window
    picture = sprite.picture_for(float(np.sqrt(abs(np.linalg.det(matrix[:2, :2])))))
    to_picture = unit_to_pixel(picture.shape[0])
    to_unit = np.eye(3)
    to_unit[:2] = cv2.invertAffineTransform(matrix[:2])
    # Pixel (0, 0) of the window has its centre half a pixel inside.
    to_unit[:2, 2] += to_unit[:2, :2] @ (left + 0.5, top + 0.5)
    if not bend.amplitude_x and not bend.amplitude_y:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(picture, (to_picture @ to_unit)[:2], (width, height), flags=flags)
        return np.asarray(warped, dtype=np.uint8)
    column, row = np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]
    unit = to_unit.astype(np.float32)
    x = unit[0, 0] * column + (unit[0, 1] * row + unit[0, 2])
    y = unit[1, 0] * column + (unit[1, 1] * row + unit[1, 2])
    y -= np.float32(bend.amplitude_y) * np.sin(np.float32(bend.rate) * x + np.float32(bend.phase_y))
    x -= np.float32(bend.amplitude_x) * np.sin(np.float32(bend.rate) * y + np.float32(bend.phase_x))
    scale, offset = np.float32(to_picture[0, 0]), np.float32(to_picture[0, 2])
    sampled = cv2.remap(picture, x * scale + offset, y * scale + offset, cv2.INTER_LINEAR)
    return np.asarray(sampled, dtype=np.uint8)


@dataclass(frozen=True)
class Kind:
    """A species of things: what a target and its distractors have in common."""

    look: Look
    limb_look: Look
    outline_seed: int
    outline: int
    """Index into `OUTLINES`."""
    limbs: int
    roundness: float


def random_kind(rng: np.random.Generator) -> Kind:
    """Draw a species; about a half have limbs."""
    look = random_look(rng)
    return Kind(
        look=look,
        limb_look=random_look(rng) if rng.uniform() < 0.4 else look,
        outline_seed=int(rng.integers(2**31)),
        outline=int(rng.integers(len(OUTLINES))),
        limbs=int(rng.choice([0, 0, 0, 2, 3, 4])),
        roundness=float(rng.uniform(0.3, 1.0)),
    )


def build_thing(
    kind: Kind, rng: np.random.Generator, *, side: int, deformation: float, light: float
) -> Thing:
    """Make one individual of a kind.

    Args:
        kind: the species.
        rng: decides the details by which individuals differ.
        side: width of the body's largest picture, px.
        deformation: 0 is rigid, 1 bends and swings much.
        light: direction of the light in the picture, radians.
    """
    shape = np.random.default_rng(kind.outline_seed)
    outline = OUTLINES[kind.outline](shape)
    limbs = []
    for limb in range(kind.limbs):
        around = float(2 * np.pi * (limb + shape.uniform(-0.2, 0.2)) / kind.limbs)
        hung = _build_limb(kind, shape, rng, side=side // 2, light=light)
        angle = around + float(shape.uniform(-0.4, 0.4))
        limbs.append(replace(hung, joint=0.8 * _rim_point(outline, around), angle=angle))
    swing, head = 0.7 * deformation, int(shape.integers(0, 2))
    limbs = [_with_swing(limb, swing, rng) for limb in limbs]
    body = Part(paint_sprite(outline, kind.look, rng, side=side, roundness=kind.roundness, light=light))
    amplitude_x, amplitude_y = (deformation * rng.uniform(0.02, 0.13, 2)).tolist()
    phase_x, phase_y = rng.uniform(0, 2 * np.pi, 2).tolist()
    bend = Bend(amplitude_x, amplitude_y, float(rng.uniform(1.5, 3.5)), phase_x, phase_y)
    return Thing((*limbs[head:], body, *limbs[:head]), bend, float(rng.uniform(1, 4)))


def _rim_point(outline: Outline, around: float) -> FloatArray:
    """The point `(2,)` of an outline that lies farthest in a direction."""
    farthest: FloatArray = outline[int(np.argmax(outline @ np.array([np.cos(around), np.sin(around)])))]
    return farthest


def _build_limb(
    kind: Kind, shape: np.random.Generator, rng: np.random.Generator, *, side: int, light: float
) -> Part:
    outline = capsule_outline(shape) if shape.uniform() < 0.75 else OUTLINES[0](shape)
    sprite = paint_sprite(outline, kind.limb_look, rng, side=side, roundness=kind.roundness, light=light)
    pivot, size = np.array([-0.75, 0.0]), float(shape.uniform(0.35, 0.6))
    return Part(sprite, pivot=pivot, size=size, is_body=False)


def _with_swing(limb: Part, swing: float, rng: np.random.Generator) -> Part:
    rate, phase = float(rng.uniform(2, 8)), float(rng.uniform(0, 2 * np.pi))
    return replace(limb, swing=swing, swing_rate=rate, swing_phase=phase)
