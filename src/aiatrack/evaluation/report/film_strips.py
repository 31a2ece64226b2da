"""A few frames of a sequence side by side, with the annotation and every tracker's box."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.evaluation.annotation import FloatArray
from aiatrack.evaluation.entry import Entry
from aiatrack.evaluation.report.charts import colour_of
from aiatrack.image_files import read_upright

Picture = npt.NDArray[np.uint8]

FRAMES = 6
"""Frames in a strip."""
_WIDTH = 240
_TRUTH_BGR = (255, 255, 255)


def build_film_strip(entries: Sequence[Entry], sequence: str, frames: int = FRAMES) -> str | None:
    """Draw a sequence as a data URI of a JPEG picture.

    Args:
        entries: trackers on one benchmark, in the order of their colours.
        sequence: a name of the benchmark.
        frames: how many, spread over the sequence.

    Returns:
        `data:image/jpeg;base64,...`; None where frames are missing or cannot be read.
    """
    found = next((s for s in entries[0].benchmark.sequences if s.name == sequence), None)
    truth = entries[0].annotations[sequence].boxes_xywh
    if found is None or len(found.frame_paths) != len(truth):
        return None
    chosen = np.unique(np.linspace(0, len(truth) - 1, frames).round().astype(int)).tolist()
    pictures = []
    for index in chosen:
        boxes = [
            entry.results.boxes[sequence][index] if sequence in entry.results.boxes else None
            for entry in entries
        ]
        picture = _draw_frame(found.frame_paths[index], truth[index], boxes, index)
        if picture is None:
            return None
        pictures.append(picture)
    height = max(len(picture) for picture in pictures)
    padded = [np.pad(p, ((0, height - len(p)), (0, 4), (0, 0)), constant_values=255) for p in pictures]
    done, content = cv2.imencode(".jpg", np.concatenate(padded, axis=1), [cv2.IMWRITE_JPEG_QUALITY, 82])
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}" if done else None


def _draw_frame(
    path: Path, truth: FloatArray, boxes: Sequence[FloatArray | None], index: int
) -> Picture | None:
    image = read_upright(path)
    if image is None:
        return None
    scale = _WIDTH / image.shape[1]
    size = (_WIDTH, max(1, round(image.shape[0] * scale)))
    small_rgb = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    picture = cv2.cvtColor(small_rgb, cv2.COLOR_RGB2BGR).astype(np.uint8)
    _draw_box(picture, truth * scale, _TRUTH_BGR, thickness=3)
    for place, box in enumerate(boxes):
        if box is not None:
            _draw_box(picture, box * scale, _bgr(colour_of(place)), thickness=2)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(
            picture, str(index), (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA
        )
    return picture


def _draw_box(picture: Picture, box: FloatArray, colour_bgr: tuple[int, int, int], *, thickness: int) -> None:
    if not np.isfinite(box).all():
        return
    limit = 4 * _WIDTH  # far outside the picture; OpenCV's drawing overflows with coordinates that are huge
    left, top, right, bottom = (
        np.concatenate((box[:2], box[:2] + box[2:])).clip(-limit, limit).round().astype(int)
    )
    cv2.rectangle(
        picture, (int(left), int(top)), (int(right), int(bottom)), colour_bgr, thickness, cv2.LINE_AA
    )


def _bgr(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return blue, green, red
