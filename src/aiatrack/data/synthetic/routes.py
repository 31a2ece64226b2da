"""Where things are on the frame at any time: wandering, leaving, passing in front, resting in the world."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aiatrack.data.synthetic.motion import (
    Camera,
    CameraPose,
    Drift,
    FloatArray,
    transform_points,
)


@dataclass(frozen=True)
class Placement:
    """Where a thing is, before the camera's tremor and roll."""

    centre: FloatArray
    """`(2,)` frame px."""
    half_size: float
    """Pixels of the frame for one unit of the thing."""


class Route(Protocol):
    """Anything that places a thing."""

    def at(self, time: float, pose: CameraPose) -> Placement | None:
        """The placement at a time, in frames, or None while the thing is not on stage."""


def distance_out(frame_size: FloatArray, start: FloatArray, direction: FloatArray, radius: float) -> float:
    """How far a disc must move along a unit direction to be wholly out of the frame, px."""
    # Towards which border, and how far is its far side.
    room = np.where(direction > 0, frame_size - start, start) + radius
    return float(np.min(room / np.maximum(np.abs(direction), 1e-9)))


def _heading(*key: int) -> FloatArray:
    """A random unit vector for an event, the same whenever it is asked for."""
    angle = np.random.default_rng(key).uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


@dataclass(frozen=True)
class Absence:
    """One stretch of frames without the target."""

    index: int
    start: float
    end: float
    ramp: float
    """Frames for going and for coming back."""

    def share_away(self, time: float) -> float:
        """0 before and after, 1 during the absence; between, faster and faster towards the absence."""
        # Quick at the far end: there the target may already be out of sight, which is not yet meant to be.
        nearness = min(time - (self.start - self.ramp), self.end + self.ramp - time) / self.ramp
        return min(max(nearness, 0.0), 1.0) ** 2


