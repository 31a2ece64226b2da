"""What a folder of results says about itself: how they were made, where, how fast, and what failed."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aiatrack.atomic_files import write_text
from aiatrack.config import list_differences
from aiatrack.errors import DataError, SettingsError
from aiatrack.evaluation.running.surroundings import describe_machine, read_versions
from aiatrack.paths import is_file

_CLOCKS = ("with_decoding", "without_decoding", "tracking")


class Manifest:
    """`manifest.json` of one folder; the whole file is replaced at every change.

    While a session lasts, it holds identity, sessions and failures. What grows with the sequences, their
    records and totals, is written once, at the end: `records` keeps each of them safe until then.

    Args:
        path: of the file.
        identity: all that decides the results, as plain data.

    Raises:
        SettingsError: the file was made with another identity.
        DataError: it is damaged or cannot be read.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self._path = path
        plain = json.loads(json.dumps(identity))
        found = _read_manifest(path) if is_file(path) else {}
        _check_identity(found.get("identity", plain), plain, path.parent)
        self._identity = plain
        self._sessions: list[dict[str, Any]] = list(found.get("sessions", ()))
        self._records: dict[str, Any] = {}
        self._failed: dict[str, str] = {}

    @property
    def session(self) -> int:
        """Number of the present session, from 0."""
        return len(self._sessions) - 1

    def begin_session(self, *, jobs: int, records: Mapping[str, Any], failed: Mapping[str, str]) -> None:
        """Note that another call works on the folder.

        Args:
            jobs: how many workers run at once, which decides nothing.
            records: of the sequences that earlier calls finished.
            failed: why, by name of the sequences that cannot be run.
        """
        self._records, self._failed = dict(records), dict(failed)
        session = {
            "started": now(),
            "jobs": jobs,
            "machine": describe_machine(),
            "versions": read_versions(),
        }
        self._sessions.append(session)
        self._write()

    def add_record(self, name: str, record: Any) -> None:
        """Remember for the end of the session that a sequence is done."""
        self._records[name] = record

    def add_failure(self, name: str, reason: str) -> None:
        """Note that a sequence was given up in this session."""
        self._failed[name] = reason
        self._write()

    def end_session(self) -> None:
        """Write the records of all sequences that are done, and their totals."""
        self._write(totals=_total(self._records.values()), sequences=dict(sorted(self._records.items())))

    def _write(self, **at_the_end: Any) -> None:
        content = {
            "identity": self._identity,
            "sessions": self._sessions,
            "failed": dict(sorted(self._failed.items())),
            **at_the_end,
        }
        write_text(self._path, json.dumps(content, indent=1) + "\n")


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _read_manifest(path: Path) -> dict[str, Any]:
    """Identity and sessions.

    Raises:
        DataError: the file is damaged or cannot be read.
    """
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {key: manifest[key] for key in ("identity", "sessions")}
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror}; give another folder for the results"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): give another folder for the results") from error


def _check_identity(old: Any, new: Any, folder: Path) -> None:
    differences = [
        f"{name} is {before!r} there and {after!r} now" for name, before, after in list_differences(old, new)
    ]
    if differences:
        more = "; ..." if len(differences) > 5 else ""
        raise SettingsError(
            f"{folder} was made with other settings, and results must not be mixed: "
            f"{'; '.join(differences[:5])}{more}. Give another folder, or remove this one"
        )


def _total(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    listed = list(records)
    frames = sum(record["frames"] for record in listed)
    seconds = {clock: round(sum(record["seconds"][clock] for record in listed), 6) for clock in _CLOCKS}
    speeds = {clock: round(frames / value, 2) for clock, value in seconds.items() if value}
    return {"sequences": len(listed), "frames": frames, "seconds": seconds, "frames_per_second": speeds}
