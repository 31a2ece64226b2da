"""Everything that appears in a film, from back to front."""

from dataclasses import dataclass

import numpy as np

from aiatrack.data.synthetic.motion import Camera, CameraPose, Drift, FloatArray, translation, turn_and_scale
from aiatrack.data.synthetic.outlines import cover_outline
from aiatrack.data.synthetic.routes import AbsencePlan, Cover, Passing, Resting, Route, Wander
from aiatrack.data.synthetic.settings import SyntheticWorldSettings
from aiatrack.data.synthetic.sprites import paint_sprite
from aiatrack.data.synthetic.textures import random_look
from aiatrack.data.synthetic.things import Kind, Part, Thing, build_thing, random_kind

_NO_ABSENCE = AbsencePlan(np.inf, 0.0, 0)


@dataclass(frozen=True)
class Actor:
    """A thing on its route."""

    thing: Thing
    route: Route
    pose: Drift | None = None
    """Turning and change of aspect; None stands still."""
    turn: float = 0.0
    """Amplitude of turning, radians."""
    stretch: float = 0.0
    """Amplitude of the change of aspect, in logarithms."""
    heading: float = 0.0
    """Angle at rest, radians."""
    target: int | None = None
    """Number of the target that this is."""

    def placed(self, time: float, frame_rate: float, camera: CameraPose) -> FloatArray | None:
        """The `(3, 3)` matrix from the thing's unit square to frame px, or None while it is not on stage."""
        placement = self.route.at(time, camera)
        if placement is None or self._has_vanished(time):
            return None
        turn, stretch = self.pose.at(time / frame_rate).tolist() if self.pose is not None else (0.0, 0.0)
        longer = np.exp(self.stretch * stretch)
        shape = turn_and_scale(0.0, placement.half_size * longer, placement.half_size / longer)
        angle = camera.angle + self.heading + self.turn * turn
        return translation(*(placement.centre + camera.shake)) @ turn_and_scale(angle, 1.0, 1.0) @ shape

    def _has_vanished(self, time: float) -> bool:
        return isinstance(self.route, Wander) and self.route.plan.has_vanished(time)


