"""Films out: times, sound, colours, ordinary when closed, playable when killed, never over an input."""

import math
import os
import resource
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from film_making import (
    corner_colours,
    corner_image,
    grey_image,
    level,
    make_film,
    probe,
    sound_times,
)

from aiatrack.errors import FrameError, OutputError, SettingsError
from aiatrack.video import Frame, VideoWarning, audio_track, open_film, open_frames

SUFFIXES = [".mp4", ".mov", ".mkv", ".m4v"]


def write_film(
    path: Path, times: list[float], *, rate: Fraction | float | None = 25, **options: object
) -> Path:
    with open_film(path, frame_rate=rate, **options) as film:  # type: ignore[arg-type]
        for index, time_s in enumerate(times):
            film.write(Frame(grey_image(index), index, time_s))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_closed_film_is_an_ordinary_one(tmp_path: Path, suffix: str) -> None:
    times = [index / 25 for index in range(40)]
    found = probe(write_film(tmp_path / f"film{suffix}", times))
    tolerance = 5.1e-4 if suffix == ".mkv" else 1e-9
    assert found["times"] == pytest.approx(times, abs=tolerance)
    assert found["duration_s"] == pytest.approx(1.6, abs=2e-3)
    assert found["rate"] == 25
    assert found["codec"] == "h264"
    assert found["size"] == (64, 48)
    np.testing.assert_allclose(found["levels"], [level(index) for index in range(40)], atol=3)
    if suffix != ".mkv":
        assert found["frames"] == 40


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_closed_film_can_be_sought(tmp_path: Path, suffix: str) -> None:
    film = write_film(tmp_path / f"film{suffix}", [index / 25 for index in range(60)])
    with open_frames(film, start_s=1.6) as source:
        frame = next(source)
    assert frame.index == 40
    assert int(frame.image[8, 8, 0]) == pytest.approx(level(40), abs=3)


