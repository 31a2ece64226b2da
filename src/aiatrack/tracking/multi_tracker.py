"""Follow targets from frame to frame, one pass of the network for all (paper, section 3.4)."""

from collections.abc import Mapping, Sequence
from itertools import count, groupby, takewhile
from numbers import Integral
from typing import Any, NoReturn, TypeVar, get_args

import numpy as np
from typing_extensions import Self

from aiatrack.boxes import BoxLike, FloatArray, check_box_xywh
from aiatrack.config import TrackingSettings
from aiatrack.crop import Color, CropWindow, Image, check_frame, crop_window
from aiatrack.errors import FrameError, SettingsError, TrackingError
from aiatrack.tracking.choice import build_following
from aiatrack.tracking.following import Following
from aiatrack.tracking.looking import Looking, Looks, Sight
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.network import Network
from aiatrack.tracking.saved_state import (
    TrackerState,
    check_saving,
    check_state,
    probe_network,
    restore_target,
    save_target,
)
from aiatrack.tracking.target import Target, TargetId, TrackResult, to_box
from aiatrack.tracking.turns import Calls, one_at_a_time

_Result = TypeVar("_Result")


class MultiTracker:
    """Follows any number of targets in one film, with a network that is handed in.

    `add` marks a target, at any frame; `update` then gives a result for every target in every later frame;
    `remove` lets one go. Targets do not influence one another.

    Args:
        network: anything with the three verbs; see `aiatrack.tracking.Network`.
        settings: how to track; the defaults are the paper's.
        color: channel order of the frames: "rgb", or "bgr" as OpenCV reads them.
        following: another way of following than `settings.presence` chooses.

    Attributes:
        latest: the last result of each target; the box as given right after `add`.

    Raises:
        SettingsError: another channel order.

    Example:
        >>> tracker = load_multi_tracker()  # doctest: +SKIP
        >>> car = tracker.add(frame, (120, 80, 64, 48))  # doctest: +SKIP
        >>> tracker.update(next_frame)[car].box_xywh  # doctest: +SKIP
    """

    def __init__(
        self,
        network: Network,
        settings: TrackingSettings | None = None,
        *,
        color: Color = "rgb",
        following: Following | None = None,
    ) -> None:
        if color not in get_args(Color):
            raise SettingsError(f"color is 'rgb', or 'bgr' as OpenCV reads frames; got {color!r}")
        self.settings = settings or TrackingSettings()
        self.latest: dict[TargetId, TrackResult] = {}
        self._following = following or build_following(self.settings, network.crop_size)
        self._network = network
        self._looking = Looking(network, self.settings, color, self._following)
        self._color = color
        self._calls: Calls = []
        self._targets: dict[TargetId, Target] = {}
        self._frame_shape: tuple[int, ...] = ()
        self._frame_index = 0
        self._next_id = 1

    @property
    def ids(self) -> list[TargetId]:
        """Of the targets that are followed, in the order in which they were added."""
        return list(self._targets)

    @one_at_a_time
    def add(
        self,
        frame: Image,
        box: BoxLike,
        id: TargetId | None = None,
    ) -> TargetId:
        """Begin to follow what is inside a box, from the next `update` on.

        Args:
            frame: `(H, W, 3)` uint8, the frame that `update` was given last, or the first one.
            box: left, top, width, height in pixels of the frame.
            id: what to call the target: a number or a name; the next free number from 1 if not given.

        Returns:
            The target's id.

        Raises:
            FrameError: the frame is not `(H, W, 3)` uint8, or not of the size of those before.
            BoxError: the box is not four finite numbers, has no area, or lies outside the frame.
            TrackingError: the id is no number or name, or a target of that id is followed already.
            SettingsError: the calibration is of another network.
        """
        self._check_frame(frame)
        id = None if id is None else _as_id(id)
        if id in self._targets:
            raise TrackingError(f"target {id!r} is followed already: remove it first, or choose another id")
        box_xywh = check_box_xywh(box, frame_width=frame.shape[1], frame_height=frame.shape[0])
        window = self._window(box_xywh)
        (reference,) = self._network.remember(
            self._looking.encode([frame], [window]), [0], window.to_crop(box_xywh)[None].astype(np.float32)
        )
        memory = ReferenceMemory.begin(
            reference, capacity=self.settings.memory_capacity, ensemble_size=self.settings.ensemble_size
        )
        target = Target(box_xywh, memory, self._following.begin(box_xywh, memory.appearance))
        target_id, next_id = self._number() if id is None else (id, self._next_id)
        presence = None if self.settings.presence == "off" else 1.0
        result = TrackResult(
            to_box(box_xywh), 1.0, self._frame_index, remembered=True, id=target_id, presence=presence
        )
        # At once, and to copies: another thread may be saving the state, or a signal interrupt this one.
        targets, latest = {**self._targets, target_id: target}, {**self.latest, target_id: result}
        self._targets, self.latest, self._frame_shape, self._next_id = targets, latest, frame.shape, next_id
        return target_id

    @one_at_a_time
    def remove(self, id: TargetId) -> None:
        """Let a target go, and its references, but for those that a runtime keeps of its last batch.

        Raises:
            TrackingError: no target of that id is followed.
        """
        id = _as_id(id)
        if id not in self._targets:
            known = ", ".join(repr(known) for known in self._targets) or "none"
            raise TrackingError(f"no target {id!r} is followed; those that are: {known}")
        self._targets, self.latest = _without(self._targets, id), _without(self.latest, id)

    @one_at_a_time
    def update(self, frame: Image) -> dict[TargetId, TrackResult]:
        """Find every target in the next frame.

        A call that fails or is interrupted changes nothing: the same frame can be given again.

        Args:
            frame: `(H, W, 3)` uint8, of the size of those before.

        Returns:
            A result for each id, in the order in which targets were added; empty without targets.

        Raises:
            FrameError: the frame's type, shape or size is not that of the first one.
            TrackingError: another thread is in the midst of a call.
        """
        return self._follow([frame])[0]

    @one_at_a_time
    def update_ahead(self, frames: Sequence[Image]) -> list[dict[TargetId, TrackResult]]:
        """Find every target in the next frame, and in as many of those after it as can be looked at with it.

        In films, whose next frames are at hand, that is faster than `update` for few targets. All frames are
        searched where the targets were found last, by the references of that moment, as one batch. What comes
        of it holds up to the first frame of which other regions should have been searched by then: apart by
        more than the share `max_shift_ahead` of their side, or more than one for a target. The frames from
        there on are to be given again.

        A call that fails or is interrupted changes nothing.

        Args:
            frames: at least one of `(H, W, 3)` uint8; of more than fit into a batch, the rest is left alone.

        Returns:
            A result for each id, frame by frame: for the first one, and perhaps for some after it.

        Raises:
            FrameError: there is no frame, or the first one's type, shape or size is not that of those before.
            TrackingError: another thread is in the midst of a call.

        Example:
            >>> while frames:  # doctest: +SKIP
            ...     results = tracker.update_ahead(frames[:4])
            ...     frames = frames[len(results) :]
        """
        if isinstance(frames, np.ndarray) and frames.ndim < 4:
            raise FrameError(f"several frames are asked for; got an array of shape {frames.shape}: [frame]")
        if not len(frames):
            raise FrameError("there is no frame to look at: give at least one")
        return self._follow(frames)

    def _follow(self, frames: Sequence[Image]) -> list[dict[TargetId, TrackResult]]:
        """Find every target in at least the first frame."""
        self._check_frame(frames[0])
        shape = frames[0].shape
        # Everything happens to copies, which take the targets' place at the very end.
        targets = _copies(self._targets)
        looks = self._choose_looks(targets, shape)
        together = _alike(frames) if len(looks) == len(targets) else [frames[0]]
        glimpses = self._looking.glimpse(together, looks)
        frame_index = self._frame_index + 1 if self._frame_shape else 0
        found: list[dict[TargetId, TrackResult]] = []
        to_remember: list[Sight] = []
        for seen in glimpses:
            # Of copies: what is chosen here is not looked at, and a search must not go on by it.
            if found and not self._are_near(self._choose_looks(_copies(targets), shape), looks):
                break
            sights = [sight for glimpse in seen for sight in self._looking.weigh(glimpse)]
            latest = {
                id: self._judge(list(group), frame_index + len(found))
                for id, group in groupby(sights, key=lambda sight: sight.id)
            }
            # Where a target was looked for in several places, only the first, on its path, can be remembered.
            first: dict[TargetId, Sight] = {}
            for sight in sights:
                first.setdefault(sight.id, sight)
            to_remember += [sight for id, sight in first.items() if latest[id].remembered]
            found.append(latest)
        self._looking.remember(to_remember)
        # At once: another thread may be saving the state.
        after = targets, found[-1], shape, frame_index + len(found) - 1
        self._targets, self.latest, self._frame_shape, self._frame_index = after
        return [dict(latest) for latest in found]

    def _choose_looks(self, targets: Mapping[TargetId, Target], frame_shape: Sequence[int]) -> Looks:
        return [
            (id, target, look)
            for id, target in targets.items()
            for look in self._following.look_for(target, frame_shape)
        ]

    def _are_near(self, wanted: Looks, looked: Looks) -> bool:
        """Whether regions that had been looked at do for those that are now to be looked at, one a target."""
        share = self.settings.max_shift_ahead
        return len(wanted) == len(looked) and all(
            ours.window.is_near(theirs.window, share)
            for (_, _, ours), (_, _, theirs) in zip(wanted, looked, strict=True)
        )

    def state(self) -> TrackerState:
        """All that is known between two frames, without the network: plain arrays, to be pickled.

        Raises:
            TrackingError: the network's runtime cannot save its references.
        """
        network = check_saving(self._network)
        # At once: another thread may be in the midst of a call, none of which changes anything in place.
        targets, latest, frame_shape, frame_index, next_id = (
            self._targets,
            self.latest,
            self._frame_shape,
            self._frame_index,
            self._next_id,
        )
        return TrackerState(
            self.settings,
            self._color,
            frame_shape,
            frame_index,
            next_id,
            probe_network(network),
            {id: save_target(target, latest[id], network) for id, target in targets.items()},
            self._following.fingerprint,
        )

    @one_at_a_time
    def resume(self, state: TrackerState) -> Self:
        """Go on from a saved state, as if there had been no break; what was followed before is let go.

        Args:
            state: of a tracker with the same weights and settings, on whatever device.

        Returns:
            The tracker itself.

        Raises:
            TrackingError: it is no state, or comes from other weights or settings, or the network's runtime
                cannot save references.
        """
        check_state(state)
        network = check_saving(self._network)
        state.check(self.settings, self._color, probe_network(network), self._following.fingerprint)
        saved = state.targets.items()
        targets = {id: restore_target(target, self.settings, network) for id, target in saved}
        latest = {id: target.latest for id, target in saved}
        self._targets, self.latest, self._next_id = targets, latest, state.next_id
        self._frame_shape, self._frame_index = state.frame_shape, state.frame_index
        return self

    @one_at_a_time
    def close(self) -> None:
        """Let all targets go, as `remove` does; also at the end of a `with`.

        Raises:
            TrackingError: another thread is in the midst of a call.
        """
        self._targets, self.latest = {}, {}

    def __reduce__(self) -> NoReturn:
        # Some runtimes' networks cannot be pickled; with the others it would seem to work, at their size.
        raise TrackingError("a tracker is not pickled or copied: pickle its state() and resume() there")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _judge(self, sights: Sequence[Sight], frame_index: int) -> TrackResult:
        target = sights[0].target
        verdict = self._following.judge(target, [sight.finding for sight in sights])
        target.box_xywh = verdict.box_xywh
        return TrackResult(
            to_box(verdict.box_xywh),
            verdict.score,
            frame_index,
            verdict.remember,
            sights[0].id,
            verdict.presence,
            verdict.state,
        )

    def _number(self) -> tuple[int, int]:
        """The next free number, and where to look for the one after it."""
        free = next(number for number in count(self._next_id) if number not in self._targets)
        return free, free + 1

    def _check_frame(self, frame: Image) -> None:
        check_frame(frame)
        if self._targets and frame.shape != self._frame_shape:
            raise FrameError(
                f"tracking started on {self._frame_shape[1]} x {self._frame_shape[0]} frames; this one is "
                f"{frame.shape[1]} x {frame.shape[0]}: resize it, or let all targets go and mark them anew"
            )

    def _window(self, box_xywh: FloatArray) -> CropWindow:
        return crop_window(box_xywh, self.settings.search_factor, self._network.crop_size)


def _copies(targets: Mapping[TargetId, Target]) -> dict[TargetId, Target]:
    return {id: target.copy() for id, target in targets.items()}


def _alike(frames: Sequence[Image]) -> Sequence[Image]:
    """Those up to the first that is not of the first one's kind: its error is to come when its turn does."""
    first = frames[0]
    return list(
        takewhile(
            lambda frame: (
                isinstance(frame, np.ndarray) and (frame.dtype, frame.shape) == (first.dtype, first.shape)
            ),
            frames,
        )
    )


def _without(entries: dict[TargetId, _Result], id: TargetId) -> dict[TargetId, _Result]:
    return {other: entry for other, entry in entries.items() if other != id}


def _as_id(id: Any) -> TargetId:
    """An id as it is kept; NumPy's numbers become Python's."""
    if isinstance(id, str) and id:
        return id
    # True is a whole number to Python, the same one as 1.
    if isinstance(id, Integral) and not isinstance(id, bool):
        return int(id)
    raise TrackingError(f"a target's id is a whole number or a name; got {id!r}")
