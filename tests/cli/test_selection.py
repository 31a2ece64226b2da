"""The window in which a box is drawn, played by a stand-in for Tk."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli_inputs import film_times, picture

from aiatrack.cli import selection
from aiatrack.cli.selection import box_between, select_boxes
from aiatrack.errors import BoxError


@pytest.mark.parametrize(
    ("first", "second", "scale", "box"),
    [
        ((10, 20), (30, 50), 1.0, (10, 20, 20, 30)),
        ((30, 50), (10, 20), 1.0, (10, 20, 20, 30)),
        ((30, 20), (10, 50), 1.0, (10, 20, 20, 30)),
        ((10, 20), (30, 50), 0.5, (20, 40, 40, 60)),
        ((-5, -5), (500, 500), 1.0, (0, 0, 200, 100)),
        ((150, 50), (500, 60), 1.0, (150, 50, 50, 10)),
        ((10, 20), (10, 20), 1.0, None),
        ((10, 20), (10, 50), 1.0, None),
        ((250, 20), (300, 50), 1.0, None),
    ],
)
def test_box_of_a_drag(first, second, scale, box):
    assert box_between(first, second, scale, (200, 100)) == box


class FakeTk:
    """A screen of 160 x 100 and a user who does what was written down, one thing an update."""

    TclError = RuntimeError

    def __init__(self, *deeds: tuple[str, int, int] | str) -> None:
        self.deeds = list(deeds)
        self.handlers: dict[str, Any] = {}
        self.destroyed = False
        self.pictures: list[bytes] = []

    def module(self) -> SimpleNamespace:
        return SimpleNamespace(
            Tk=lambda: self,
            TclError=self.TclError,
            Canvas=lambda *_a, **_k: self,
            Label=lambda *_a, **_k: self,
            PhotoImage=lambda master, data: self.pictures.append(data),
        )

    def bind(self, event: str, handler: Any) -> None:
        self.handlers[event] = handler

    def protocol(self, name: str, handler: Any) -> None:
        self.handlers[name] = handler

    def update(self) -> None:
        deed = self.deeds.pop(0)
        if deed == "Ctrl-C":
            raise KeyboardInterrupt
        name, x, y = deed if isinstance(deed, tuple) else (deed, 0, 0)
        self.handlers[name](SimpleNamespace(x=x, y=y)) if name.startswith("<") else self.handlers[name]()

    def destroy(self) -> None:
        self.destroyed = True

    def winfo_screenwidth(self) -> int:
        return 160

    def winfo_screenheight(self) -> int:
        return 100

    def title(self, text: str) -> None: ...

    def pack(self) -> None: ...

    def create_image(self, *place: int, **options: Any) -> int:
        return 1

    def create_rectangle(self, *corners: int, **options: Any) -> int:
        return 2

    def coords(self, *corners: int) -> None: ...


def ask(monkeypatch: pytest.MonkeyPatch, image: np.ndarray, *deeds: Any) -> tuple[Any, FakeTk]:
    screen = FakeTk(*deeds)
    monkeypatch.setattr(selection, "tkinter", screen.module())
    try:
        return select_boxes(image), screen
    finally:
        assert screen.destroyed


EVERYTHING = (("<ButtonPress-1>", 0, 0), ("<B1-Motion>", 500, 500))
DRAG = (("<ButtonPress-1>", 10, 20), ("<B1-Motion>", 25, 30), ("<B1-Motion>", 30, 40))


@pytest.mark.parametrize("enter", ["<Return>", "<KP_Enter>"])
def test_drag_and_enter(enter, monkeypatch):
    boxes, screen = ask(monkeypatch, picture(0, 96, 64), *DRAG, enter)
    assert boxes == [(10, 20, 20, 20)]
    assert screen.pictures[0].startswith(b"P6 96 64 255 ")
    assert len(screen.pictures[0]) == len(b"P6 96 64 255 ") + 96 * 64 * 3


def test_large_frame_is_shown_small(monkeypatch):
    (box,), screen = ask(monkeypatch, picture(0, 320, 200), *DRAG, "<Return>")
    assert box == pytest.approx((10 / 0.425, 20 / 0.425, 20 / 0.425, 20 / 0.425))
    assert screen.pictures[0].startswith(b"P6 136 85 255 ")


@pytest.mark.parametrize(("size", "shown"), [((4000, 1), b"136 1"), ((1, 4000), b"1 85")])
def test_thin_frame_is_shown_all_the_same(size, shown, monkeypatch):
    boxes, screen = ask(monkeypatch, np.zeros((*size[::-1], 3), np.uint8), *EVERYTHING, "<Return>")
    assert screen.pictures[0].startswith(b"P6 " + shown + b" 255 ")
    assert boxes == [(0, 0, *size)]


def test_enter_waits_for_a_box(monkeypatch):
    click = ("<ButtonPress-1>", 5, 5)
    boxes, _ = ask(monkeypatch, picture(0), "<Return>", click, "<Return>", *DRAG, "<Return>")
    assert boxes == [(10, 20, 20, 20)]


MORE = (("<ButtonPress-1>", 40, 20), ("<B1-Motion>", 60, 50))


@pytest.mark.parametrize("deeds", [(*MORE, "<Return>"), (*MORE, "<space>", "<space>", "<Return>")])
def test_space_takes_a_box_and_begins_another(deeds, monkeypatch):
    boxes, _ = ask(monkeypatch, picture(0), "<space>", *DRAG, "<space>", *deeds)
    assert boxes == [(10, 20, 20, 20), (40, 20, 20, 30)]


@pytest.mark.parametrize("way_out", ["<Escape>", "WM_DELETE_WINDOW"])
def test_giving_up(way_out, monkeypatch):
    with pytest.raises(BoxError, match="no box was drawn"):
        ask(monkeypatch, picture(0), *DRAG, "<space>", *DRAG, way_out)


def test_interrupt_reaches_the_program(monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        ask(monkeypatch, picture(0), *DRAG, "Ctrl-C")


def test_track_by_the_window(track, here, film, monkeypatch):
    screen = FakeTk(*DRAG, "<Return>")
    monkeypatch.setattr(selection, "tkinter", screen.module())
    assert track(film, "--select", "-o", "out.mp4", "--save-boxes", "boxes.txt").code == 0
    assert (here / "boxes.txt").read_text().startswith("10.0000,20.0000,20.0000,20.0000\n")
    assert len(film_times(here / "out.mp4")) == 12


def test_track_several_by_the_window(track, here, film, monkeypatch):
    screen = FakeTk(*DRAG, "<space>", *MORE, "<Return>")
    monkeypatch.setattr(selection, "tkinter", screen.module())
    assert track(film, "--select", "--save-boxes", "boxes.csv").code == 0
    rows = [line.split(",") for line in (here / "boxes.csv").read_text().splitlines()[1:]]
    assert [(row[2], row[7]) for row in rows[:2]] == [("10.0000", "1"), ("40.0000", "2")]


def test_several_by_the_window_are_too_many_for_text(track, here, film, monkeypatch):
    (here / "boxes.txt").write_text("precious")
    (here / "out.mp4").write_text("precious")
    screen = FakeTk(*DRAG, "<space>", *MORE, "<Return>")
    monkeypatch.setattr(selection, "tkinter", screen.module())
    outcome = track(film, "--select", "--save-boxes", "boxes.txt", "-o", "out.mp4")
    assert outcome.code == 6
    assert "would hold one target" in outcome.err
    assert [(here / name).read_text() for name in ("boxes.txt", "out.mp4")] == ["precious"] * 2


def test_interrupt_in_the_window(track, here, film, monkeypatch):
    monkeypatch.setattr(selection, "tkinter", FakeTk("Ctrl-C").module())
    assert track(film, "--select", "-o", "out.mp4").code == 130
    assert not (here / "out.mp4").exists()