@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60), 12.5, 29.97, np.float32(12.5)]
)
def test_frame_rates_are_exact(tmp_path: Path, rate: Fraction | float) -> None:
    exact = rate if isinstance(rate, Fraction) else Fraction(float(rate)).limit_denominator(1001)
    times = [float(index / exact) for index in range(30)]
    found = probe(write_film(tmp_path / "film.mp4", times, rate=rate))
    assert found["rate"] == exact
    assert found["times"] == pytest.approx(times, abs=1e-9)
    assert found["duration_s"] == pytest.approx(float(30 / exact), abs=2e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("period_s", [5, 7 / 3, 3600, 20_000])
@pytest.mark.parametrize("kind", [float, lambda rate: Fraction(rate).limit_denominator(1_000_000)])
def test_low_frame_rates(
    tmp_path: Path, suffix: str, period_s: float, kind: Callable[[float], Fraction | float]
) -> None:
    times = [index * period_s for index in range(4)]
    found = probe(write_film(tmp_path / f"film{suffix}", times, rate=kind(1 / period_s)))
    assert found["times"] == pytest.approx(times, abs=5.1e-4)
    assert found["duration_s"] == pytest.approx(4 * period_s, abs=2e-3)
    assert found["rate"] == 1 / Fraction(period_s).limit_denominator(1001)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_times_are_kept(tmp_path: Path, suffix: str) -> None:
    times = [0.0, 0.04, 0.1, 0.35, 0.36, 0.8, 0.8004]
    found = probe(write_film(tmp_path / f"film{suffix}", times))
    assert found["times"] == pytest.approx(times, abs=6e-4 if suffix == ".mkv" else 6e-6)


def test_film_begins_with_its_first_frame(tmp_path: Path) -> None:
    found = probe(write_film(tmp_path / "film.mp4", [5.0, 5.04, 5.08]))
    assert found["times"] == pytest.approx([0.0, 0.04, 0.08], abs=1e-9)


def test_standing_or_falling_times_still_make_a_film(tmp_path: Path) -> None:
    found = probe(write_film(tmp_path / "film.mp4", [0.0, 0.04, 0.04, 0.03, 0.08]))
    assert len(found["times"]) == 5
    assert all(later > earlier for earlier, later in pairwise(found["times"]))
    assert found["times"][-1] == pytest.approx(0.08, abs=1e-9)


@pytest.mark.parametrize(("width", "height"), [(63, 47), (64, 47), (63, 48), (1, 1), (17, 2)])
def test_odd_sizes_are_padded_by_their_edge(tmp_path: Path, width: int, height: int) -> None:
    with open_film(tmp_path / "film.mp4", frame_rate=25, quality=5) as film:
        film.write(Frame(np.full((height, width, 3), 200, np.uint8), 0, 0.0))
    found = probe(tmp_path / "film.mp4")
    assert found["size"] == (width + width % 2, height + height % 2)
    np.testing.assert_allclose(found["image"], 200, atol=4)


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (0, 0, 0), (255, 255, 255)]
)
def test_colours_come_back(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    with open_film(tmp_path / "film.mp4", frame_rate=25, quality=1) as film:
        film.write(Frame(np.full((48, 64, 3), colour, np.uint8), 0, 0.0))
    image = next(open_frames(tmp_path / "film.mp4")).image
    np.testing.assert_allclose(image.reshape(-1, 3).mean(axis=0), colour, atol=4)


def test_picture_stays_upright(tmp_path: Path) -> None:
    with open_film(tmp_path / "film.mp4", frame_rate=25) as film:
        film.write(Frame(corner_image(), 0, 0.0))
    assert corner_colours(probe(tmp_path / "film.mp4")["image"]) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pixel_aspect_is_passed_on(tmp_path: Path, suffix: str) -> None:
    film = write_film(tmp_path / f"film{suffix}", [0.0, 0.04], pixel_aspect=Fraction(4, 3))
    with open_frames(film) as source:
        assert source.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_is_copied(tmp_path: Path, suffix: str) -> None:
    source = make_film(tmp_path / "source.mp4", 50, audio="aac")
    with (
        open_frames(source) as frames,
        open_film(tmp_path / f"out{suffix}", frame_rate=frames.frame_rate, audio_from=frames.path) as film,
    ):
        for frame in frames:
            film.write(frame)
    expected = [time_s for time_s in sound_times(source) if 0 <= time_s < 2.0]
    assert len(expected) > 80
    assert sound_times(tmp_path / f"out{suffix}") == pytest.approx(expected, abs=6e-4)
    assert len(probe(tmp_path / f"out{suffix}")["times"]) == 50


def test_sound_is_limited_to_the_part_written(tmp_path: Path) -> None:
    source = make_film(tmp_path / "source.mp4", 100, audio="aac")
    with (
        open_frames(source, start_s=1.0, end_s=2.0) as frames,
        open_film(tmp_path / "out.mp4", frame_rate=25, audio_from=source) as film,
    ):
        for frame in frames:
            film.write(frame)
    expected = [time_s - 1.0 for time_s in sound_times(source) if 1.0 <= time_s < 2.0]
    found = sound_times(tmp_path / "out.mp4")
    assert found[1:] == pytest.approx(expected[1:], abs=1e-4)
    assert found[0] == pytest.approx(expected[0], abs=1024 / 48000)  # MP4 lets a fragmented track begin at 0
    assert probe(tmp_path / "out.mp4")["duration_s"] == pytest.approx(1.0, abs=0.03)


def test_sound_that_does_not_fit_is_left_out_with_a_warning(tmp_path: Path) -> None:
    source = make_film(tmp_path / "source.avi", 10, codec="mpeg4", audio="pcm_mulaw")
    with pytest.warns(VideoWarning, match=r"pcm_mulaw.*does not fit"):
        write_film(tmp_path / "out.mp4", [0.0, 0.04], audio_from=source)
    assert sound_times(tmp_path / "out.mp4") == []
    assert len(probe(tmp_path / "out.mp4")["times"]) == 2


def test_sound_that_the_container_refuses_late_is_left_out_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_track, "_fits", lambda codec, container_format: True)
    source = make_film(tmp_path / "source.mkv", 10, audio="flac")
    with pytest.warns(VideoWarning, match="cannot be copied and is left out"):
        write_film(tmp_path / "out.mov", [0.0, 0.04], audio_from=source)
    assert len(probe(tmp_path / "out.mov")["times"]) == 2


