"""Films that are cut short, or damaged on the way: what decodes is delivered, the rest is told."""

import warnings
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from film_making import RATE, make_film
from film_reading import assert_marks, read_all

from aiatrack.video import VideoWarning, open_frames


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film.mp4", {"movflags": "faststart"}),
        ("film.mkv", {}),
        ("film.avi", {}),
        ("film.mov", {"movflags": "faststart"}),
    ],
)
def test_film_cut_short_delivers_what_decodes_then_warns(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)]
    codec = "mjpeg" if name.endswith("avi") else "libx264"
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    film = make_film(tmp_path / name, images, codec=codec, pix_fmt=pix_fmt, container_options=options)
    data = film.read_bytes()
    film.write_bytes(data[: int(len(data) * 0.6)])
    with open_frames(film) as source, pytest.warns(VideoWarning, match="cut short"):
        frames = list(source)
        assert source.truncated
    assert 10 < len(frames) < 40
    assert [frame.index for frame in frames] == list(range(len(frames)))


@pytest.mark.parametrize("start_s", [None, 10])
@pytest.mark.parametrize("rate", [1, Fraction(1, 5)])
@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mov", "film.webm", "film.ts"])
def test_whole_film_of_a_low_frame_rate_is_not_called_cut_short(
    tmp_path: Path, name: str, rate: Fraction | int, start_s: float | None
) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    film = make_film(tmp_path / name, 20, codec=codec, rate=rate)
    with warnings.catch_warnings():
        warnings.simplefilter("error", VideoWarning)
        with open_frames(film, start_s=start_s) as source:
            frames = list(source)
            assert not source.truncated
    assert frames[-1].time_s == pytest.approx(19 / rate)


def test_last_frame_missing_from_a_film_of_a_low_frame_rate_is_noticed(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", 20, codec="mjpeg", pix_fmt="yuvj420p", rate=1)
    with av.open(str(film)) as container:
        last = [packet.pos for packet in container.demux(video=0) if packet.pos][-1]
    film.write_bytes(film.read_bytes()[:last])
    with open_frames(film) as source, pytest.warns(VideoWarning, match=r"data end at 19\.00 s"):
        assert len(list(source)) == 19
        assert source.truncated


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [("libx264", "yuv420p"), ("mjpeg", "yuvj420p"), ("ffv1", "yuv420p")]
)
def test_damage_in_the_middle_does_not_end_the_film(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(30)]
    film = make_film(tmp_path / "film.mkv", images, codec=codec, pix_fmt=pix_fmt, options={"g": "5"})
    with av.open(str(film)) as container:
        middle = [packet.pos for packet in container.demux(video=0) if packet.pos][15]
    data = bytearray(film.read_bytes())
    data[middle + 40 : middle + 700] = rng.integers(0, 256, 660, np.uint8).tobytes()
    film.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)  # whether damage is noticed or concealed is the codec's
        frames = read_all(film)
    assert len(frames) >= 20
    assert frames[-1].time_s == pytest.approx(29 / RATE, abs=1e-3)
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(frames))


def test_undecodable_frames_are_skipped_with_a_warning(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", 12, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(film)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.pos][4:6]
    data = bytearray(film.read_bytes())
    for start, size in places:
        data[start : start + size] = bytes(size)
    film.write_bytes(data)
    with pytest.warns(VideoWarning, match="2 damaged frames"):
        frames = read_all(film)
    assert_marks(frames, [0, 1, 2, 3, 6, 7, 8, 9, 10, 11])
