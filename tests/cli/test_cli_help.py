"""Help that can be read and copied from, version, and a command line without arguments."""

import shlex

import pytest
import typer

import aiatrack
from aiatrack.cli.main import app

ROOT = typer.main.get_command(app)
PAGES = {name: command for name, command in ROOT.commands.items() if not hasattr(command, "commands")} | {
    f"{group} {name}": command
    for group, inner in ROOT.commands.items()
    for name, command in getattr(inner, "commands", {}).items()
}


def examples(page: str) -> list[str]:
    return [line.strip() for line in page.splitlines() if line.startswith("  aiatrack ")]


@pytest.mark.parametrize("width", ["80", "120"])
@pytest.mark.parametrize("name", PAGES)
def test_examples_are_whole_lines(name, width, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    outcome = run(*name.split(), "--help")
    assert outcome.code == 0
    shown = examples(outcome.out)
    assert shown, outcome.out
    written = [line.strip() for line in (PAGES[name].help or "").splitlines()]
    assert shown == [line for line in written if line.startswith("aiatrack ")]


@pytest.mark.parametrize("name", PAGES)
def test_examples_name_real_commands_and_options(name):
    for line in (PAGES[name].help or "").splitlines():
        if not line.strip().startswith("aiatrack "):
            continue
        words = shlex.split(line)[1:]
        called = " ".join(words[:2]) if " ".join(words[:2]) in PAGES else words[0]
        known = {option for parameter in PAGES[called].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_no_arguments_show_the_commands(run):
    outcome = run()
    assert outcome.code == 2
    assert outcome.err == ""
    for name in ("track", "demo", "info", "convert"):
        assert f" {name} " in outcome.out


def test_version(run):
    assert run("--version").out == f"aiatrack {aiatrack.__version__}\n"
