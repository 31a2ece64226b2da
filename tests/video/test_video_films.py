"""Films of every kind: delivered upright as 8-bit RGB with their own times, or refused by name."""

import gc
import os
import threading
import weakref
import zipfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from film_making import RATE, corner_colours, corner_image, grey_image, make_film, make_sound
from film_making import set_display_matrix as turn
from film_reading import assert_marks, read_all

from aiatrack.errors import AiATrackError, FrameError, VideoError
from aiatrack.video import VideoWarning, open_frames

UPRIGHT = ["red", "green", "blue", "white"]
LOSSLESS = {"codec": "ffv1"}


def test_delivers_every_frame_in_order_with_index_and_time(tmp_path: Path) -> None:
    with open_frames(make_film(tmp_path / "film.mp4", 12)) as source:
        frames = list(source)
        assert (source.frame_rate, source.frame_count, source.live) == (RATE, 12, False)
        assert source.path == tmp_path / "film.mp4"
        assert not source.truncated
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([index / RATE for index in range(12)])
    assert_marks(frames, list(range(12)))
    image = frames[0].image
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        ("mp4", "libx264", "yuv420p"),
        ("mp4", "libx264", "yuv444p"),
        ("mkv", "libx264", "yuv420p10le"),
        ("mkv", "ffv1", "yuv420p10le"),
        ("mkv", "ffv1", "yuva420p"),
        ("mkv", "ffv1", "bgra"),
        ("mkv", "ffv1", "gbrp16le"),
        ("mov", "png", "rgba"),
        ("mov", "qtrle", "argb"),
        ("avi", "mjpeg", "yuvj420p"),
        ("avi", "mpeg4", "yuv420p"),
        ("webm", "libvpx-vp9", "yuv420p"),
    ],
)
def test_colour_formats_become_8_bit_rgb(tmp_path: Path, suffix: str, codec: str, pix_fmt: str) -> None:
    film = make_film(tmp_path / f"film.{suffix}", [corner_image()] * 3, codec=codec, pix_fmt=pix_fmt)
    frames = read_all(film)
    assert len(frames) == 3
    assert frames[1].image.shape == (48, 64, 3)
    assert frames[1].image.dtype == np.uint8
    assert corner_colours(frames[1].image) == UPRIGHT


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le"])
def test_grey_films_become_rgb(tmp_path: Path, pix_fmt: str) -> None:
    frames = read_all(make_film(tmp_path / "film.mkv", 4, codec="ffv1", pix_fmt=pix_fmt))
    assert_marks(frames, [0, 1, 2, 3])
    assert (frames[0].image == frames[0].image[..., :1]).all()


def test_palette_film(tmp_path: Path) -> None:
    palette = np.zeros((256, 4), np.uint8)
    palette[:4] = [[255, 255, 0, 0], [255, 0, 255, 0], [255, 0, 0, 255], [255, 255, 255, 255]]  # ARGB
    indices = np.zeros((48, 64), np.uint8)
    indices[:24, 32:], indices[24:, :32], indices[24:, 32:] = 1, 2, 3
    film = make_film(tmp_path / "film.mov", [(indices, palette)] * 2, codec="png", pix_fmt="pal8")
    assert corner_colours(read_all(film)[0].image) == UPRIGHT


@pytest.mark.parametrize(
    ("matrix", "expected", "shape"),
    [
        ((1, 0, 0, 1), ["red", "green", "blue", "white"], (48, 64, 3)),
        ((0, 1, -1, 0), ["blue", "red", "white", "green"], (64, 48, 3)),  # a phone held upright: 90 clockwise
        ((-1, 0, 0, -1), ["white", "blue", "green", "red"], (48, 64, 3)),
        ((0, -1, 1, 0), ["green", "white", "red", "blue"], (64, 48, 3)),
        ((-1, 0, 0, 1), ["green", "red", "white", "blue"], (48, 64, 3)),  # mirrored
        ((1, 0, 0, -1), ["blue", "white", "red", "green"], (48, 64, 3)),
        ((0, 1, 1, 0), ["red", "blue", "green", "white"], (64, 48, 3)),
        ((0, -1, -1, 0), ["white", "green", "blue", "red"], (64, 48, 3)),
    ],
)
def test_display_matrix_is_applied(
    tmp_path: Path, matrix: tuple[int, int, int, int], expected: list[str], shape: tuple[int, int, int]
) -> None:
    film = turn(make_film(tmp_path / "film.mp4", [corner_image()] * 2), matrix)
    image = read_all(film)[0].image
    assert corner_colours(image) == expected
    assert image.shape == shape
    assert image.flags.c_contiguous


def test_slanted_display_matrix_is_refused(tmp_path: Path) -> None:
    film = turn(make_film(tmp_path / "film.mp4", 2), (1, 1, -1, 1))
    with pytest.raises(VideoError, match="quarter turns"):
        read_all(film)


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.35, 0.36, 0.8]
    frames = read_all(make_film(tmp_path / "film.mp4", 6, times=times))
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=1e-4)


