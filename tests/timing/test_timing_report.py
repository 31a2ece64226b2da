"""What a report says of the machine is asked for once."""

import pytest

from aiatrack.cli.bench_table import describe_header
from aiatrack.timing import FilmTimes, Report, Spread, report

SETTINGS = {"film": "a.mp4", "width": 9, "height": 9, "frames": 3, "rounds": 1}


def test_machine_and_versions_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    machine = report.describe_surroundings()
    monkeypatch.setattr(report, "describe_surroundings", lambda: asked.append("machine") or machine)
    monkeypatch.setattr(report, "read_versions", lambda: asked.append("versions") or {"python": "3"})
    ms = Spread.of([1.0])
    measured = Report(SETTINGS, FilmTimes(ms, ms, ms), [])
    assert describe_header(measured)[1] == "python 3"
    assert measured.to_csv() != measured.to_json()
    assert sorted(asked) == ["machine", "versions"]
