"""Pixels of picture files, whatever letters their paths are of."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


def read_picture(path: Path, flags: int = cv2.IMREAD_COLOR) -> npt.NDArray[Any] | None:
    """Read a picture as OpenCV decodes it: `(H, W, 3)` uint8 BGR, upright, unless `flags` say otherwise.

    Returns:
        None if the file is missing, damaged or no picture.
    """
    try:
        # Read by Python: on Windows OpenCV's own reading knows few letters.
        data = path.read_bytes()
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except (OSError, cv2.error):
        return None
