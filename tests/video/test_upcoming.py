"""The next frames of a source, before they are taken."""

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.errors import FrameError, SettingsError
from aiatrack.video import MOST_AHEAD, Upcoming, open_frames, read_ahead


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(6):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((20, 30, 3), 10 * index, np.uint8))
    return tmp_path


def numbers(frames):
    return [int(frame.image[0, 0, 0]) // 10 for frame in frames]


@pytest.mark.parametrize("ahead", [False, True])
def test_frames_are_handed_out_until_they_are_taken(folder, ahead):
    source = open_frames(folder)
    with read_ahead(source) if ahead else source as frames:
        upcoming = Upcoming(frames, 3)
        next(frames)
        assert numbers(upcoming.peek()) == numbers(upcoming.peek()) == [1, 2, 3]
        upcoming.take(2)
        assert numbers(upcoming.peek()) == [3, 4, 5]
        upcoming.take(1)
        assert numbers(upcoming.peek()) == [4, 5]
        upcoming.take(2)
        assert upcoming.peek() == [] == upcoming.peek()


def test_there_are_fewer_where_not_all_were_taken_and_more_where_all_were():
    pictures = [np.full((5, 5, 3), index, np.uint8) for index in range(40)]
    with open_frames(pictures) as frames:
        frames.can_read_ahead = True
        upcoming, counts = Upcoming(frames, 8), []
        for taken in (8, 3, 1, 2, 4, 8, 6, 5):
            counts.append(len(upcoming.peek()))
            upcoming.take(taken)
        assert counts == [8, 8, 4, 2, 4, 8, 8, 7]
        assert upcoming.peek()[0].index == 37


def test_what_is_held_is_still_to_come(folder):
    with read_ahead(open_frames(folder)) as frames:
        upcoming = Upcoming(frames, 64)
        assert len(upcoming.peek()) == 6
        assert not frames.goes_on and upcoming.goes_on
        upcoming.take(5)
        assert upcoming.goes_on
        upcoming.take(1)
        assert not upcoming.goes_on


def test_an_error_comes_after_the_frames_before_it(folder):
    cv2.imwrite(str(folder / "4.png"), np.zeros((5, 5, 3), np.uint8))
    with read_ahead(open_frames(folder)) as frames:
        upcoming = Upcoming(frames, 8)
        assert numbers(upcoming.peek()) == [0, 1, 2, 3]
        upcoming.take(3)
        assert numbers(upcoming.peek()) == [3]
        upcoming.take(1)
        for _ in range(2):
            with pytest.raises(FrameError, match="frame 4 is 5 x 5"):
                upcoming.peek()


def test_what_comes_one_frame_at_a_time_is_not_looked_ahead_in():
    with open_frames([np.zeros((5, 5, 3), np.uint8)]) as frames:
        with pytest.raises(SettingsError, match="one at a time"):
            Upcoming(frames, 2)
        Upcoming(frames, 1)


def test_one_frame_at_a_time_needs_no_file():
    with open_frames([np.full((5, 5, 3), 10 * index, np.uint8) for index in range(3)]) as frames:
        upcoming = Upcoming(frames, 1)
        for index in range(3):
            assert numbers(upcoming.peek()) == [index]
            upcoming.take(1)
        assert not upcoming.peek()


def test_a_number_of_numpy_is_one(folder):
    with open_frames(folder) as frames:
        assert len(Upcoming(frames, np.int64(2)).peek()) == 2


@pytest.mark.parametrize("count", [0, -1, MOST_AHEAD + 1, 1.5, True, "2"])
def test_a_number_of_frames(folder, count):
    with open_frames(folder) as frames, pytest.raises(SettingsError, match="1 to 64"):
        Upcoming(frames, count)


def test_no_more_are_taken_from_the_source_than_are_handed_out(folder):
    with open_frames(folder) as frames:
        upcoming = Upcoming(frames, 2)
        upcoming.peek()
        assert numbers(islice(frames, 1)) == [2]
