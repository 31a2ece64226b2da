"""Data files inside the package, found by their names."""

from dataclasses import dataclass
from pathlib import Path

from aiatrack.errors import SettingsError
from aiatrack.paths import expand_home, is_file, why_unreachable


@dataclass(frozen=True)
class ShippedFiles:
    """The files of one folder of the package, such as `lite.yaml`, by what they are called.

    Attributes:
        kind: what each is, for messages.
        folder: inside the package.
        suffix: that their file names end with.
        alternative: what may be named instead, for messages; empty where nothing may.
    """

    kind: str
    folder: Path
    suffix: str = ".yaml"
    alternative: str = ""

    def names(self) -> list[str]:
        """In alphabetical order, such as `lite`."""
        return sorted(path.stem for path in self.folder.iterdir() if path.name.endswith(self.suffix))

    def read(self, name: str) -> str:
        """Read one as text.

        Raises:
            SettingsError: there is none of that name; the message lists those that exist.
        """
        if name not in self.names():
            raise self._unknown(name)
        return self._path(name).read_text(encoding="utf-8")

    def locate(self, name_or_path: str) -> Path:
        """Path of one of them by its name, or else of a file of the user's, whose `~` is expanded.

        Raises:
            SettingsError: there is neither.
        """
        if name_or_path in self.names():
            return self._path(name_or_path)
        path = expand_home(name_or_path)
        if not is_file(path):
            raise self._unknown(name_or_path, why_unreachable(path))
        return path

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{self.suffix}"

    def _unknown(self, name: str, why: str = "") -> SettingsError:
        names = ", ".join(self.names())
        or_else = f", or {self.alternative}" if self.alternative else ""
        return SettingsError(f"there is no {self.kind} {name!r}{why}: choose one of {names}{or_else}")
