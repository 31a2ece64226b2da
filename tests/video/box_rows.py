"""Six frames of three targets, some lost, for tests of files of boxes."""

from pathlib import Path

from aiatrack.video import BoxRow, BoxWriter, FilmFacts, open_box_writer

FILM = FilmFacts("street & <co>.mp4", 640, 480, 25.0)
CAR, DOG, THIRD = "car-2", "dog", 7
DOCUMENTS = ["boxes.cvat.xml", "boxes.coco.json", "boxes.labelstudio.json"]


def row(frame: int, id: int | str, left: float, *, presence: float | None = 0.9, state: str = "tracked"):
    return BoxRow(frame, frame / 25, (left, 20.5, 30.0, 40.0), 0.5, id, presence, state)


FRAMES = [
    [row(4, CAR, 1, presence=None), row(4, THIRD, 10)],
    [row(5, CAR, 2, presence=0.4, state="uncertain"), row(5, THIRD, 11)],
    [row(6, CAR, 2, presence=0.1, state="lost"), row(6, DOG, 100)],
    [row(7, CAR, 2, presence=0.05, state="lost"), row(7, DOG, 101)],
    [row(8, CAR, 5, presence=0.8, state="recovered"), row(8, DOG, 102)],
    [],
]
"""Source frames 4 to 9: the car is lost in 6 and 7, target 7 goes after 5, the dog comes in 6."""


def fill(writer: BoxWriter) -> None:
    for index, rows in enumerate(FRAMES, start=4):
        writer.write_frame(index, index / 25, rows)


def write(path: Path, **options: object) -> Path:
    with open_box_writer(path, film=FILM, ids=[CAR, DOG, THIRD], **options) as writer:
        fill(writer)
    return path
