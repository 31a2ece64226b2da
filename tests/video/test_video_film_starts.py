"""A start time changes neither a frame's number nor which frames lie between two times."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from film_making import make_film

from aiatrack.video import VideoWarning, open_frames


def drop_packets(film: Path, count: int) -> Path:
    """Copy a film without its first packets, as a recording is that begins between two key frames."""
    cut = film.with_name(f"cut{film.suffix}")
    with av.open(str(film)) as source, av.open(str(cut), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in list(source.demux(video=0))[count:]:
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return cut


def indices(film: Path, start_s: float, end_s: float | None = None) -> list[int]:
    with open_frames(film, start_s=start_s, end_s=end_s) as frames:
        return [frame.index for frame in frames]


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.ts"])
@pytest.mark.parametrize("b_frames", ["0", "2"])
@pytest.mark.parametrize("dropped", [0, 5, 10])
def test_film_cut_between_key_frames_counts_from_its_first_picture(
    tmp_path: Path, name: str, b_frames: str, dropped: int
) -> None:
    film = make_film(tmp_path / name, 50, options={"g": "12", "bf": b_frames, "sc_threshold": "0"})
    film = drop_packets(film, dropped)
    whole = list(open_frames(film))
    assert [frame.index for frame in whole] == list(range(len(whole)))
    for frame in whole[1::6]:
        with open_frames(film, start_s=frame.time_s) as frames:
            first = next(frames)
        assert (first.index, first.time_s) == (frame.index, frame.time_s)
        np.testing.assert_array_equal(first.image, frame.image)


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.ts"])
@pytest.mark.filterwarnings("error")
def test_film_that_begins_late_is_whole(tmp_path: Path, name: str) -> None:
    film = make_film(tmp_path / name, 50, options={"g": "12", "bf": "0", "sc_threshold": "0"})
    with open_frames(drop_packets(film, 24)) as frames:
        assert len(list(frames)) == 26
    assert not frames.truncated


def test_damage_warns_that_frame_numbers_depend_on_the_start(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", 12, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(film)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0)][4:6]
    data = film.read_bytes()
    for packet in packets:
        data = data.replace(packet, bytes(len(packet)))
    film.write_bytes(data)
    with pytest.warns(VideoWarning, match="2 damaged .*frame numbers count them only .*before a start"):
        whole = list(open_frames(film))
    assert [frame.index for frame in whole] == list(range(10))
    assert indices(film, 8 / 25) == [8, 9, 10, 11]  # 6 to 9 above: the price of not decoding what is skipped


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.webm", "film.flv"])
@pytest.mark.parametrize("first", [1, 4, 10, 16])
def test_times_rounded_to_milliseconds_lose_no_frame_at_a_border(
    tmp_path: Path, name: str, first: int
) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    film = make_film(tmp_path / name, 20, codec=codec, rate=30)
    assert indices(film, first / 30, (first + 2) / 30) == [first, first + 1]


def test_clock_that_ticks_once_a_frame_is_not_taken_for_rounded(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", 10, codec="mpeg4", rate=Fraction(25))
    assert indices(film, 0.05, 0.13) == [2, 3]
