"""Label Studio's JSON: one task, one video rectangle a target, as a prediction to be corrected."""

import json
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any

from aiatrack.video.box_formats.documents import Recording, label_of, printable
from aiatrack.video.box_formats.tracks import Track, TrackBox, collect_tracks
from aiatrack.video.box_writer import FilmFacts
from aiatrack.video.frames import DEFAULT_FRAME_RATE


def compose_label_studio(recording: Recording) -> Iterator[str]:
    """Make the document; see `Compose`.

    Frames count from 1, boxes are percentages of the frame. A time is the frame's own plus one period, as
    Label Studio gives its frame 1 the time of one period, not 0. The last box before a target is lost is not
    `enabled`: the target is not shown after it. Tags are named as in Label Studio's template for tracking: a
    `Video` tag `video`, a `VideoRectangle` tag `box`.
    """
    film = recording.film
    period_s = 1 / (film.frame_rate or float(DEFAULT_FRAME_RATE))
    frame_count = 0 if recording.last_frame is None else recording.last_frame + 1
    duration_s = 0.0 if recording.last_time_s is None else recording.last_time_s + period_s
    length = {"framesCount": frame_count, "duration": round(duration_s, 6)}
    yield f'[{{"data": {{"video": {json.dumps(printable(film.name))}}},\n'
    yield '"predictions": [{"model_version": "aiatrack", "result": ['
    for count, (target_id, track) in enumerate(collect_tracks(recording).items()):
        region = {
            "id": f"target-{recording.numbers[target_id]}",
            "from_name": "box",
            "to_name": "video",
            "type": "videorectangle",
            "original_width": film.width,
            "original_height": film.height,
        }
        value = length | {"labels": [label_of(target_id)]}
        yield ("," if count else "") + "\n"
        # An object that is left open, for the sequence to be written into it box by box.
        yield f'{json.dumps(region)[:-1]}, "value": {json.dumps(value)[:-1]}, "sequence": ['
        yield from _sequence(track, film, period_s)
        yield "]}}"
    yield "]}]}]\n"


def _sequence(track: Track, film: FilmFacts, period_s: float) -> Iterator[str]:
    between = ""
    for box, following in pairwise(chain(track, [None])):
        if box is not None and not box.outside:
            goes_on = following is not None and not following.outside
            yield f"{between}\n{json.dumps(_entry(box, film, period_s, enabled=goes_on))}"
            between = ","


def _entry(box: TrackBox, film: FilmFacts, period_s: float, *, enabled: bool) -> dict[str, Any]:
    return {
        "frame": int(box.frame) + 1,
        "enabled": enabled,
        "rotation": 0,
        "x": round(100 * box.x / film.width, 4),
        "y": round(100 * box.y / film.height, 4),
        "width": round(100 * box.width / film.width, 4),
        "height": round(100 * box.height / film.height, 4),
        "time": round(box.time_s + period_s, 6),
    }
