"""Whether two things look alike: a cosine, in a space learned for that where there is one.

Legend: B pairs, P parts of a box, C channels, D dimensions of the learned space, H hidden units.
"""

from dataclasses import dataclass
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
        projection: safetensors file of a `Projection`; None: no learned space.

    Raises:
        SettingsError: the file is missing, or is something else.
    """

    def __init__(self, projection: str | None = None) -> None:
        self._projection = None if projection is None else _read(Path(projection))

    def likeness(self, embeddings: FloatArray, others: FloatArray) -> npt.NDArray[np.float64]:
        """Cosine similarity, 0 where one of the two is zero.

        Args:
            embeddings: `(B, P, C)`.
            others: `(..., B, P, C)` to be compared with them, each with its own.

        Returns:
            `(..., B)`.

        Raises:
            SettingsError: the projection is of another network.
        """
        # All in one product: the weights are read once.
        together = np.concatenate((embeddings[None], others.reshape(-1, *embeddings.shape)))
        described = self._describe(together.reshape(-1, *embeddings.shape[1:]))
        first, *rest = described.reshape(*together.shape[:2], -1)
        return cosine(first, np.asarray(rest)).reshape(others.shape[:-2])

    def to_bytes(self) -> bytes:
        """The learned space's weights; empty without one."""
        if self._projection is None:
            return b""
        return b"".join(np.ascontiguousarray(part).tobytes() for part in vars(self._projection).values())

    def check(self, embedding: FloatArray) -> None:
        """Make sure that a `(P, C)` embedding can be measured.

        Raises:
            SettingsError: the projection is of another network.
        """
        self._describe(embedding[None])

    def _describe(self, embeddings: FloatArray) -> FloatArray:
        """From `(B, P, C)` to `(B, D)`, or to `(B, C)` without projection."""
        if self._projection is None:
            return np.asarray(embeddings.mean(axis=1))
        # In one precision: NumPy would turn the whole weight into the other's for every product.
        flat = embeddings.astype(np.float32, copy=False).reshape(len(embeddings), -1)
        width = self._projection.weight.shape[1]
        if flat.shape[1] != width:
            raise SettingsError(
                "the calibration is of another network: its projection takes embeddings of "
                f"{width} numbers, and these have {flat.shape[1]}"
            )
        return np.asarray(self._projection(flat), np.float64)


@dataclass(frozen=True)
class Projection:
    """Into the learned space: a linear map, `y = W x + b`, then `y + O relu(V y + c)`, a hidden layer.

    Attributes:
        weight: W, `(D, P C)`.
        bias: b, `(D,)`.
        hidden_weight: V, `(H, D)`; H is 0 where the map is linear.
        hidden_bias: c, `(H,)`.
        output_weight: O, `(D, H)`.
    """

    weight: FloatArray
    bias: FloatArray
    hidden_weight: FloatArray
    hidden_bias: FloatArray
    output_weight: FloatArray

    def __call__(self, embeddings: FloatArray) -> FloatArray:
        """Map `(B, P C)` to `(B, D)`."""
        straight = embeddings @ self.weight.T + self.bias
        hidden = np.maximum(straight @ self.hidden_weight.T + self.hidden_bias, 0)
        return np.asarray(straight + hidden @ self.output_weight.T)

    def check(self) -> None:
        """Raises ValueError where the parts do not belong together, or are no numbers."""
        dimensions, _ = self.weight.shape
        hidden = len(self.hidden_bias)
        shapes = (dimensions,), (hidden, dimensions), (hidden,), (dimensions, hidden)
        parts = self.bias, self.hidden_weight, self.hidden_bias, self.output_weight
        if any(part.shape != shape for part, shape in zip(parts, shapes, strict=True)):
            raise ValueError(f"weights of shapes {[part.shape for part in parts]} do not belong together")
        if not all(np.isfinite(part).all() for part in (self.weight, *parts)):
            raise ValueError("NaN or infinity in it")


def cosine(a: FloatArray, b: FloatArray) -> npt.NDArray[np.float64]:
    """Cosine similarity of `(..., C)` vectors, paired; 0 where one of them is zero."""
    product = (a * b).sum(axis=-1)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray(product / np.maximum(norms, 1e-12))


def _read(path: Path) -> Projection:
    if not is_file(path):
        raise SettingsError(f"{path}, which the calibration names, is missing{why_unreachable(path)}")
    try:
        tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(path).items()}
        dimensions = len(tensors["weight"])
        linear = {
            "hidden_weight": np.empty((0, dimensions), np.float32),
            "hidden_bias": np.empty(0, np.float32),
            "output_weight": np.empty((dimensions, 0), np.float32),
        }
        projection = Projection(**(linear | tensors))
        projection.check()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"{path} is no projection of embeddings: {error}") from error
    return projection