def test_times_start_at_zero_where_the_stream_starts_late(tmp_path: Path) -> None:
    frames = read_all(make_film(tmp_path / "film.ts", 5))
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16], abs=1e-6)


def test_avi_with_reordered_frames_is_timed_in_order(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", 20, options={"bf": "3", "b-adapt": "0"})
    frames = read_all(film)
    assert [frame.time_s for frame in frames] == pytest.approx([index / RATE for index in range(20)])
    assert_marks(frames, list(range(20)))
    assert [frame.index for frame in read_all(film, start_s=0.4)] == list(range(10, 20))


@pytest.mark.parametrize(("width", "height"), [(33, 17), (63, 48), (64, 47), (2, 2), (1, 1)])
def test_odd_sizes(tmp_path: Path, width: int, height: int) -> None:
    images = [np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)] * 2
    frames = read_all(make_film(tmp_path / "film.mkv", images, codec="ffv1", pix_fmt="bgr0"))
    np.testing.assert_array_equal(frames[0].image, images[0])
    assert frames[0].image.flags.c_contiguous


@pytest.mark.parametrize(
    ("matrix", "aspect"), [((1, 0, 0, 1), Fraction(4, 3)), ((0, 1, -1, 0), Fraction(3, 4))]
)
def test_non_square_pixels_stay_as_stored_and_are_told(
    tmp_path: Path, matrix: tuple[int, int, int, int], aspect: Fraction
) -> None:
    film = turn(make_film(tmp_path / "film.mp4", 3, aspect=Fraction(4, 3)), matrix)
    with open_frames(film) as source:
        assert source.pixel_aspect == aspect
        assert sorted(next(source).image.shape) == [3, 48, 64]


def test_raw_stream_without_times_is_timed_by_rate(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.h264", 6)
    frames = read_all(film, frame_rate=10, start_s=0.2)
    assert [frame.index for frame in frames] == [2, 3, 4, 5]
    assert [frame.time_s for frame in frames] == pytest.approx([0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize(("ending", "file_format"), [("mjpeg", None), ("mjpg", "mpjpeg")])
def test_pictures_without_times_are_timed_by_rate(
    tmp_path: Path, ending: str, file_format: str | None
) -> None:
    film = make_film(
        tmp_path / f"film.{ending}", 6, codec="mjpeg", pix_fmt="yuvj420p", file_format=file_format
    )
    frames = read_all(film, frame_rate=10, start_s=0.2)
    assert [frame.index for frame in frames] == [2, 3, 4, 5]
    assert [frame.time_s for frame in frames] == pytest.approx([0.2, 0.3, 0.4, 0.5])


def test_animated_png_keeps_its_times(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.apng", 6, codec="apng", pix_fmt="rgb24", rate=20)
    with pytest.warns(VideoWarning, match="the frame rate of 5 is not used"):
        source = open_frames(film, frame_rate=5)
    with source:
        times = [frame.time_s for frame in source]
    assert times == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25])
    assert source.frame_rate == 20


def test_start_beyond_all_clocks_is_no_frame(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 6)
    with pytest.raises(VideoError, match="has no frame from"):
        read_all(film, start_s=1e15)


def test_frame_rate_that_is_not_used_is_a_warning(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 6)
    with pytest.warns(VideoWarning, match="the frame rate of 10 is not used") as caught:
        frames = read_all(film, frame_rate=10, start_s=0.1)
    assert len(caught) == 1
    assert [frame.time_s for frame in frames] == pytest.approx([0.12, 0.16, 0.2])


def test_range_is_to_be_widened_only_where_nothing_failed(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.ts", 6)
    with pytest.raises(VideoError, match="widen the range"):
        read_all(film, start_s=60, end_s=61)
    whole = make_film(tmp_path / "film.mkv", 6).read_bytes()
    broken = tmp_path / "broken.mkv"
    # The header stays, and so do the places of the pictures, all of which are noise.
    begin = whole.index(b"\x1f\x43\xb6\x75") + 40
    broken.write_bytes(whole[:begin] + bytes(len(whole) - begin))
    with pytest.raises(VideoError) as caught:
        read_all(broken, end_s=0.2)
    assert "decoding fails" in str(caught.value)
    assert "widen the range" not in str(caught.value)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts", "film.avi", "film.mov"])
@pytest.mark.parametrize("first", [1, 17, 30, 47])
def test_start_and_end_pick_exact_frames_with_true_index(tmp_path: Path, name: str, first: int) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    film = make_film(tmp_path / name, 50, codec=codec, options={"g": "12"})
    whole = read_all(film)
    part = read_all(film, start_s=whole[first].time_s, end_s=whole[first].time_s + 0.1)
    expected = [frame for frame in whole if first <= frame.index < first + 3]
    assert [frame.index for frame in part] == [frame.index for frame in expected]
    assert [frame.time_s for frame in part] == [frame.time_s for frame in expected]
    for frame, same in zip(part, expected, strict=True):
        np.testing.assert_array_equal(frame.image, same.image)


def test_frame_count_estimates_the_part_asked_for(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 50)
    with open_frames(film, start_s=0.4, end_s=1.2) as source:
        assert source.frame_count == 20
        assert len(list(source)) == 20


def test_start_after_the_end_is_refused(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 10)
    with open_frames(film, start_s=9) as source, pytest.raises(VideoError, match=r"from 9 s.*lasts 0\.4 s"):
        next(source)


def test_size_change_is_refused_naming_frame_and_sizes(tmp_path: Path) -> None:
    small = make_film(tmp_path / "a.h264", [grey_image(0)] * 4).read_bytes()
    large = make_film(tmp_path / "b.h264", [grey_image(0, 96, 80)] * 4).read_bytes()
    film = tmp_path / "film.h264"
    film.write_bytes(small + large)
    with open_frames(film) as source:
        assert [next(source).index for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(FrameError, match=r"frame 4 is 96 x 80 .* 64 x 48"):
            next(source)


def write_text(path: Path) -> None:
    path.write_text("hello\n" * 200)


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "x" * 5000)


def write_noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(1).integers(0, 256, 20_000, np.uint8).tobytes())


def write_headless(path: Path) -> None:
    whole = make_film(path.with_name("whole.mp4"), 30).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("missing.mp4", lambda path: None, "No such file"),
        ("empty.mp4", write_nothing, r"empty \(0 bytes\)"),
        ("notes.txt", write_text, "text file|not a film"),
        ("notes.mp4", write_text, "not a film"),
        ("notes.nfo", write_text, "text file|not a film"),
        ("archive.zip", write_zip, "not a film"),
        ("noise.mp4", write_noise, "not a film|no moving picture|has no frame"),
        ("cut.mp4", write_headless, "header is missing or damaged"),
        ("sound.wav", make_sound, "no moving picture .*audio"),
        ("sound.m4a", lambda path: make_sound(path, "aac"), "no moving picture .*audio"),
    ],
)
def test_what_is_no_film_is_refused(tmp_path: Path, name: str, write: object, message: str) -> None:
    write(tmp_path / name)  # type: ignore[operator]
    with pytest.raises(VideoError, match=message):
        read_all(tmp_path / name)


