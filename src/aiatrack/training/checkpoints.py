"""Checkpoints of a run: replaced atomically, the newest few and the best kept, loaded as tensors only."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from aiatrack.atomic_files import replace_file
from aiatrack.errors import OutputError, TrainingError


class CheckpointFolder:
    """The checkpoints of one run.

    Args:
        folder: where they lie; made when first written to.
        kept: newest checkpoints kept beside the best one.
    """

    def __init__(self, folder: Path, kept: int = 3) -> None:
        self._folder = folder
        self._kept = kept

    @property
    def best_path(self) -> Path:
        """Where the best checkpoint lies, if there is one yet."""
        return self._folder / "best.pt"

    def paths(self) -> list[Path]:
        """Checkpoints by step, oldest first, without the best one."""
        return sorted(self._folder.glob("step_*.pt"))

    def save(self, state: dict[str, Any], step: int) -> Path:
        """Write the checkpoint of an optimiser step and remove those that are too old.

        Raises:
            OutputError: the folder cannot be written to.
        """
        path = self._folder / f"step_{step:09d}.pt"
        save_atomically(state, path)
        # A process killed while writing leaves its draft behind, named by `replace_file`.
        for old in [*self.paths()[: -self._kept], *self._folder.glob(".*.pt.*")]:
            old.unlink(missing_ok=True)
        return path

    def save_best(self, state: dict[str, Any]) -> Path:
        """Write the best checkpoint over the one before."""
        save_atomically(state, self.best_path)
        return self.best_path

    def load_newest(self) -> dict[str, Any] | None:
        """Read the newest checkpoint that is whole; none if the run has not written any.

        Raises:
            TrainingError: there are checkpoints, and none can be read.
        """
        problems = []
        for path in reversed(self.paths()):
            try:
                return load_checkpoint(path)
            except TrainingError as error:
                problems.append(str(error))
        if problems:
            raise TrainingError(
                "no checkpoint can be read; start afresh in another folder: " + "; ".join(problems)
            )
        return None


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain data to `path`, which is old or new at every moment and never half of either.

    Raises:
        OutputError: no permission or no space.
    """
    try:
        with replace_file(path) as draft:
            torch.save(state, draft)
    except RuntimeError as error:  # PyTorch's writer, which tells of positions and not of what went wrong
        raise OutputError(
            f"cannot write checkpoint {path} whole: no space left, most likely; free some or choose another "
            "folder"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, refusing anything but tensors and plain data.

    Raises:
        TrainingError: the file is missing, damaged or not a checkpoint of ours.
    """
    try:
        _check_sums(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything at all
        raise TrainingError(f"cannot read checkpoint {path}: {type(error).__name__}: {error}") from error
    if not isinstance(state, dict) or "step" not in state:
        raise TrainingError(f"{path} is not a checkpoint of a training run: it has no step")
    return state


def _check_sums(path: Path) -> None:
    """Read the file once for its check sums, which PyTorch writes and never looks at.

    Raises:
        ValueError: a part of it is damaged.
        zipfile.BadZipFile: it is not whole, or not of PyTorch.
    """
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the check sum of {damaged} is wrong")
