"""CVAT's XML for video, version 1.1: a track a target, `outside` where it is lost."""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from aiatrack.video.box_formats.documents import Recording, label_of, printable
from aiatrack.video.box_writer import BoxRow, TargetId


def compose_cvat(recording: Recording) -> Iterator[str]:
    """Make the document; see `Compose`.

    Every box is a key frame. A track ends with a box that is outside wherever the film goes on without it, as
    CVAT otherwise takes it to stay where it was.
    """
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield from _meta(recording)
    for target_id in recording.ids:
        yield from _track(recording, target_id)
    yield "</annotations>\n"


def _meta(recording: Recording) -> Iterator[str]:
    film, frames = recording.film, recording.frames
    labels = dict.fromkeys(label_of(target_id) for target_id in recording.ids)
    yield "  <meta>\n    <task>\n"
    yield f"      <name>{escape(printable(film.name))}</name>\n"
    yield f"      <size>{len(frames)}</size>\n      <mode>interpolation</mode>\n"
    if frames:
        yield f"      <start_frame>{frames[0].frame}</start_frame>\n"
        yield f"      <stop_frame>{frames[-1].frame}</stop_frame>\n"
    yield "      <labels>\n"
    for label in labels:
        yield f"        <label><name>{escape(label)}</name><attributes></attributes></label>\n"
    yield "      </labels>\n      <original_size>\n"
    yield f"        <width>{film.width}</width>\n        <height>{film.height}</height>\n"
    yield "      </original_size>\n    </task>\n  </meta>\n"


def _track(recording: Recording, target_id: TargetId) -> Iterator[str]:
    number, label = recording.numbers[target_id], quoteattr(label_of(target_id))
    yield f'  <track id="{number}" label={label} source="auto">\n'
    last: BoxRow | None = None
    outside = True
    for shown in recording.frames:
        row = next((row for row in shown.rows if row.id == target_id), None)
        absent = row is None or row.is_absent
        if row is not None and not absent:
            last = row
        # Before the target was seen there is nothing to put outside; afterwards, once is enough.
        if last is not None and not (absent and outside):
            yield _box(shown.frame, last, outside=absent)
        outside = absent
    yield "  </track>\n"


def _box(frame: int, row: BoxRow, *, outside: bool) -> str:
    x, y, width, height = row.box_xywh
    sides = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
    edges = " ".join(f'{side}="{value:.4f}"' for side, value in sides.items())
    flags = f'frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0"'
    return f'    <box {flags} {edges} z_order="0"></box>\n'
