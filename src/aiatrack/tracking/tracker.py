"""Follow a target from frame to frame (paper, section 3.4; docs/method.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from aiatrack.boxes import check_box_xywh
from aiatrack.config import TrackingSettings
from aiatrack.crop import Crop, Image, check_frame, clip_to_frame, crop_region
from aiatrack.errors import FrameError, SettingsError, TrackingError
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.network import Network

Color = Literal["rgb", "bgr"]


@dataclass(frozen=True, slots=True)
class TrackResult:
    """Where the target is in one frame.

    Attributes:
        box_xywh: left, top, width, height in pixels of the frame, origin at the top left.
        score: raw IoU-head output in about [-1, 1]; 1 for the box that was given.
        frame_index: 0 for the frame that `start` was given, then 1, 2, ...
        remembered: whether this frame became a reference.
    """

    box_xywh: tuple[float, float, float, float]
    score: float
    frame_index: int
    remembered: bool

    @property
    def predicted_iou(self) -> float:
        """The score as an overlap with the true box, in [0, 1]."""
        return min(max((self.score + 1) / 2, 0.0), 1.0)


@dataclass(slots=True)
class Target:
    """State of one followed target.

    Attributes:
        box_xywh: `(4,)` last box, px of the frame, clipped to it.
        memory: its references.
        frame_index: of the last frame seen.
    """

    box_xywh: npt.NDArray[np.floating[Any]]
    memory: ReferenceMemory
    frame_index: int = 0


class Tracker:
    """Follows one target with a network that is handed in.

    Call `start` with a frame and a box, then `update` with every later frame. `start` may be called again,
    for another target or film.

    Args:
        network: anything with the three verbs; see `aiatrack.tracking.Network`.
        settings: how to track; the defaults are the paper's.
        color: channel order of the frames: "rgb", or "bgr" as OpenCV reads them.

    Raises:
        SettingsError: another channel order.
    """

    def __init__(
        self, network: Network, settings: TrackingSettings | None = None, *, color: Color = "rgb"
    ) -> None:
        if color not in get_args(Color):
            raise SettingsError(f"color is 'rgb', or 'bgr' as OpenCV reads frames; got {color!r}")
        self.settings = settings or TrackingSettings()
        self._network = network
        self._color = color
        self._target: Target | None = None
        self._frame_shape: tuple[int, ...] = ()

    def start(self, frame: Image, box: Sequence[float] | npt.NDArray[np.floating[Any]]) -> TrackResult:
        """Begin to follow what is inside a box.

        Args:
            frame: `(H, W, 3)` uint8.
            box: left, top, width, height in pixels of the frame.

        Returns:
            The box as given, as frame 0 with score 1.

        Raises:
            FrameError: the frame is not `(H, W, 3)` uint8.
            BoxError: the box is not four finite numbers, has no area, or lies outside the frame.
        """
        check_frame(frame)
        box_xywh = check_box_xywh(box, frame_width=frame.shape[1], frame_height=frame.shape[0])
        crop = self._crop(frame, box_xywh)
        reference = self._network.remember(self._encode(crop), _batch_of_one(crop.window.to_crop(box_xywh)))
        memory = ReferenceMemory(
            reference, capacity=self.settings.memory_capacity, ensemble_size=self.settings.ensemble_size
        )
        self._target = Target(box_xywh, memory)
        self._frame_shape = frame.shape
        return _result(box_xywh, score=1.0, frame_index=0, remembered=True)

    def update(self, frame: Image) -> TrackResult:
        """Find the target in the next frame.

        Args:
            frame: `(H, W, 3)` uint8, of the size that `start` was given.

        Raises:
            TrackingError: `start` has not been called.
            FrameError: the frame's type, shape or size is not that of the first one.
        """
        target = self._started_target(frame)
        crop = self._crop(frame, target.box_xywh)
        search = self._encode(crop)
        located = self._network.locate(
            search,
            target.memory.long_term,
            target.memory.ensemble,
            np.array([target.memory.multiplicity], np.float32),
        )
        box_in_crop, score = located.boxes_xywh[0], float(located.scores[0])
        remembered = score > self.settings.min_score_to_remember
        if remembered:
            target.memory.add(self._network.remember(search, box_in_crop[None]))
        target.box_xywh = clip_to_frame(
            crop.window.to_frame(box_in_crop.astype(np.float64)),
            frame_width=frame.shape[1],
            frame_height=frame.shape[0],
            margin_px=self.settings.clip_margin_px,
        )
        target.frame_index += 1
        return _result(target.box_xywh, score=score, frame_index=target.frame_index, remembered=remembered)

    def _started_target(self, frame: Image) -> Target:
        if self._target is None:
            raise TrackingError("update() was called before start(frame, box): mark the target first")
        check_frame(frame)
        if frame.shape != self._frame_shape:
            raise FrameError(
                f"tracking started on {self._frame_shape[1]} x {self._frame_shape[0]} frames; this one is "
                f"{frame.shape[1]} x {frame.shape[0]}: resize it, or start() again"
            )
        return self._target

    def _crop(self, frame: Image, box_xywh: npt.NDArray[np.floating[Any]]) -> Crop:
        return crop_region(frame, box_xywh, self.settings.search_factor, self._network.crop_size)

    def _encode(self, crop: Crop) -> Any:
        image = crop.image if self._color == "rgb" else crop.image[..., ::-1]
        return self._network.encode(np.ascontiguousarray(image[None]), crop.padding[None])


def _batch_of_one(box: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    return box[None].astype(np.float32)


def _result(
    box_xywh: npt.NDArray[np.floating[Any]], *, score: float, frame_index: int, remembered: bool
) -> TrackResult:
    x, y, width, height = (float(value) for value in box_xywh)
    return TrackResult((x, y, width, height), score, frame_index, remembered)
