"""CVAT's XML for video, version 1.1: a track a target, `outside` where it is lost."""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from aiatrack.video.box_formats.documents import Recording, label_of, printable
from aiatrack.video.box_formats.tracks import TrackBox, collect_tracks


def compose_cvat(recording: Recording) -> Iterator[str]:
    """Make the document; see `Compose`.

    Every box is a key frame. A track ends with a box that is outside wherever the film goes on without it, as
    CVAT otherwise takes it to stay where it was.
    """
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
    yield from _meta(recording)
    for target_id, track in collect_tracks(recording).items():
        number, label = recording.numbers[target_id], quoteattr(label_of(target_id))
        yield f'  <track id="{number}" label={label} source="auto">\n'
        yield from map(_box, track)
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


def _box(box: TrackBox) -> str:
    sides = {"xtl": box.x, "ytl": box.y, "xbr": box.x + box.width, "ybr": box.y + box.height}
    edges = " ".join(f'{side}="{value:.4f}"' for side, value in sides.items())
    flags = f'frame="{int(box.frame)}" keyframe="1" outside="{int(box.outside)}" occluded="0"'
    return f'    <box {flags} {edges} z_order="0"></box>\n'
