"""The command line, run in this process as `main` runs it."""

import sys
from pathlib import Path

import pytest
from cli_inputs import Outcome, Run, make_film, make_film_with_sound

from aiatrack.cli.main import main


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def invoke(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["aiatrack", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
        code = leaving.value.code
        assert isinstance(code, int)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return invoke


@pytest.fixture
def track(run: Run, tiny_weights: Path) -> Run:
    """`aiatrack track` with the tiny network, unless the arguments name another."""
    return lambda *arguments: run("track", "--model", tiny_weights, *arguments)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames, 25 a second."""
    return make_film(tmp_path_factory.mktemp("film") / "street.mp4", 12)


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames: enough to lose a target."""
    return make_film(tmp_path_factory.mktemp("film") / "long.mp4", 20)


@pytest.fixture(scope="session")
def film_with_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames of uneven times, with sound."""
    return make_film_with_sound(tmp_path_factory.mktemp("film") / "loud.mp4")
