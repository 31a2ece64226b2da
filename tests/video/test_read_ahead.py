"""Reading ahead changes when frames are decoded, and nothing else."""

import threading
import time
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from film_making import RATE, grey_image, make_film

from aiatrack.errors import FrameError, VideoError
from aiatrack.video import Frame, FrameSource, VideoWarning, open_frames, read_ahead
from aiatrack.video.time_span import TimeSpan


class NumberedSource(FrameSource):
    """Frames that know on which thread they were read; fails at one of them if told so."""

    def __init__(self, count: int, fails_at: int | None = None) -> None:
        super().__init__("numbers", TimeSpan())
        self.can_read_ahead = True
        self.read: list[int] = []
        self.threads: set[str] = set()
        self.released = 0
        self._count, self._fails_at = count, fails_at

    def _read(self) -> Iterator[Frame]:
        for index in range(self._count):
            self.threads.add(threading.current_thread().name)
            if index == self._fails_at:
                raise VideoError(f"frame {index} is damaged")
            self.read.append(index)
            yield Frame(grey_image(index), index, index / RATE)

    def _release(self) -> None:
        self.released += 1

    def _why_no_frame(self) -> str:
        return "it is empty"


def wait_until(condition: object, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def live_readers() -> int:
    return sum(thread.name.startswith("aiatrack-read-ahead") for thread in threading.enumerate())


@pytest.mark.parametrize(("start_s", "end_s"), [(None, None), (0.4, 0.9)])
def test_the_same_frames_come_in_the_same_order(tmp_path: Path, start_s: float, end_s: float) -> None:
    times = [0, 0.04, 0.2, 0.3, 0.4, 0.41, 0.5, 0.7, 0.9, 1.0]
    film = make_film(tmp_path / "film.mp4", times=times)
    with open_frames(film, start_s=start_s, end_s=end_s) as source:
        expected = list(source)
    with read_ahead(open_frames(film, start_s=start_s, end_s=end_s)) as ahead:
        got = list(ahead)
    assert [(frame.index, frame.time_s) for frame in got] == [(f.index, f.time_s) for f in expected]
    for frame, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(frame.image, other.image)


def test_it_says_of_itself_what_the_source_says(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 6)
    with open_frames(film) as source, read_ahead(open_frames(film)) as ahead:
        for name in ("name", "path", "frame_rate", "frame_count", "live", "pixel_aspect"):
            assert getattr(ahead, name) == getattr(source, name), name


def test_frames_wait_in_a_bounded_queue_read_by_one_other_thread() -> None:
    source = NumberedSource(50)
    with read_ahead(source, frames=3) as ahead:
        assert source.read == []  # nothing is read before the first frame is asked for
        assert next(ahead).index == 0
        wait_until(lambda: source.read == [0, 1, 2, 3])
        time.sleep(0.05)
        assert source.read == [0, 1, 2, 3]
        assert [frame.index for frame in islice(ahead, 5)] == [1, 2, 3, 4, 5]
    assert len(source.threads) == 1
    assert threading.current_thread().name not in source.threads


def test_an_error_comes_where_it_would_have_come() -> None:
    source = NumberedSource(10, fails_at=4)
    ahead = read_ahead(source)
    assert [frame.index for frame in islice(ahead, 4)] == [0, 1, 2, 3]
    with pytest.raises(VideoError, match="frame 4 is damaged"):
        next(ahead)
    ahead.close()
    assert source.released == 1
    assert live_readers() == 0


def test_a_frame_of_another_size_is_refused_at_its_place(tmp_path: Path) -> None:
    for index, width in enumerate((64, 64, 48)):
        (tmp_path / f"{index}.ppm").write_bytes(b"P6 %d 8 255 " % width + bytes(width * 24))
    with read_ahead(open_frames(tmp_path)) as ahead:
        assert [frame.index for frame in islice(ahead, 2)] == [0, 1]
        with pytest.raises(FrameError, match="frame 2 is 48 x 8 pixels but the first was 64 x 8"):
            next(ahead)


def test_a_source_without_a_frame_says_why(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 5)
    with (
        read_ahead(open_frames(film, start_s=30)) as ahead,
        pytest.raises(VideoError, match=r"has no frame from 30 s: the film lasts 0\.2 s; widen the range"),
    ):
        next(ahead)


def test_closing_early_stops_the_thread_and_closes_the_source() -> None:
    source = NumberedSource(1000)
    ahead = read_ahead(source)
    next(ahead)
    ahead.close()
    ahead.close()
    assert source.released == 1
    assert live_readers() == 0
    assert len(source.read) < 10
    assert list(ahead) == []


def test_closing_before_the_first_frame_starts_no_thread() -> None:
    source = NumberedSource(3)
    read_ahead(source).close()
    assert source.released == 1
    assert source.read == []


def test_a_film_cut_short_is_said_to_be(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 40, container_options={"movflags": "faststart"})
    film.write_bytes(film.read_bytes()[:-400])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with read_ahead(open_frames(film)) as ahead:
            count = len(list(ahead))
    assert 0 < count < 40
    assert ahead.truncated
    assert any(issubclass(warning.category, VideoWarning) for warning in caught)


def test_iterables_stay_on_the_thread_of_the_caller() -> None:
    source = open_frames([grey_image(0), grey_image(1)])
    assert read_ahead(source) is source


@pytest.mark.parametrize("kind", ["film", "folder", "iterable", "read ahead"])
def test_whether_there_are_more_frames_than_were_delivered(tmp_path: Path, kind: str) -> None:
    film = make_film(tmp_path / "film.mp4", 10)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(10):
        cv2.imwrite(str(folder / f"{index}.png"), grey_image(index))

    def source(end_s: float | None = None) -> FrameSource:
        if kind == "iterable":
            frames = [grey_image(index) for index in range(10)]
            return open_frames(frames, end_s=end_s, frame_rate=RATE)
        if kind == "folder":
            return open_frames(folder, end_s=end_s, frame_rate=RATE)
        opened = open_frames(film, end_s=end_s)
        return read_ahead(opened) if kind == "read ahead" else opened

    for end_s, goes_on in ((None, False), (5 / RATE, True), (100.0, False)):
        with source(end_s) as frames:
            assert len(list(frames)) == (5 if goes_on else 10)
            assert frames.goes_on == goes_on
    with source() as frames:
        next(frames)
    assert frames.goes_on


def test_of_unknown_length_there_are_more_frames_unless_it_is_live_or_at_its_end(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.h264", 6)
    with open_frames(film) as source:
        assert source.frame_count is None
        next(source)
        assert source.goes_on
        assert len(list(source)) == 5
        assert not source.goes_on
    with open_frames(film) as source:
        source.live = True
        next(source)
    assert not source.goes_on
