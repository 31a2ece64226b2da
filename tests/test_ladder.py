"""Imports point down only, and what needs no network does not wait for PyTorch."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

LIGHT = [
    "",
    ".errors",
    ".boxes",
    ".config",
    ".crop",
    ".tracking",
    ".video",
    ".visualization",
    ".data.synthetic",
    ".data.check",
    ".evaluation",
    ".api",
    ".cli.main",
]


def test_the_ladder_of_rooms_is_kept():
    if importlib.util.find_spec("importlinter") is None:
        pytest.skip("import-linter is not installed")
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_light_rooms_do_not_import_pytorch():
    """One process imports them from the lightest to the heaviest and names the first that brings PyTorch."""
    lines = [
        f"import aiatrack{room}\nif 'torch' in sys.modules: sys.exit('aiatrack{room}')" for room in LIGHT
    ]
    code = "import sys\n" + "\n".join(lines)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{run.stderr.strip()} imports torch"


def test_import_aiatrack_alone_imports_none_of_its_rooms():
    code = "import sys, aiatrack; print([m for m in sys.modules if m.startswith('aiatrack.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def own_names(module):
    """Public names of what is defined in a module, in place of an `__all__`."""
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]


@pytest.mark.parametrize(
    "room",
    ["boxes", "config", "crop", "data", "errors", "model", "runtimes", "tracking", "video", "visualization"],
)
def test_what_a_room_offers_is_there_and_documented(room):
    module = importlib.import_module(f"aiatrack.{room}")
    assert module.__doc__
    offered = {name: getattr(module, name) for name in getattr(module, "__all__", own_names(module))}
    assert offered
    undocumented = [name for name, thing in offered.items() if callable(thing) and not thing.__doc__]
    assert undocumented in ([], ["Color"])  # a type alias, which cannot carry a docstring


def test_every_error_has_its_own_exit_code():
    from aiatrack import errors

    kinds = errors.AiATrackError.__subclasses__()
    assert len(kinds) >= 10
    codes = [kind.exit_code for kind in kinds]
    assert len({*codes, errors.AiATrackError.exit_code}) == len(kinds) + 1
    assert all(0 < code < 126 for code in codes)
