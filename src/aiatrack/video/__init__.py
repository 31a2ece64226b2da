"""Frames in (film, folder, camera, stream, iterable), frames and boxes out. Knows nothing of tracking.

Times are seconds from the start of the source, boxes are `xywh` in pixels of the frame as delivered, that is
upright: rotation marks of films and photos are applied.
"""

from aiatrack.video.box_output import BoxFormat, check_box_output, finish_box_document, open_box_writer
from aiatrack.video.box_reader import read_boxes_txt
from aiatrack.video.box_writer import BoxRow, BoxWriter, FilmFacts
from aiatrack.video.film_writer import FilmWriter, film_rate, open_film
from aiatrack.video.frames import Frame, FrameSource, VideoWarning
from aiatrack.video.read_ahead import read_ahead
from aiatrack.video.sources import open_frames
from aiatrack.video.upcoming import MOST_AHEAD, Upcoming

__all__ = [
    "MOST_AHEAD",
    "BoxFormat",
    "BoxRow",
    "BoxWriter",
    "FilmFacts",
    "FilmWriter",
    "Frame",
    "FrameSource",
    "Upcoming",
    "VideoWarning",
    "check_box_output",
    "film_rate",
    "finish_box_document",
    "open_box_writer",
    "open_film",
    "open_frames",
    "read_ahead",
    "read_boxes_txt",
]
