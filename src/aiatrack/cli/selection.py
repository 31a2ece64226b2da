"""A window in which boxes are drawn with the mouse."""

import time

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import BoxError, SettingsError

try:
    import tkinter
except ImportError:  # Not every Python has Tk; that is only an error once a window is wanted.
    tkinter = None  # type: ignore[assignment]

Box = tuple[float, float, float, float]
"""left, top, width, height, px of the frame."""

_SCREEN_SHARE = 0.85
_REFRESH_S = 0.01
_HINT = "Drag a box around the target.  Space: draw one more.  Enter: take what is drawn.  Escape: give up."
_BAND_COLOUR = "#00dc6e"


def select_boxes(image: npt.NDArray[np.uint8]) -> list[Box]:
    """Show a frame and let the user drag one box or several; Tk, since headless OpenCV has no windows.

    Args:
        image: `(H, W, 3)` uint8 RGB.

    Returns:
        At least one box: left, top, width, height in pixels of the frame.

    Raises:
        SettingsError: there is no screen, or Python was built without Tk.
        BoxError: the window was closed without a box.
    """
    if tkinter is None:
        raise SettingsError(
            "--select needs Tk, which this Python lacks (on Debian: apt install python3-tk): "
            "give the box with --box X,Y,WIDTH,HEIGHT"
        )
    try:
        root = tkinter.Tk()
    except tkinter.TclError as error:
        raise SettingsError(
            f"--select needs a screen, and there is none here ({error}): "
            "give the box with --box X,Y,WIDTH,HEIGHT"
        ) from error
    boxes = _Window(root, image).ask()
    if not boxes:
        raise BoxError("no box was drawn: drag one and press Enter, or give --box X,Y,WIDTH,HEIGHT")
    return boxes


class _Window:
    """One frame on a canvas, scaled down to fit the screen, a rubber band, and the boxes taken so far."""

    def __init__(self, root: "tkinter.Tk", image: npt.NDArray[np.uint8]) -> None:
        self._root = root
        self._open = True
        self._box: Box | None = None
        self._taken: list[Box] = []
        self._corner: tuple[int, int] | None = None
        height, width = image.shape[:2]
        self._frame_size = width, height
        room = root.winfo_screenwidth() / width, root.winfo_screenheight() / height
        self._scale = min(1.0, _SCREEN_SHARE * min(room))
        # However thin a frame is, something of it is shown.
        shown_size = max(1, round(self._scale * width)), max(1, round(self._scale * height))
        shown = cv2.resize(image, shown_size, interpolation=cv2.INTER_AREA)
        # Tk reads PPM from memory without any image library.
        pixels = b"P6 %d %d 255 " % (shown.shape[1], shown.shape[0]) + shown.tobytes()
        self._photo = tkinter.PhotoImage(master=root, data=pixels)
        self._canvas = tkinter.Canvas(
            root, width=shown.shape[1], height=shown.shape[0], cursor="crosshair", highlightthickness=0
        )
        self._canvas.create_image(0, 0, image=self._photo, anchor="nw")
        self._band = self._new_band()
        self._canvas.pack()
        tkinter.Label(root, text=_HINT).pack()
        self._bind()

    def ask(self) -> list[Box]:
        """Wait until boxes are taken or the window is closed, which gives none."""
        self._root.title("aiatrack: mark the target")
        try:
            # Tk's own loop would swallow Ctrl-C.
            while self._open:
                self._root.update()
                time.sleep(_REFRESH_S)
        finally:
            self._root.destroy()
        return self._taken

    def _new_band(self) -> int:
        return self._canvas.create_rectangle(0, 0, 0, 0, outline=_BAND_COLOUR, width=2)

    def _bind(self) -> None:
        self._canvas.bind("<ButtonPress-1>", self._press)
        self._canvas.bind("<B1-Motion>", self._drag)
        self._root.bind("<space>", self._take)
        self._root.bind("<Return>", self._finish)
        self._root.bind("<KP_Enter>", self._finish)
        self._root.bind("<Escape>", self._give_up)
        self._root.protocol("WM_DELETE_WINDOW", self._give_up)

    def _press(self, event: "tkinter.Event[tkinter.Canvas]") -> None:
        self._corner = event.x, event.y
        self._drag(event)

    def _drag(self, event: "tkinter.Event[tkinter.Canvas]") -> None:
        if self._corner is not None:
            self._canvas.coords(self._band, *self._corner, event.x, event.y)
            self._box = box_between(self._corner, (event.x, event.y), self._scale, self._frame_size)

    def _take(self, _event: object = None) -> None:
        if self._box is not None:
            self._taken.append(self._box)
            self._box, self._corner = None, None
            # The old one stays on the canvas, around what was taken.
            self._band = self._new_band()

    def _finish(self, _event: object) -> None:
        self._take()
        self._open = not self._taken

    def _give_up(self, _event: object = None) -> None:
        self._taken = []
        self._open = False


def box_between(
    first: tuple[int, int], second: tuple[int, int], scale: float, frame_size: tuple[int, int]
) -> Box | None:
    """The box that a drag means.

    Args:
        first: x and y where the button was pressed, px of the screen from the picture's top left.
        second: where it was let go; it may have left the picture.
        scale: screen pixels per frame pixel.
        frame_size: width and height of the frame, px.

    Returns:
        left, top, width, height in pixels of the frame, cut to it; None where it has no area.
    """
    (left, right), (top, bottom) = (
        sorted(min(max(place / scale, 0.0), float(limit)) for place in places)
        for *places, limit in zip(first, second, frame_size, strict=True)
    )
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
