"""CVAT's XML for video, version 1.1: a track a target, `outside` where it is lost."""

from array import array
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from aiatrack.video.box_formats.documents import Recording, label_of, printable
from aiatrack.video.box_writer import BoxRow, TargetId

_CELLS = 6


def compose_cvat(recording: Recording) -> Iterator[str]:
    """Make the document; see `Compose`.

    Every box is a key frame. A track ends with a box that is outside wherever the film goes on without it, as
    CVAT otherwise takes it to stay where it was.
    """
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield from _meta(recording)
    for target_id, track in _collect_tracks(recording).items():
        number, label = recording.numbers[target_id], quoteattr(label_of(target_id))
        yield f'  <track id="{number}" label={label} source="auto">\n'
        yield from map(_box, *[iter(track)] * _CELLS)
        yield "  </track>\n"
    yield "</annotations>\n"


def _meta(recording: Recording) -> Iterator[str]:
    film = recording.film
    labels = dict.fromkeys(label_of(target_id) for target_id in recording.ids)
    yield "  <meta>\n    <task>\n"
    yield f"      <name>{escape(printable(film.name))}</name>\n"
    yield f"      <size>{recording.frame_count}</size>\n      <mode>interpolation</mode>\n"
    if recording.frame_count:
        yield f"      <start_frame>{recording.first_frame}</start_frame>\n"
        yield f"      <stop_frame>{recording.last_frame}</stop_frame>\n"
    yield "      <labels>\n"
    for label in labels:
        yield f"        <label><name>{escape(label)}</name><attributes></attributes></label>\n"
    yield "      </labels>\n      <original_size>\n"
    yield f"        <width>{film.width}</width>\n        <height>{film.height}</height>\n"
    yield "      </original_size>\n    </task>\n  </meta>\n"


def _collect_tracks(recording: Recording) -> "dict[TargetId, array[float]]":
    """The boxes of each track, as flat numbers, six a box: frame, outside, x, y, width, height.

    Flat, as an hour of twenty targets has two million boxes.
    """
    tracks = {target_id: array("d") for target_id in recording.ids}
    inside: dict[TargetId, BoxRow] = {}
    for shown in recording.frames():
        seen = {row.id: row for row in shown.rows if not row.is_absent}
        # Once outside is enough, and before a target was seen there is nothing to put outside.
        for target_id in inside.keys() - seen.keys():
            tracks[target_id].extend((shown.frame, 1, *inside.pop(target_id).box_xywh))
        for target_id, row in seen.items():
            tracks[target_id].extend((shown.frame, 0, *row.box_xywh))
        inside |= seen
    return tracks


def _box(*cells: float) -> str:
    frame, outside, x, y, width, height = cells
    sides = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
    edges = " ".join(f'{side}="{value:.4f}"' for side, value in sides.items())
    flags = f'frame="{int(frame)}" keyframe="1" outside="{int(outside)}" occluded="0"'
    return f'    <box {flags} {edges} z_order="0"></box>\n'
