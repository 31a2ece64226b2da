"""Films of a higher rate than a film is written with keep their times, wherever they come from."""

import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import pytest
from cli_inputs import BOX, film_times, make_folder, picture

from aiatrack.timing import take_film, time_film
from aiatrack.video import open_frames, read_ahead

RATE = 2000


@pytest.fixture(scope="module")
def fast_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "fast.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.time_base = Fraction(1, 1000)
        for index in range(6):
            shown = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            shown.pts, shown.time_base = 10 * index, Fraction(1, 1000)
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_of_high_rate_can_be_recorded(track, here, fast_film):
    os.mkfifo("pipe.mkv")
    with ThreadPoolExecutor() as sender:
        sender.submit(Path("pipe.mkv").write_bytes, fast_film.read_bytes())
        outcome = track("pipe.mkv", "--box", BOX, "-o", "out.mkv")
    assert outcome.code == 0, outcome.err
    assert film_times(here / "out.mkv") == pytest.approx([index / 100 for index in range(6)], abs=2e-3)


def test_who_has_times_of_its_own(here, fast_film):
    make_folder(here / "images", [(96, 64)] * 2)
    for source, has in ((fast_film, True), (here / "images", False), ([picture(0)], False)):
        with read_ahead(open_frames(source)) as frames:
            assert frames.has_own_times == has


def test_rate_that_was_asked_for_is_not_cut(track, here):
    make_folder(here / "images", [(96, 64)] * 2)
    outcome = track("images", "--box", BOX, "-o", "out.mkv", "--frame-rate", RATE)
    assert outcome.code == 2
    assert "frame_rate must lie between" in outcome.err
    assert not (here / "out.mkv").exists()


def test_a_film_of_high_rate_can_be_timed(fast_film):
    times = time_film(take_film(fast_film, [(20, 20, 20, 20)], 4), rounds=1)
    assert times.encode_film_ms.median > 0
