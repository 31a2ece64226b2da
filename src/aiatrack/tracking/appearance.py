"""Whether two things look alike: a cosine, in a space learned for that where there is one.

Legend: B pairs, P parts of a box, C channels, D dimensions of the learned space.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from aiatrack.errors import SettingsError
from aiatrack.paths import is_file, why_unreachable

FloatArray = npt.NDArray[np.floating[Any]]


class Appearance:
    """Measures likeness.

    Without a projection, parts are averaged first. In a learned space, where each part counts for itself, the
    same thing lies close to itself, however it is turned and lit, and far from others
    (`benchmarks/learn_appearance.py`).

    Args:
        projection: safetensors file of `weight`, `(D, P C)`, and `bias`, `(D,)`; None: no learned space.

    Raises:
        SettingsError: the file is missing, or is something else.
    """

    def __init__(self, projection: str | None = None) -> None:
        self._projection = None if projection is None else _read(Path(projection))

    def likeness(self, embeddings: FloatArray, others: FloatArray) -> npt.NDArray[np.float64]:
        """Cosine similarity of `(B, P, C)` embeddings, paired: `(B,)`; 0 where one of them is zero.

        Raises:
            SettingsError: the projection is of another network.
        """
        return cosine(self._describe(embeddings), self._describe(others))

    def _describe(self, embeddings: FloatArray) -> FloatArray:
        """From `(B, P, C)` to `(B, D)`, or to `(B, C)` without projection."""
        if self._projection is None:
            return np.asarray(embeddings.mean(axis=1))
        weight, bias = self._projection
        # In one precision: NumPy would turn the whole weight into the other's for every product.
        flat = embeddings.astype(np.float32, copy=False).reshape(len(embeddings), -1)
        if flat.shape[1] != weight.shape[1]:
            raise SettingsError(
                "the calibration is of another network: its projection takes embeddings of "
                f"{weight.shape[1]} numbers, and these have {flat.shape[1]}"
            )
        return np.asarray(flat @ weight.T + bias, np.float64)


def cosine(a: FloatArray, b: FloatArray) -> npt.NDArray[np.float64]:
    """Cosine similarity of `(..., C)` vectors, paired; 0 where one of them is zero."""
    product = (a * b).sum(axis=-1)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray(product / np.maximum(norms, 1e-12))


def _read(path: Path) -> tuple[FloatArray, FloatArray]:
    if not is_file(path):
        raise SettingsError(f"{path}, which the calibration names, is missing{why_unreachable(path)}")
    try:
        tensors = load_file(path)
        weight, bias = (tensors[name].astype(np.float32) for name in ("weight", "bias"))
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise ValueError(f"weight {weight.shape} and bias {bias.shape} do not belong together")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError("NaN or infinity in it")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise SettingsError(f"{path} is no projection of embeddings: {error}") from error
    return weight, bias
