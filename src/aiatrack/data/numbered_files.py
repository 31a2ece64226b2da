"""Frame files whose names are numbers: millions of paths without storing one."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload


class NumberedFiles(Sequence[Path]):
    """Files `folder/<number><suffix>`, the number padded with zeros to `digits`."""

    def __init__(
        self, folder: Path, count: int, *, first: int = 1, digits: int = 8, suffix: str = ".jpg"
    ) -> None:
        self.folder, self._length, self._first = folder, count, first
        self._digits, self._suffix = digits, suffix

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> Path: ...
    @overload
    def __getitem__(self, place: slice) -> list[Path]: ...
    def __getitem__(self, place: int | slice) -> Path | list[Path]:
        """Return one path, or a list of them."""
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(self._length))]
        if not -self._length <= place < self._length:
            raise IndexError(f"frame {place} of {self._length} in {self.folder}")
        return self.folder / f"{self._first + place % self._length:0{self._digits}d}{self._suffix}"

    def __repr__(self) -> str:
        return f"{self.folder}/{self._first:0{self._digits}d}{self._suffix} ({self._length})"
