"""Home and the user's cache, also where there are none; folders with links among them."""

import sys
from pathlib import Path

import pytest

from aiatrack.paths import expand_home, user_cache, walk_folders


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def no_home(*_):
    raise RuntimeError("Could not determine home directory.")


def test_home_is_expanded_where_it_is_known(home, monkeypatch):
    assert expand_home("~/film.mp4") == expand_home(Path("~/film.mp4")) == home / "film.mp4"
    assert expand_home("a/~/b") == Path("a/~/b")
    assert expand_home("~nobody-of-this-name.txt") == Path("~nobody-of-this-name.txt")
    monkeypatch.setattr(Path, "expanduser", no_home)
    assert expand_home("~/film.mp4") == Path("~/film.mp4")


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_each_platform_has_its_cache(home, monkeypatch, platform, folder):
    monkeypatch.setattr(sys, "platform", platform)
    assert user_cache() == home / folder / "aiatrack"
    monkeypatch.setattr(Path, "home", no_home)
    assert user_cache() is None


@pytest.mark.parametrize(("platform", "name"), [("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")])
def test_a_cache_that_is_named_needs_no_home(home, monkeypatch, platform, name):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv(name, "")
    assert user_cache() is None
    monkeypatch.setenv(name, str(home / "mine"))
    assert user_cache() == home / "mine" / "aiatrack"


def test_linked_folders_are_walked_once_and_circles_end(tmp_path):
    for name in ("root/own/deep", "apart/inner"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").touch()
    root = tmp_path / "root"
    for name, target in {"a": "own", "b": "../apart", "c": ".", "own/up": "..", "z": "../apart"}.items():
        (root / name).symlink_to(root / target if "/" not in name else root, target_is_directory=True)
    found = {folder.relative_to(root).as_posix(): files for folder, files in walk_folders(root)}
    assert found == {".": [], "own": [], "own/deep": ["file"], "b": [], "b/inner": ["file"]}
    assert list(walk_folders(tmp_path / "none")) == []
