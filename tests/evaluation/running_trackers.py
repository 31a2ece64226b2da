"""Cheap trackers that worker processes import by name, and a benchmark whose frames say which they are.

Pixel (0, 0) of a frame is the number of its sequence; pixel (0, 1) is 255 in the last frame.
"""

import os
import signal
import threading
import time
from pathlib import Path

import cv2
import numpy as np

LOG = "AIATRACK_TEST_LOG"
"""Environment variable: a file to which trackers append `start N` and `end N`."""

LENGTHS = [4, 6, 5]
"""Frames of the sequences that the fixture `run` tracks."""


def write_benchmark(root: Path, lengths: list[int]) -> Path:
    """Own-folders benchmark of sequences `s0`, `s1`, ... of 32 x 24 frames."""
    random = np.random.default_rng(0)
    for number, length in enumerate(lengths):
        folder = root / f"s{number}"
        (folder / "img").mkdir(parents=True)
        for index in range(length):
            frame = random.integers(0, 200, (24, 32, 3), dtype=np.uint8)
            frame[0, 0] = number
            frame[0, 1] = 255 * (index == length - 1)
            cv2.imwrite(str(folder / "img" / f"{index:03d}.png"), frame)
        (folder / "groundtruth.txt").write_text(
            "".join(f"{3 + number % 5},4,{8 + i % 3},6\n" for i in range(length))
        )
    return root


class Drift:
    """A box moved by what the pixels say, so that skipped or swapped frames show."""

    number = -1

    def start(self, frame: np.ndarray, box: tuple[float, ...]) -> None:
        self.number = int(frame[0, 0, 0])
        self.box = np.array(box)
        self._log("start")

    def update(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        self.box = self.box + np.array([frame.mean(), -frame[2:5].mean(), 0, 0]) / 997
        if frame[0, 1, 0] == 255:
            self._log("end")
        return self.box, float(frame.std() / 100)

    def _log(self, what: str) -> None:
        if LOG in os.environ:
            # One short write to a file opened for appending is never torn.
            handle = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, f"{what} {self.number}\n".encode())
            os.close(handle)


class Slow(Drift):
    def update(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        time.sleep(0.01)
        return super().update(frame)


class CrashingOn1(Drift):
    def update(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        if self.number == 1:
            raise ZeroDivisionError("cannot follow sequence one")
        return super().update(frame)


class KilledOnceOn1(Drift):
    """Its process is killed in its first run of sequence 1."""

    def update(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        started = Path(os.environ[LOG]).read_text().split("\n").count("start 1")
        if self.number == 1 and started == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().update(frame)


class LeavesAThreadOn1(Drift):
    """Crashes in sequence 1 while a thread that Python waits for still runs."""

    def update(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        if self.number == 1:
            threading.Thread(target=time.sleep, args=(30,)).start()
            raise ZeroDivisionError("cannot follow sequence one")
        return super().update(frame)


class NotANumberOn1(Drift):
    def update(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        box, score = super().update(frame)
        return box * (np.nan if self.number == 1 else 1), score


class UnsureOn1(Drift):
    def update(self, frame: np.ndarray) -> tuple[np.ndarray, float]:
        box, score = super().update(frame)
        return box, np.nan if self.number == 1 else score


class Unbuildable:
    def __init__(self) -> None:
        raise RuntimeError("no such thing today")

    def start(self, frame: np.ndarray, box: tuple[float, ...]) -> None: ...

    def update(self, frame: np.ndarray) -> None: ...


class Scoreless(Drift):
    def update(self, frame: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return super().update(frame)[0]


not_callable = 7
