"""The cache of converted graphs forgets what nobody has used for long, and nothing else."""

import os
import time
from pathlib import Path

import pytest

from aiatrack.config import read_stored_settings
from aiatrack.model import load_network

DAY_S = 24 * 3600.0


@pytest.fixture
def conversion():
    pytest.importorskip("openvino")
    from aiatrack.runtimes import openvino_conversion

    return openvino_conversion


@pytest.fixture
def read_remember(conversion, tiny_weights):
    """Read the smallest graph through a cache, which converts it if the cache has none."""

    def read(cache):
        from aiatrack.runtimes.openvino import process_core

        settings = read_stored_settings(tiny_weights).network
        source = conversion.ConvertedGraphs(
            tiny_weights, settings, lambda: load_network(tiny_weights)[1], cache
        )
        source.read(process_core(), "remember")

    return read


def put(folder: Path, age_days: float) -> Path:
    folder.mkdir(parents=True)
    (folder / "encode.xml").write_text("a graph")
    os.utime(folder, (time.time() - age_days * DAY_S,) * 2)
    return folder


def test_graphs_unused_for_long_make_room_for_new_ones(read_remember, tmp_path):
    old, recent = put(tmp_path / ("a" * 32), 91), put(tmp_path / ("b" * 32), 89)
    others = [put(tmp_path / name, 400) for name in ("inductor", "data", "c" * 31, "A" * 32)]
    file = tmp_path / ("d" * 32)
    file.write_text("no folder")
    os.utime(file, (0, 0))
    read_remember(tmp_path)
    assert not old.exists()
    assert recent.is_dir() and all(other.is_dir() for other in others) and file.is_file()


def test_graphs_that_are_used_stay(read_remember, tmp_path):
    read_remember(tmp_path)
    (used,) = tmp_path.iterdir()
    os.utime(used, (time.time() - 91 * DAY_S,) * 2)
    read_remember(tmp_path)
    assert time.time() - used.stat().st_mtime < DAY_S


def test_a_cache_that_cannot_be_tidied_fails_no_run(read_remember, conversion, tmp_path, monkeypatch):
    old = put(tmp_path / ("a" * 32), 91)

    def refuse(*_, **__):
        raise PermissionError("not yours")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(os, "rmdir", refuse)
    read_remember(tmp_path)
    read_remember(tmp_path)
    assert old.is_dir()


def test_a_cache_needs_no_home_if_it_is_named(conversion, monkeypatch, tmp_path):
    def no_home(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("AIATRACK_CACHE")
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(Path, "expanduser", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert conversion.cache_folder() is None
    monkeypatch.setenv("AIATRACK_CACHE", "~/graphs")
    assert conversion.cache_folder() is None, "not a folder called ~"
    monkeypatch.setenv("AIATRACK_CACHE", "")
    assert conversion.cache_folder() is None
