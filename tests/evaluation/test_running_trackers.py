"""Trackers of all families behind one protocol, named on a command line."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from aiatrack.errors import DataError, MissingExtraError, SettingsError, TrackingError
from aiatrack.evaluation.running import parse_tracker
from aiatrack.evaluation.running.imported_trackers import ImportedFactory, ImportedTracker
from aiatrack.evaluation.running.opencv_trackers import OpenCVFactory, OpenCVSequenceTracker

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("text", "factory", "name"),
    [
        ("opencv:csrt", OpenCVFactory("csrt"), "csrt"),
        ("opencv:nano:models/v3", OpenCVFactory("nano", Path("models/v3")), "nano"),
        ("opencv:vit:C:/vit.onnx", OpenCVFactory("vit", Path("C:/vit.onnx")), "vit"),
        ("python:a.b:C", ImportedFactory("a.b:C"), "C"),
    ],
)
def test_names_of_trackers(text: str, factory: Any, name: str) -> None:
    assert parse_tracker(text) == factory
    assert parse_tracker(text).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("csrt", "opencv:KIND"),
        ("opencv:", "opencv:KIND"),
        ("opencv:boosting", "csrt, kcf, mil, nano, vit"),
        ("opencv:nano", "opencv:nano:FOLDER"),
        ("opencv:mil:model.onnx", "takes no model"),
        ("python:module", "package.module:Class"),
        ("python:os; evil:x", "package.module:Class"),
    ],
)
def test_names_that_are_none(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_tracker(text)


def test_a_tracker_missing_from_this_opencv_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "TrackerCSRT_create", raising=False)
    for use in (OpenCVFactory("csrt").describe, OpenCVFactory("csrt").build):
        with pytest.raises(MissingExtraError, match="opencv-contrib-python-headless"):
            use()


def test_models_of_opencv_trackers_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"backbone.*found 0"):
        OpenCVFactory("nano", tmp_path).build()
    with pytest.raises(DataError, match=r"vit\.onnx"):
        OpenCVFactory("vit", tmp_path / "vit.onnx").describe()


def test_models_are_known_by_their_hash(tmp_path: Path) -> None:
    for part in ("backbone", "head"):
        (tmp_path / f"nanotrack_{part}.onnx").write_bytes(part.encode())
    first = OpenCVFactory("nano", tmp_path).describe()
    assert set(first["weights_sha256"]) == {"nanotrack_backbone.onnx", "nanotrack_head.onnx"}
    (tmp_path / "nanotrack_head.onnx").write_bytes(b"other")
    assert OpenCVFactory("nano", tmp_path).describe() != first


def _film(frames: int = 6) -> list[np.ndarray]:
    """A bright textured square that moves over noise."""
    random = np.random.default_rng(3)
    texture, film = random.integers(120, 255, (30, 30, 3), dtype=np.uint8), []
    for index in range(frames):
        frame = random.integers(0, 60, (100, 120, 3), dtype=np.uint8)
        frame[30 + index : 60 + index, 40 + 2 * index : 70 + 2 * index] = texture
        film.append(frame)
    return film


def _follow(tracker: Any, film: list[np.ndarray]) -> list[Any]:
    tracker.start(film[0], (40, 30, 30, 30))
    return [tracker.update(frame) for frame in film[1:]]


def test_mil_gives_the_same_boxes_whatever_it_did_before() -> None:
    """It draws from C's random numbers, which go on from sequence to sequence unless they are seeded."""
    tracker, film = OpenCVFactory("mil").build(), _film()
    first = _follow(tracker, film)
    assert _follow(tracker, film) == first
    assert _follow(OpenCVFactory("mil").build(), film) == first
    assert first[-1].score is None
    assert abs(first[-1].box_xywh[0] - 50) < 10


class FakeOpenCV:
    """Finds nothing in every second frame."""

    def __init__(self) -> None:
        self.calls = 0

    def init(self, image: np.ndarray, box: tuple[int, ...]) -> None:
        self.first_pixel, self.box = tuple(image[0, 0]), box

    def update(self, image: np.ndarray) -> tuple[bool, tuple[int, ...]]:
        self.calls += 1
        return self.calls % 2 == 1, (self.calls, 0, 5, 5)

    def getTrackingScore(self) -> float:
        return 0.25


def test_opencv_gets_whole_pixels_and_bgr_and_failures_keep_the_last_box() -> None:
    fake = FakeOpenCV()
    tracker = OpenCVSequenceTracker(lambda: fake, scored=True)
    frame = np.zeros((20, 20, 3), np.uint8)
    frame[0, 0] = (1, 2, 3)
    tracker.start(frame, (1.6, 2.4, 0.2, 5.0))
    assert fake.box == (2, 2, 1, 5)
    assert fake.first_pixel == (3, 2, 1)
    assert [tracker.update(frame).box_xywh[0] for _ in range(4)] == [1, 1, 3, 3]
    assert tracker.update(frame).score == 0.25


class Answering:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def start(self, frame: Any, box: Any) -> None: ...

    def update(self, frame: Any) -> Any:
        return self.answer


class Found:
    box_xywh = (1, 2, 3, 4)
    score = 0.5


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (((1, 2, 3, 4), 0.5), 0.5),
        ((np.array([1, 2, 3, 4]), np.float32(0.5)), 0.5),
        ([1, 2, 3, 4], None),
        (np.array([1.0, 2, 3, 4]), None),
        (Found(), 0.5),
    ],
)
def test_answers_of_other_peoples_trackers(answer: Any, score: float | None) -> None:
    found = ImportedTracker(Answering(answer), "mine").update(np.zeros((2, 2, 3), np.uint8))
    assert found == ((1.0, 2.0, 3.0, 4.0), score)


@pytest.mark.parametrize("answer", [None, (1, 2, 3), "box", ((1, 2, 3, 4), "sure"), np.zeros((2, 4))])
def test_answers_that_are_no_boxes(answer: Any) -> None:
    with pytest.raises(TrackingError, match=r"mine\.update must return"):
        ImportedTracker(Answering(answer), "mine").update(np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module_here:Class", "PYTHONPATH"),
        ("running_trackers:NoSuchClass", "NoSuchClass"),
        ("running_trackers:not_callable", "a class or function"),
        ("pathlib:Path", "no start"),
    ],
)
def test_classes_that_cannot_be_imported(path: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    with pytest.raises(SettingsError, match=message):
        ImportedFactory(path).describe()
