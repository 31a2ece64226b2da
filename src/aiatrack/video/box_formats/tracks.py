"""Boxes by target rather than by frame, for documents that are written so."""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from aiatrack.video.box_formats.documents import FrameRows, Recording
from aiatrack.video.box_writer import BoxRow, TargetId


class TrackBox(NamedTuple):
    """One box of a track, or the place where it ends for a while.

    Attributes:
        frame: index of the frame in its source, from 0.
        time_s: presentation time of the frame in seconds.
        outside: 1 in the first frame without the target, with the box that it had last; else 0.
        x: left, px.
        y: top, px.
        width: px.
        height: px.
    """

    frame: float
    time_s: float
    outside: float
    x: float
    y: float
    width: float
    height: float


class Track:
    """The boxes of one target in order; as flat numbers, as an hour of twenty targets has two million."""

    def __init__(self) -> None:
        self._cells: array[float] = array("d")

    def append(self, shown: FrameRows, row: BoxRow, *, outside: bool) -> None:
        """Add the box of `row`, which may be of an earlier frame, as of the frame that is shown."""
        self._cells.extend((shown.frame, shown.time_s, outside, *row.box_xywh))

    def __iter__(self) -> Iterator[TrackBox]:
        cells = iter(self._cells)
        return map(TrackBox, *[cells] * len(TrackBox._fields))


def collect_tracks(recording: Recording) -> dict[TargetId, Track]:
    """Sort the boxes of a recording by target.

    A target that is lost, or let go, has a box that is outside in the first frame without it, and none in
    those after; so has one that is followed to the end where the film goes on. Before it was first seen it
    has none at all.
    """
    tracks = {target_id: Track() for target_id in recording.ids}
    inside: dict[TargetId, BoxRow] = {}
    for shown in recording.frames():
        seen = {row.id: row for row in shown.rows if not row.is_absent}
        for target_id in inside.keys() - seen.keys():
            tracks[target_id].append(shown, inside.pop(target_id), outside=True)
        for target_id, row in seen.items():
            tracks[target_id].append(shown, row, outside=False)
        inside |= seen
    if recording.film_goes_on and recording.last_frame is not None and recording.last_time_s is not None:
        after = FrameRows(recording.last_frame + 1, recording.last_time_s, ())
        for target_id, row in inside.items():
            tracks[target_id].append(after, row, outside=True)
    return tracks
