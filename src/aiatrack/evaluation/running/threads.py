"""A fixed number of threads, so that neither results nor times depend on how many workers run at once."""

import os
import sys

import cv2

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def set_threads(count: int) -> None:
    """Let OpenCV, PyTorch and the numerical libraries of this process use `count` threads.

    Call it before a tracker is built, for libraries that read their environment when they are loaded, and
    after, for PyTorch, which this room never imports by itself.
    """
    os.environ.update(dict.fromkeys(_VARIABLES, str(count)))
    cv2.setNumThreads(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
