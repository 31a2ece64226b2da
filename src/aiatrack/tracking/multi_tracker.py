"""Follow targets from frame to frame, one pass of the network for all (paper, section 3.4)."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from aiatrack.boxes import check_box_xywh
from aiatrack.config import TrackingSettings
from aiatrack.crop import Color, CropWindow, Image, check_frame, clip_to_frame, crop_window, cut_regions
from aiatrack.errors import FrameError, SettingsError, TrackingError
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.network import CroppingNetwork, LocatedTargets, Network
from aiatrack.tracking.target import Target, TargetId, TrackResult, to_box


class MultiTracker:
    """Follows any number of targets in one film, with a network that is handed in.

    `add` marks a target, at any frame; `update` then gives a result for every target in every later frame;
    `remove` lets one go. Targets do not influence one another.

    Args:
        network: anything with the three verbs; see `aiatrack.tracking.Network`.
        settings: how to track; the defaults are the paper's.
        color: channel order of the frames: "rgb", or "bgr" as OpenCV reads them.

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
        self, network: Network, settings: TrackingSettings | None = None, *, color: Color = "rgb"
    ) -> None:
        if color not in get_args(Color):
            raise SettingsError(f"color is 'rgb', or 'bgr' as OpenCV reads frames; got {color!r}")
        self.settings = settings or TrackingSettings()
        self.latest: dict[TargetId, TrackResult] = {}
        self._network = network
        self._color = color
        self._targets: dict[TargetId, Target] = {}
        self._frame_shape: tuple[int, ...] = ()
        self._frame_index = 0
        self._next_id = 1

    @property
    def ids(self) -> list[TargetId]:
        """Of the targets that are followed, in the order in which they were added."""
        return list(self._targets)

    def add(
        self,
        frame: Image,
        box: Sequence[float] | npt.NDArray[np.floating[Any]],
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
            TrackingError: a target of that id is followed already.
        """
        self._check_frame(frame)
        if id in self._targets:
            raise TrackingError(f"target {id!r} is followed already: remove it first, or choose another id")
        box_xywh = check_box_xywh(box, frame_width=frame.shape[1], frame_height=frame.shape[0])
        window = self._window(box_xywh)
        (reference,) = self._network.remember(
            self._encode(frame, [window]), [0], window.to_crop(box_xywh)[None].astype(np.float32)
        )
        memory = ReferenceMemory(
            reference, capacity=self.settings.memory_capacity, ensemble_size=self.settings.ensemble_size
        )
        target_id = self._free_id() if id is None else id
        self._frame_shape = frame.shape
        self._targets[target_id] = Target(box_xywh, memory)
        self.latest[target_id] = TrackResult(
            to_box(box_xywh), 1.0, self._frame_index, remembered=True, id=target_id
        )
        return target_id

    def remove(self, id: TargetId) -> None:
        """Let a target go, and all that was kept of it.

        Raises:
            TrackingError: no target of that id is followed.
        """
        if id not in self._targets:
            known = ", ".join(repr(known) for known in self._targets) or "none"
            raise TrackingError(f"no target {id!r} is followed; those that are: {known}")
        del self._targets[id], self.latest[id]

    def update(self, frame: Image) -> dict[TargetId, TrackResult]:
        """Find every target in the next frame.

        Args:
            frame: `(H, W, 3)` uint8, of the size of those before.

        Returns:
            A result for each id, in the order in which targets were added; empty without targets.

        Raises:
            FrameError: the frame's type, shape or size is not that of the first one.
        """
        self._check_frame(frame)
        self._frame_shape = frame.shape
        self._frame_index += 1
        found: dict[TargetId, TrackResult] = {}
        for ids in self._batches():
            found.update((result.id, result) for result in self._follow(frame, ids))
        self.latest = found
        return dict(found)

    def _follow(self, frame: Image, ids: Sequence[TargetId]) -> list[TrackResult]:
        targets = [self._targets[id] for id in ids]
        windows = [self._window(target.box_xywh) for target in targets]
        search = self._encode(frame, windows)
        located = self._network.locate(search, [target.memory.references for target in targets])
        remembered = located.scores > self.settings.min_score_to_remember
        self._remember(search, targets, located, np.flatnonzero(remembered).tolist())
        results = []
        for row, (id, target, window) in enumerate(zip(ids, targets, windows, strict=True)):
            target.box_xywh = clip_to_frame(
                window.to_frame(located.boxes_xywh[row].astype(np.float64)),
                frame_width=frame.shape[1],
                frame_height=frame.shape[0],
                margin_px=self.settings.clip_margin_px,
            )
            box, score = to_box(target.box_xywh), float(located.scores[row])
            results.append(TrackResult(box, score, self._frame_index, bool(remembered[row]), id))
        return results

    def _remember(
        self, search: Any, targets: Sequence[Target], located: LocatedTargets, rows: list[int]
    ) -> None:
        if rows:
            references = self._network.remember(search, rows, located.boxes_xywh[rows])
            for row, reference in zip(rows, references, strict=True):
                targets[row].memory.add(reference)

    def _batches(self) -> Iterator[list[TargetId]]:
        """Ids in groups that go through the network together."""
        ids, size = self.ids, self.settings.batch_size
        return (ids[start : start + size] for start in range(0, len(ids), size))

    def _free_id(self) -> int:
        while self._next_id in self._targets:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def _check_frame(self, frame: Image) -> None:
        check_frame(frame)
        if self._targets and frame.shape != self._frame_shape:
            raise FrameError(
                f"tracking started on {self._frame_shape[1]} x {self._frame_shape[0]} frames; this one is "
                f"{frame.shape[1]} x {frame.shape[0]}: resize it, or start() again"
            )

    def _window(self, box_xywh: npt.NDArray[np.floating[Any]]) -> CropWindow:
        return crop_window(box_xywh, self.settings.search_factor, self._network.crop_size)

    def _encode(self, frame: Image, windows: Sequence[CropWindow]) -> Any:
        if isinstance(self._network, CroppingNetwork):
            return self._network.encode_regions(frame, windows, self._color)
        return self._network.encode(*cut_regions(frame, windows, self._color))
