"""Readers of annotations, one layout each; every one returns `Annotations`."""

from aiatrack.data.readers.coco import read_coco
from aiatrack.data.readers.json_lines import read_json_lines
from aiatrack.data.readers.mot_challenge import read_mot_challenge
from aiatrack.data.readers.sequences import read_got10k, read_lasot, read_trackingnet
from aiatrack.data.readers.yolo import read_yolo

__all__ = [
    "read_coco",
    "read_got10k",
    "read_json_lines",
    "read_lasot",
    "read_mot_challenge",
    "read_trackingnet",
    "read_yolo",
]