class Cast:
    """Builds the actors of a film."""

    def __init__(self, settings: SyntheticWorldSettings, rng: np.random.Generator) -> None:
        """Draw everything; `rng` is used up in a fixed order."""
        self._settings, self._rng = settings, rng
        self._frame_size = np.array([settings.width, settings.height], dtype=np.float64)
        self._light = float(rng.uniform(-np.pi, 0))
        self.camera = Camera(
            rng,
            (settings.width, settings.height),
            motion=settings.camera_motion,
            zoom=settings.zoom**0.4,
            shake_px=settings.shake_px,
        )
        kinds = [random_kind(rng) for _ in range(settings.targets)]
        targets: list[Actor] = []
        for number, kind in enumerate(kinds):
            targets.append(self._wanderer(kind, targets, target=number))
        distractors: list[Actor] = []
        for number in range(settings.distractors):
            distractors.append(self._wanderer(kinds[number % len(kinds)], targets))
        behind = (len(distractors) + 1) // 2
        hosts = [target.route for target in targets if isinstance(target.route, Wander)]
        clutter = [self._resting() for _ in range(settings.clutter)]
        passing = [self._passing(hosts[number % len(hosts)]) for number in range(settings.occluders)]
        hides = settings.absence > 0 and settings.absence_kind == "leave_or_hide"
        covers = [self._cover(host) for host in hosts] if hides else []
        self.actors = (*clutter, *distractors[:behind], *targets, *distractors[behind:], *passing, *covers)
        """From back to front."""

    def _side_for(self, diameter_px: float) -> int:
        """Width of a painting that is fine enough for the closest view of a thing."""
        finest = diameter_px * self._settings.zoom * 1.1
        return int(2 ** np.clip(np.ceil(np.log2(finest)), 5, 9))

    def _thing(self, kind: Kind, diameter_px: float) -> Thing:
        side = self._side_for(diameter_px)
        return build_thing(
            kind, self._rng, side=side, deformation=self._settings.deformation, light=self._light
        )

    def _wanderer(self, kind: Kind, others: list[Actor], target: int | None = None) -> Actor:
        settings, rng = self._settings, self._rng
        diameter = settings.target_diameter_px * float(np.exp(rng.uniform(-0.15, 0.15)))
        thing = self._thing(kind, diameter)
        first = int(rng.integers(2))
        plan = _NO_ABSENCE if target is None else self._absences(target, first)
        route = self._way_apart(thing, diameter / 2, plan, others)
        pose = Drift(rng, 2, (1.0, 6.0))
        heading = float(rng.uniform(-np.pi, np.pi)) if settings.deformation else 0.0
        turn, stretch = settings.deformation * np.array([rng.uniform(0.1, 1.2), rng.uniform(0.0, 0.25)])
        return Actor(thing, route, pose, float(turn), float(stretch), heading, target)

    def _absences(self, target: int, first: int) -> AbsencePlan:
        """Targets come and go at different times."""
        settings = self._settings
        # Of its own numbers, so that a film without absences does not change with how they are drawn.
        place = float(np.random.default_rng((settings.seed, target)).uniform())
        return AbsencePlan(
            settings.absence_period, settings.absence_frames, first, place, settings.absence_kind == "vanish"
        )

    def _way_apart(self, thing: Thing, half_size: float, plan: AbsencePlan, others: list[Actor]) -> Wander:
        """A way that does not start on another's: the first frame must show each target."""
        settings, start = self._settings, self.camera.at(0.0)
        ways = [
            Wander(
                self._rng,
                self._frame_size,
                half_size,
                reach=thing.reach,
                frame_rate=settings.frame_rate,
                speed=settings.speed,
                zoom=settings.zoom**0.6,
                plan=plan,
            )
            for _ in range(12)
        ]
        gaps = [min([0.0, *(_gap(way, other.route, start) for other in others)]) for way in ways]
        return ways[int(np.argmax(gaps))]

    def _resting(self) -> Actor:
        rng, kind = self._rng, random_kind(self._rng)
        diameter = self._settings.target_diameter_px * float(np.exp(rng.uniform(-1.2, 0.8)))
        point = rng.uniform(-1.0, 1.0, 2) * self._frame_size
        route = Resting(self.camera, point, diameter / 2, nearness=float(rng.uniform(1.0, 1.5)))
        return Actor(self._thing(kind, diameter), route, heading=float(rng.uniform(-np.pi, np.pi)))

    def _passing(self, host: Wander) -> Actor:
        size = float(self._rng.uniform(0.7, 1.6))
        thing = self._thing(random_kind(self._rng), 2 * host.half_size * size)
        route = Passing(host, self._rng, frame_rate=self._settings.frame_rate, size=size)
        return Actor(thing, route, Drift(self._rng, 2, (1.0, 6.0)), turn=0.5)

    def _cover(self, host: Wander) -> Actor:
        """A solid plate that is larger than its host wherever that reaches."""
        outline = cover_outline()
        side = min(self._side_for(2 * host.half_size * host.reach), 256)
        look = random_look(self._rng)
        sprite = paint_sprite(outline, look, self._rng, side=side, roundness=0.3, light=self._light)
        return Actor(Thing((Part(sprite),)), Cover(host, int(self._rng.integers(2**31))))


def _gap(way: Wander, other: Route, start: CameraPose) -> float:
    """Free space between two wanderers in the first frame, px; negative where they overlap."""
    here, there = way.at(0.0, start), other.at(0.0, start)
    if there is None:
        return np.inf
    return float(np.hypot(*(here.centre - there.centre)) - 1.2 * (here.half_size + there.half_size))
