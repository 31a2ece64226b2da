"""A window in which a box is drawn with the mouse."""

from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt

from aiatrack.errors import BoxError, SettingsError

# Not every Python has Tk; that is only an error once a window is wanted.
tkinter: ModuleType | None
try:
    import tkinter
except ImportError:
    tkinter = None

_SCREEN_SHARE = 0.85
_HINT = "Drag a box around the target.  Enter: take it.  Escape: give up."


def select_box(image: npt.NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Show a frame and let the user drag a box; Tk, since headless OpenCV has no windows.

    Args:
        image: `(H, W, 3)` uint8 RGB.

    Returns:
        left, top, width, height in pixels of the frame.

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
    box = _Window(root, image).ask()
    if box is None:
        raise BoxError("no box was drawn: drag one and press Enter, or give --box X,Y,WIDTH,HEIGHT")
    return box


class _Window:
    """One frame on a canvas, scaled down to fit the screen, and a rubber band."""

    def __init__(self, root: "tkinter.Tk", image: npt.NDArray[np.uint8]) -> None:
        self._root = root
        self._corners: tuple[int, int, int, int] | None = None
        self._taken = False
        height, width = image.shape[:2]
        room = root.winfo_screenwidth() / width, root.winfo_screenheight() / height
        self._scale = min(1.0, _SCREEN_SHARE * min(room))
        shown = cv2.resize(image, (round(width * self._scale), round(height * self._scale)))
        # Tk reads PPM from memory without any image library.
        pixels = b"P6 %d %d 255 " % (shown.shape[1], shown.shape[0]) + shown.tobytes()
        self._photo = tkinter.PhotoImage(master=root, data=pixels)
        self._canvas = tkinter.Canvas(root, width=shown.shape[1], height=shown.shape[0], cursor="crosshair")
        self._canvas.create_image(0, 0, image=self._photo, anchor="nw")
        self._band = self._canvas.create_rectangle(0, 0, 0, 0, outline="#00dc6e", width=2)
        self._canvas.pack()
        tkinter.Label(root, text=_HINT).pack()
        self._bind()

    def ask(self) -> tuple[float, float, float, float] | None:
        """Wait until the box is taken or the window closed."""
        self._root.title("aiatrack: mark the target")
        self._root.mainloop()
        if not self._taken or self._corners is None:
            return None
        x1, y1, x2, y2 = (corner / self._scale for corner in self._corners)
        left, top = min(x1, x2), min(y1, y2)
        return left, top, max(x1, x2) - left, max(y1, y2) - top

    def _bind(self) -> None:
        self._canvas.bind("<ButtonPress-1>", self._press)
        self._canvas.bind("<B1-Motion>", self._drag)
        self._root.bind("<Return>", self._take)
        self._root.bind("<Escape>", lambda _event: self._root.destroy())

    def _press(self, event: "tkinter.Event[tkinter.Canvas]") -> None:
        self._corners = (event.x, event.y, event.x, event.y)

    def _drag(self, event: "tkinter.Event[tkinter.Canvas]") -> None:
        if self._corners is not None:
            self._corners = (*self._corners[:2], event.x, event.y)
            self._canvas.coords(self._band, *self._corners)

    def _take(self, _event: object) -> None:
        if self._corners is not None:
            self._taken = True
            self._root.destroy()
