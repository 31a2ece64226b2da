"""What docs/tracking.md states, held against the code."""

import re
import shlex
from pathlib import Path

import typer
import yaml

from aiatrack import config, errors
from aiatrack.cli.main import app
from aiatrack.config import TrackingSettings, benchmark_tracking

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tracking.md").read_text(encoding="utf-8")


def test_examples_name_real_commands_and_options():
    commands = typer.main.get_command(app).commands
    lines = [line for line in PAGE.splitlines() if line.startswith("aiatrack ")]
    assert len(lines) > 10
    for line in lines:
        _, name, *words = shlex.split(line)
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_exit_codes():
    stated = {name: int(code) for code, name in re.findall(r"^\| (\d+) \|.*`(\w+)` \|$", PAGE, re.MULTILINE)}
    kinds = [errors.AiATrackError, *errors.AiATrackError.__subclasses__()]
    assert stated == {kind.__name__: kind.exit_code for kind in kinds}


def test_settings_of_benchmarks():
    rows = re.findall(r"^\| (`.*`) \| (\d+) \| (\d+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    stated = {
        name: (int(capacity), int(ensemble), float(score))
        for names, capacity, ensemble, score in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    table = yaml.safe_load((Path(config.__file__).parent / "benchmark_tracking.yaml").read_text())
    settings = {name: TrackingSettings(**benchmark_tracking(name)) for name in table}
    assert stated == {
        name: (s.memory_capacity, s.ensemble_size, s.min_score_to_remember) for name, s in settings.items()
    }