def test_film_without_sound_stays_without(tmp_path: Path) -> None:
    write_film(tmp_path / "out.mp4", [0.0, 0.04], audio_from=make_film(tmp_path / "source.mp4", 5))
    assert sound_times(tmp_path / "out.mp4") == []


def test_sound_from_a_missing_file_is_a_warning(tmp_path: Path) -> None:
    with pytest.warns(VideoWarning, match="no sound is copied"):
        write_film(tmp_path / "out.mp4", [0.0, 0.04], audio_from=tmp_path / "missing.mp4")
    assert len(probe(tmp_path / "out.mp4")["times"]) == 2


WRITE_FOREVER = """
    import itertools, signal, sys
    from pathlib import Path
    import numpy as np
    from aiatrack.video import Frame, open_film

    path, audio = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
    noise = np.random.default_rng(0).integers(0, 40, (48, 64, 3), np.uint8)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with open_film(path, frame_rate=25, audio_from=audio) as film:
            for index in itertools.count():
                film.write(Frame(noise + np.uint8(20 + 4 * index % 180), index, index / 25))
                if index == 150:
                    print("written", flush=True)
                    sys.stdin.readline()
    except KeyboardInterrupt:
        sys.exit(130)
"""


def stop_in_mid_write(path: Path, stop: signal.Signals, *arguments: str) -> int:
    code = textwrap.dedent(WRITE_FOREVER)
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"written", child.communicate()[1].decode()
    child.send_signal(stop)
    child.communicate(timeout=30)
    return child.returncode


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("sound", [False, True])
def test_film_of_a_killed_process_plays(tmp_path: Path, suffix: str, sound: bool) -> None:
    film = tmp_path / f"film{suffix}"
    arguments = [str(make_film(tmp_path / "source.mp4", 100, audio="aac"))] if sound else []
    assert stop_in_mid_write(film, signal.SIGKILL, *arguments) == -signal.SIGKILL
    with open_frames(film) as source:
        frames = list(source)
    assert len(frames) >= 75  # of 151: the last fragment and what the encoder holds are lost
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(len(frames))], abs=6e-4)


def test_film_of_an_interrupted_process_is_whole(tmp_path: Path) -> None:
    assert stop_in_mid_write(tmp_path / "film.mp4", signal.SIGINT) == 130
    found = probe(tmp_path / "film.mp4")
    assert found["frames"] == len(found["times"]) == 151
    assert found["duration_s"] == pytest.approx(151 / 25, abs=2e-3)


def test_error_inside_the_block_leaves_a_whole_film(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="of the caller"),
        open_film(tmp_path / "film.mp4", frame_rate=25) as film,
    ):
        for index in range(10):
            film.write(Frame(grey_image(index), index, index / 25))
        raise RuntimeError("of the caller")
    assert len(probe(tmp_path / "film.mp4")["times"]) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_full_disk_at_the_start(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"no space left|cannot write"):
        write_film(path, [index / 25 for index in range(60)])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_file_that_can_grow_no_more_keeps_what_it_has(tmp_path: Path, suffix: str) -> None:
    film = tmp_path / f"film{suffix}"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    rng = np.random.default_rng(0)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot write"), open_film(film, frame_rate=25) as writer:
            for index in range(1000):
                writer.write(Frame(rng.integers(0, 255, (48, 64, 3), np.uint8), index, index / 25))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert writer.frames_written < 999
    with open_frames(film) as source, warnings.catch_warnings():
        warnings.simplefilter("ignore", VideoWarning)  # the last fragment may be cut
        assert len(list(source)) > 20


