"""What all settings share: frozen, unknown keys refused, errors of our own tree."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import Self

from aiatrack.errors import SettingsError


class FrozenSettings(BaseModel):
    """A room's settings: immutable, checked when built, refusing keys that they do not know.

    Numbers are finite: with one that is not, much ends well and is worth nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(_describe(type(self).__name__, error)) from error

    @classmethod
    def parse(cls, values: Any, origin: str) -> Self:
        """Build from plain data, such as a parsed YAML file.

        Args:
            values: mapping of field names to values.
            origin: where the data came from, for the error message.

        Raises:
            SettingsError: naming the field, what was got and `origin`.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(_describe(origin, error)) from error

    def replace(self, **changes: Any) -> Self:
        """Return a checked copy with some fields changed."""
        return self.parse(self.model_dump() | changes, origin=type(self).__name__)


def _describe(origin: str, error: ValidationError) -> str:
    return f"{origin}: " + "; ".join(_problems(error, ()))


def _problems(error: ValidationError, place: tuple[int | str, ...]) -> Iterator[str]:
    """Say what is wrong with each field, those of settings inside settings by their full names."""
    for problem in error.errors():
        where = (*place, *problem["loc"])
        reason = problem.get("ctx", {}).get("error")
        if isinstance(reason, SettingsError) and isinstance(reason.__cause__, ValidationError):
            yield from _problems(reason.__cause__, where)
            continue
        field = ".".join(str(part) for part in where) or "settings"
        message = f"{field}: {problem['msg'].removeprefix('Value error, ')}"
        # A check of settings together, or a field that is missing, got all the settings around it.
        is_of_all = problem["type"] in ("value_error", "missing") and isinstance(problem["input"], dict)
        yield message if is_of_all else f"{message} (got {problem['input']!r:.200})"
