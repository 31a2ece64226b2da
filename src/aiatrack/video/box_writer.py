"""What every file of boxes shares: the row, the film it belongs to, and the writer that takes them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from aiatrack.errors import BoxError

TargetId = int | str

LOST = "lost"
"""State of a target that is not to be seen; its box is held."""


@dataclass(frozen=True, slots=True)
class BoxRow:
    """One target in one frame.

    Attributes:
        frame: index of the frame in its source, from 0.
        time_s: presentation time in seconds.
        box_xywh: left, top, width, height in pixels of the frame, origin 0 at its top left corner; NaN where
            the target has no box. The box of a lost target is the last one that was believed.
        score: the network's own figure, in about [-1, 1], or None where there is none.
        id: of the target, a number or a name.
        presence: probability in [0, 1] that the target is there; None where nobody judged it.
        state: `tracked`, `uncertain`, `lost` or `recovered`.

    Raises:
        BoxError: a side of the box is infinite.
    """

    frame: int
    time_s: float
    box_xywh: tuple[float, float, float, float]
    score: float | None
    id: TargetId = 1
    presence: float | None = None
    state: str = "tracked"

    def __post_init__(self) -> None:
        if any(math.isinf(value) for value in self.box_xywh):
            raise BoxError(
                f"frame {self.frame}, target {self.id!r}: a box must be finite or nan, got {self.box_xywh}"
            )

    @property
    def is_absent(self) -> bool:
        """Whether formats that know absence should say that the target is not in this frame."""
        return self.state == LOST or any(math.isnan(value) for value in self.box_xywh)

    @property
    def confidence(self) -> float:
        """The presence; without one, the score as an overlap in [0, 1]; without either, 1."""
        if self.presence is not None and math.isfinite(self.presence):
            return self.presence
        if self.score is None or not math.isfinite(self.score):
            return 1.0
        return min(max((self.score + 1) / 2, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What formats for annotation tools say about the film.

    Attributes:
        name: of the film or folder.
        width: of a frame, px.
        height: of a frame, px.
        frame_rate: frames per second, or None where nobody knows.
        image_names: of the image files, by the index of their frame; empty for a film.
    """

    name: str
    width: int
    height: int
    frame_rate: float | None = None
    image_names: Sequence[str] = ()


class TrackNumbers:
    """Whole numbers from 1 for targets, for formats that know no names.

    A target whose id is such a number keeps it. Names get the lowest free number in the order in which they
    are met.

    Args:
        ids: those that are known beforehand, whose numbers are not given away.
    """

    def __init__(self, ids: Iterable[TargetId] = ()) -> None:
        self._numbers: dict[TargetId, int] = {}
        self._taken: set[int] = set()
        self._lowest_free = 1
        # Numbers first: a name must not take what a later target is called.
        for target_id in sorted(ids, key=lambda target_id: not _is_number(target_id)):
            self[target_id]

    def __getitem__(self, target_id: TargetId) -> int:
        if target_id not in self._numbers:
            keeps = _is_number(target_id) and target_id not in self._taken
            number = int(target_id) if keeps else self._lowest_free
            self._numbers[target_id] = number
            self._taken.add(number)
            while self._lowest_free in self._taken:
                self._lowest_free += 1
        return self._numbers[target_id]


class BoxWriter(ABC):
    """Context manager that takes the boxes of frame after frame; see `open_box_writer`.

    Attributes:
        unfinished: the journal that holds the boxes as long as the document that they are for is not made;
            None for formats without one.
    """

    unfinished: Path | None = None

    @abstractmethod
    def write_frame(self, frame: int, time_s: float, rows: Sequence[BoxRow]) -> None:
        """Write what was found in one frame.

        Args:
            frame: index of the frame in its source, from 0.
            time_s: presentation time in seconds.
            rows: a row for each target that is followed; none where there is no target yet or any more.

        Raises:
            OutputError: the writer is closed, the rows do not fit the format, or the disk is full or gone.
        """

    def film_goes_on(self) -> None:  # noqa: B027 - most formats have nothing to say
        """Say, after the last frame, that the film has more of them, in which nobody looked.

        Where a box would stay until another is given, targets then go with the frame after the last. A `with`
        block that is left by an exception says so by itself.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the file; closing twice is allowed.

        Raises:
            OutputError: the disk is full or gone.
        """

    def write(self, row: BoxRow) -> None:
        """Write a frame with a single target; see `write_frame`."""
        self.write_frame(row.frame, row.time_s, [row])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is not None:
            self.film_goes_on()
        self.close()


def _is_number(target_id: TargetId) -> bool:
    return isinstance(target_id, Integral) and int(target_id) >= 1