@dataclass(frozen=True)
class AbsencePlan:
    """Absences that recur with a period; by turns, they leave the frame and hide, unless they vanish."""

    period: float
    """Frames; infinite for none."""
    length: float
    first: int
    """0 or 1: whether the first absence leaves or hides."""
    place: float = 0.5
    """Where in the part of the period that leaves room for the ramps an absence begins, 0 to 1."""
    vanish: bool = False
    """The target goes from one frame to the next, and comes back far from where it was."""

    @property
    def ramp(self) -> float:
        """Frames for going and for coming back."""
        return min(24.0, (self.period - self.length) / 2.5)

    def start(self, index: int) -> float:
        """First frame of an absence."""
        spare = self.period - self.length - 2 * self.ramp
        return index * self.period + self.ramp + spare * self.place

    def near(self, time: float) -> Absence | None:
        """The absence whose period this is."""
        if not np.isfinite(self.period):
            return None
        # A shutter is open around a frame's time: that of frame 0 opens before the film begins.
        index = max(int(time // self.period), 0)
        start = self.start(index)
        return Absence(index, start, start + self.length, self.ramp)

    def is_leaving(self, absence: Absence) -> bool:
        """Whether the target goes out of the frame, rather than behind something."""
        return not self.vanish and (absence.index + self.first) % 2 == 0

    def has_vanished(self, time: float) -> bool:
        """Whether the target is nowhere."""
        absence = self.near(time)
        return self.vanish and absence is not None and absence.start <= time < absence.end

    def times_left(self, time: float) -> int:
        """How often the target has left the frame or vanished; steps in the middle of an absence."""
        absence = self.near(time)
        if absence is None:
            return 0
        passed = absence.index + (time > (absence.start + absence.end) / 2)
        return passed if self.vanish else (passed + 1 - self.first) // 2


class Wander:
    """A target's or distractor's own way about the frame, away from it during absences."""

    def __init__(
        self,
        rng: np.random.Generator,
        frame_size: FloatArray,
        half_size: float,
        *,
        reach: float,
        frame_rate: float,
        speed: float,
        zoom: float,
        plan: AbsencePlan,
    ) -> None:
        """Draw a way.

        Args:
            rng: decides it.
            frame_size: `(2,)` width and height, px.
            half_size: mean pixels for one unit of the thing.
            reach: radius of the thing in its units.
            frame_rate: frames a second.
            speed: 1 crosses the frame in some two seconds.
            zoom: the thing's own size varies between 1/zoom and zoom of its mean.
            plan: when it is absent.
        """
        self.frame_size, self.half_size, self.plan, self.reach = frame_size, half_size, plan, reach
        self._seconds_a_frame, self._speed, self._log_zoom = 1 / frame_rate, speed, np.log(zoom)
        self._room = np.maximum(frame_size / 2 - 1.1 * half_size, 0.1 * frame_size)
        self._way, self._size = Drift(rng, 2, (1.6, 8.0)), Drift(rng, 1, (3.0, 12.0))
        self._key = int(rng.integers(2**31))
        self._stretches = [0]

    def size_at(self, time: float, pose: CameraPose) -> float:
        """Pixels of the frame for one unit of the thing."""
        own = np.exp(self._log_zoom * self._size.at(time * self._seconds_a_frame)[0])
        return float(self.half_size * own * pose.zoom)

    def at(self, time: float, pose: CameraPose) -> Placement:
        """The placement at a time, in frames; where it would be, while it has vanished."""
        times_left = self.plan.times_left(time)
        centre = self._centre(time, times_left)
        size, absence = self.size_at(time, pose), self.plan.near(time)
        if absence is not None and self.plan.is_leaving(absence):
            # The margin covers the tremor and the camera's roll.
            heading = _heading(self._key, times_left)
            away = distance_out(
                self.frame_size, centre, heading, 1.1 * size * self.reach + 0.05 * max(self.frame_size)
            )
            centre = centre + heading * away * absence.share_away(time)
        return Placement(centre, size)

    def _centre(self, time: float, times_left: int) -> FloatArray:
        # Back from outside, it goes on from elsewhere: another stretch of the same endless way.
        stretch = self._far_stretch(times_left) if self.plan.vanish else times_left
        seconds = time * self._seconds_a_frame * self._speed + 1000.0 * stretch
        return self.frame_size / 2 + self._room * self._way.at(seconds)

    def _far_stretch(self, times_left: int) -> int:
        """Of the stretches it may come back on, the one that begins farthest from where it vanished."""
        while len(self._stretches) <= times_left:
            last, count = self._stretches[-1], len(self._stretches)
            gone, back = self.plan.start(count - 1), self.plan.start(count - 1) + self.plan.length
            rates = np.array([gone, back]) * self._seconds_a_frame * self._speed
            here = self._way.at(rates[0] + 1000.0 * last)
            others = range(last + 1, last + 9)
            jumps = [float(np.hypot(*(self._way.at(rates[1] + 1000.0 * k) - here))) for k in others]
            self._stretches.append(others[int(np.argmax(jumps))])
        return self._stretches[times_left]


class Cover:
    """Comes before its host goes into hiding, stays in front of it, and moves on."""

    def __init__(self, host: Wander, key: int) -> None:
        """Cover `host` in its hiding absences; `key` decides from where it comes."""
        self._host, self._key = host, key

    def at(self, time: float, pose: CameraPose) -> Placement | None:
        """The placement at a time, in frames."""
        plan, absence = self._host.plan, self._host.plan.near(time)
        if absence is None or plan.is_leaving(absence):
            return None
        away = 1 - absence.share_away(time)
        if away >= 1:
            return None
        host = self._host.at(time, pose)
        half_size = 1.25 * host.half_size * self._host.reach
        heading = _heading(self._key, absence.index)
        if time > (absence.start + absence.end) / 2:
            heading = -heading
        path = distance_out(self._host.frame_size, host.centre, heading, 1.5 * half_size)
        return Placement(host.centre + heading * path * away, half_size)


class Passing:
    """Crosses the frame over its host every few seconds."""

    def __init__(self, host: Wander, rng: np.random.Generator, *, frame_rate: float, size: float) -> None:
        """Draw when and from where.

        Args:
            host: whom it passes in front of.
            rng: decides when and from where.
            frame_rate: frames a second.
            size: over the host's.
        """
        self._host, self._size, self._key = host, size, int(rng.integers(2**31))
        self._half_crossing = frame_rate * rng.uniform(0.5, 1.0)
        self._period = frame_rate * rng.uniform(3.0, 6.0)
        self._first = self._half_crossing + frame_rate * rng.uniform(0.2, 1.0)
        self._aside = rng.uniform(-0.6, 0.6)

    def at(self, time: float, pose: CameraPose) -> Placement | None:
        """The placement at a time, in frames."""
        index = round((time - self._first) / self._period)
        along = (time - self._first - index * self._period) / self._half_crossing
        if index < 0 or abs(along) >= 1:
            return None
        host = self._host.at(time, pose)
        half_size = self._size * host.half_size
        heading = _heading(self._key, index)
        path = distance_out(self._host.frame_size, host.centre, np.sign(along) * heading, 1.6 * half_size)
        aside = np.array([-heading[1], heading[0]]) * self._aside * host.half_size
        return Placement(host.centre + heading * path * along + aside, half_size)


class Resting:
    """Stays where it is in the world while the camera moves; nearer things shift more (parallax)."""

    def __init__(self, camera: Camera, world_point: FloatArray, half_size: float, nearness: float) -> None:
        """Rest at a point.

        Args:
            camera: that looks at it.
            world_point: `(2,)` backdrop px.
            half_size: pixels for one unit of the thing at zoom 1.
            nearness: 1 moves with the backdrop, 2 twice as fast.
        """
        self._camera, self._point, self._half_size, self._nearness = camera, world_point, half_size, nearness
        # The world of resting things repeats, far enough out of sight.
        self._span = 4 * camera.frame_centre + 4 * half_size

    def at(self, time: float, pose: CameraPose) -> Placement:
        """The placement at a time, in frames."""
        seen = self._point - pose.pan * self._nearness
        seen = np.mod(seen + self._span / 2, self._span) - self._span / 2
        matrix = self._camera.world_to_frame(pose)
        return Placement(
            transform_points(matrix, (seen + pose.pan)[None])[0] - pose.shake, self._half_size * pose.zoom
        )