def test_sound_with_a_cover_picture_is_no_film(tmp_path: Path) -> None:
    cover = tmp_path / "cover.mov"
    make_film(cover, 1, codec="png", pix_fmt="rgb24")
    song = tmp_path / "song.m4a"
    with av.open(str(cover)) as pictures, av.open(str(song), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=48000, layout="mono")
        stream = container.add_stream_from_template(pictures.streams.video[0])
        stream.disposition = av.stream.Disposition.attached_pic.value
        for packet in pictures.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
        wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        wave.sample_rate, wave.pts = 48000, 0
        container.mux(sound.encode(wave))
        container.mux(sound.encode(None))
    with pytest.raises(VideoError, match="no moving picture"):
        open_frames(song)


def test_film_without_frames_is_refused(tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    with av.open(str(film), "w") as container:
        stream = container.add_stream("mjpeg", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.start_encoding()
    with pytest.raises(VideoError):
        read_all(film)


def test_no_frame_is_kept(tmp_path: Path) -> None:
    gc.collect()
    gc.disable()  # frames must go at once, not when the collector comes by
    try:
        with open_frames(make_film(tmp_path / "film.mp4", 20)) as source:
            before = count_pictures()
            ghosts = [weakref.ref(frame.image) for frame in source]
            pictures = count_pictures() - before
    finally:
        gc.enable()
    assert [ghost() is None for ghost in ghosts] == [True] * 20
    assert pictures <= 2  # the first, whose display matrix was read, and the one the decoder fills next


def count_pictures() -> int:
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_files_are_closed_also_after_errors(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 10)
    sound = make_sound(tmp_path / "sound.wav")
    before = sorted(Path("/proc/self/fd").iterdir())
    with open_frames(film, start_s=0.2) as source:
        next(source)
    with pytest.raises(AiATrackError):
        open_frames(sound)
    read_all(film)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_closing_twice_and_reading_on_after_close(tmp_path: Path) -> None:
    source = open_frames(make_film(tmp_path / "film.mp4", 10))
    next(source)
    source.close()
    source.close()
    assert list(source) == []


def test_named_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", 10)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeder = threading.Thread(target=lambda: pipe.write_bytes(film.read_bytes()))
    feeder.start()
    frames = read_all(pipe, start_s=0.2)
    feeder.join()
    assert [frame.index for frame in frames] == [5, 6, 7, 8, 9]


def test_pipe_of_a_film_that_needs_seeking_says_so(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    # More than FFmpeg keeps of what it has passed.
    noise = [random.integers(256, size=(240, 320, 3), dtype=np.uint8) for _ in range(40)]
    film = make_film(tmp_path / "film.mp4", noise)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def feed() -> None:
        with suppress(BrokenPipeError):
            pipe.write_bytes(film.read_bytes())

    feeder = threading.Thread(target=feed)
    feeder.start()
    with pytest.raises(VideoError, match="save it to a file first") as caught:
        read_all(pipe, end_s=0.3)
    feeder.join()
    assert "widen the range" not in str(caught.value)