@pytest.mark.parametrize("name", ["film.avi", "film.txt", "film", "film.webm"])
def test_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"must end in \.mp4, \.m4v, \.mov, \.mkv"):
        open_film(tmp_path / name, frame_rate=25)


def test_missing_folder_and_folder_as_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist: create it"):
        open_film(tmp_path / "missing" / "film.mp4", frame_rate=25)
    (tmp_path / "film.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        open_film(tmp_path / "film.mp4", frame_rate=25)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        open_film(tmp_path / "film.mp4", frame_rate=25)


@pytest.mark.parametrize("link", [None, "symlink_to", "hardlink_to"])
def test_input_is_never_overwritten(tmp_path: Path, link: str | None) -> None:
    source = make_film(tmp_path / "source.mp4", 5)
    before = source.read_bytes()
    output = source
    if link is not None:
        output = tmp_path / "other.mp4"
        getattr(output, link)(source)
    for options in ({"audio_from": source}, {"inputs": [source]}):
        with pytest.raises(OutputError, match="is the input itself"):
            open_film(output, frame_rate=25, **options)  # type: ignore[arg-type]
    assert source.read_bytes() == before


def test_film_without_frames_leaves_no_file_and_keeps_an_old_one(tmp_path: Path) -> None:
    with open_film(tmp_path / "new.mp4", frame_rate=25):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old.mp4").write_bytes(b"old")
    with open_film(tmp_path / "old.mp4", frame_rate=25):
        pass
    assert (tmp_path / "old.mp4").read_bytes() == b"old"


@pytest.mark.parametrize(
    "options",
    [{"frame_rate": rate} for rate in (0, 1e-9, Fraction(1, 20_001))]
    + [{"frame_rate": float("nan")}, {"frame_rate": -1}, {"frame_rate": 1e9}]
    + [{"frame_rate": "25"}, {"frame_rate": 10**400}]
    + [{"frame_rate": 25, "quality": quality} for quality in (-1, 52)],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        open_film(tmp_path / "film.mp4", **options)  # type: ignore[arg-type]


def test_frames_of_another_kind_or_size_are_refused_and_the_film_goes_on(tmp_path: Path) -> None:
    with open_film(tmp_path / "film.mp4", frame_rate=None) as film:
        film.write(Frame(grey_image(0), 0, 0.0))
        with pytest.raises(FrameError, match="float64"):
            film.write(Frame(grey_image(1) / 255.0, 1, 0.1))  # type: ignore[arg-type]
        with pytest.raises(FrameError, match=r"frame 1 is 10 x 12 pixels but the film is 64 x 48"):
            film.write(Frame(grey_image(1, 10, 12), 1, 0.1))
        for time_s in (math.nan, math.inf, -math.inf, 1e15, -1e300):
            with pytest.raises(FrameError, match=r"frame 1: expected a time within 1e\+12 s of 0, got"):
                film.write(Frame(grey_image(1), 1, time_s))
        film.write(Frame(grey_image(1), 1, 0.1))
    assert len(probe(tmp_path / "film.mp4")["times"]) == 2


def test_first_frame_without_a_time_leaves_no_trace(tmp_path: Path) -> None:
    with (
        pytest.raises(FrameError, match="got nan"),
        open_film(tmp_path / "film.mp4", frame_rate=25) as film,
    ):
        film.write(Frame(grey_image(0), 0, math.nan))
    assert list(tmp_path.iterdir()) == []


def test_writing_after_close(tmp_path: Path) -> None:
    film = open_film(tmp_path / "film.mp4", frame_rate=25)
    film.write(Frame(grey_image(0), 0, 0.0))
    film.close()
    film.close()
    with pytest.raises(OutputError, match="is closed"):
        film.write(Frame(grey_image(1), 1, 0.1))
