"""Streams over a local server, and cameras played by a stand-in."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from film_making import make_film

from aiatrack.errors import VideoError
from aiatrack.video import open_frames
from aiatrack.video.stream_source import StreamSource, hide_password
from aiatrack.video.time_span import TimeSpan


class Handler(BaseHTTPRequestHandler):
    films: dict[str, bytes]
    stall: threading.Event

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        if name == "stalling.ts":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.films["film.ts"])
            self.wfile.flush()
            self.stall.wait(20)
            return
        if name not in self.films:
            self.send_error(404)
            return
        self.send_response(200)
        if not name.startswith("endless"):
            self.send_header("Content-Length", str(len(self.films[name])))
        self.end_headers()
        self.wfile.write(self.films[name])

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    make_film(tmp_path / "film.mp4", 20, container_options={"movflags": "faststart"})
    make_film(tmp_path / "film.ts", 60)
    # Larger than what is buffered, within which an index at the end is found.
    noise = np.random.default_rng(0).integers(0, 256, (20, 240, 320, 3), np.uint8)
    make_film(tmp_path / "index_last.mp4", list(noise))
    names = ("film.mp4", "film.ts", "index_last.mp4")
    Handler.films = {name: (tmp_path / name).read_bytes() for name in names}
    Handler.films["endless.ts"] = Handler.films["film.ts"]
    Handler.films["page.html"] = b"<html>no film</html>" * 50
    Handler.stall = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Handler.stall.set()
    server.shutdown()
    server.server_close()


def test_film_over_http(address: str) -> None:
    with open_frames(f"{address}/film.mp4", start_s=0.2) as source:
        assert (source.live, source.frame_count, source.path) == (False, 15, None)
        assert [frame.index for frame in source] == list(range(5, 20))


def test_endless_stream_is_live(address: str) -> None:
    with open_frames(f"{address}/endless.ts", end_s=0.4) as source:
        assert source.live
        assert source.frame_count is None
        assert [frame.index for frame in source] == list(range(10))


def test_stream_that_falls_silent_breaks_off_with_a_word(address: str) -> None:
    source = StreamSource(f"{address}/stalling.ts", TimeSpan(), timeout_s=1.0)
    delivered = []
    with source, pytest.raises(VideoError, match=r"broke off after \d+ frames: no data for 1 s"):
        for frame in source:
            delivered.append(frame.index)
    assert len(delivered) > 20


@pytest.mark.parametrize(("name", "message"), [("missing.mp4", "cannot open"), ("page.html", "not a film")])
def test_what_the_server_does_not_have(address: str, name: str, message: str) -> None:
    with pytest.raises(VideoError, match=message):
        open_frames(f"{address}/{name}")


def test_server_that_refuses() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(VideoError, match="refused") as caught:
        open_frames(f"rtsp://user:secret@127.0.0.1:{port}/stream")
    assert "secret" not in str(caught.value)


def test_server_that_does_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/film.mp4"
        with pytest.raises(VideoError, match=r"did not answer within 0\.5 s"):
            StreamSource(address, TimeSpan(), timeout_s=0.5)


def test_unknown_protocol() -> None:
    with pytest.raises(VideoError, match=r"gopher://; known protocols: .*rtsp"):
        open_frames("gopher://example.org/film")


def test_file_address(tmp_path: Path) -> None:
    film = make_film(tmp_path / "my film.mp4", 3)
    assert len(list(open_frames(film.as_uri()))) == 3


def test_film_with_its_index_at_the_end_from_a_server_that_gives_no_parts(address: str) -> None:
    with (
        pytest.raises(VideoError, match=r"cannot be read as it comes .*: save it to a file first"),
        open_frames(f"{address}/index_last.mp4") as source,
    ):
        next(source)


def test_password_is_hidden() -> None:
    assert hide_password("rtsp://me:secret@host:554/a?b=c") == "rtsp://host:554/a?b=c"
    assert hide_password("http://host/a@b") == "http://host/a@b"
    assert hide_password("rtsp://me@host/a") == "rtsp://host/a"
    assert hide_password("rtsp://[::1/a") == "rtsp://[::1/a"


@pytest.mark.parametrize("password", ["pa[ss", "se#cret", "se/cret", "se?cret", "s@cret", "s:@/[?#e"])
def test_password_with_letters_that_end_a_host(password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")  # no network is asked for such a host

    monkeypatch.setattr(av, "open", refuse)
    address = f"rtsp://admin:{password}@127.0.0.1:1/stream"
    assert hide_password(address) == "rtsp://127.0.0.1:1/stream"
    with pytest.raises(VideoError) as caught:
        open_frames(address)
    assert "127.0.0.1:1/stream" in str(caught.value)
    assert password not in str(caught.value)


def test_address_with_half_a_host() -> None:
    with pytest.raises(VideoError, match="cannot open rtsp://"):
        open_frames("rtsp://[::1/stream")


class FakeCapture:
    """Camera 2 exists and delivers four frames; no other does."""

    opened: list["FakeCapture"]

    def __init__(self, device: int) -> None:
        self.device, self.left, self.released = device, 4, False
        self.settings: dict[int, float] = {cv2.CAP_PROP_FPS: 0.0}
        self.opened.append(self)

    def isOpened(self) -> bool:
        return self.device == 2

    def set(self, key: int, value: float) -> bool:
        self.settings[key] = value
        return True

    def get(self, key: int) -> float:
        return self.settings[key]

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.full((4, 6, 3), (0, 0, 255), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[FakeCapture]:
    FakeCapture.opened = []
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    return FakeCapture.opened


@pytest.mark.parametrize("source", [2, "2", "camera:2"])
def test_camera_delivers_rgb_until_unplugged(captures: list[FakeCapture], source: int | str) -> None:
    frames = []
    with open_frames(source) as camera, pytest.raises(VideoError, match="stopped delivering after 4 frames"):
        assert (camera.live, camera.frame_count, camera.frame_rate) == (True, None, None)
        for frame in camera:
            frames.append(frame)
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert frames[0].time_s == 0.0
    assert frames[0].image[0, 0].tolist() == [255, 0, 0]
    assert captures[0].released


def test_camera_is_asked_for_a_rate(captures: list[FakeCapture]) -> None:
    with open_frames(2, frame_rate=15) as camera:
        assert camera.frame_rate == 15


def test_opencv_is_silent_while_a_camera_is_opened(
    captures: list[FakeCapture], monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = []

    class Listening(FakeCapture):
        def __init__(self, device: int) -> None:
            super().__init__(device)
            levels.append(cv2.utils.logging.getLogLevel())

    monkeypatch.setattr(cv2, "VideoCapture", Listening)
    before = cv2.utils.logging.getLogLevel()
    for source in (2, 0):
        with suppress(VideoError):
            open_frames(source).close()
        assert cv2.utils.logging.getLogLevel() == before
    assert levels == [cv2.utils.logging.LOG_LEVEL_SILENT] * 2
    assert before != cv2.utils.logging.LOG_LEVEL_SILENT


@pytest.mark.parametrize("source", [0, "camera:7", -1])
def test_camera_that_is_not_there(captures: list[FakeCapture], source: int | str) -> None:
    with pytest.raises(VideoError, match="camera"):
        open_frames(source)
    assert all(capture.released for capture in captures)


def test_number_that_is_a_folder_is_no_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, captures: list[FakeCapture]
) -> None:
    (tmp_path / "2").mkdir()
    cv2.imwrite(str(tmp_path / "2" / "0.png"), np.zeros((4, 6, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    assert not open_frames("2").live
    assert captures == []
