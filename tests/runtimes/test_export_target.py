"""Where an export goes, and what is found out before any work is done."""

import sys
from pathlib import Path

import pytest

import aiatrack
from aiatrack.api.export import export
from aiatrack.errors import MissingExtraError
from aiatrack.runtimes.signatures import EXPORTED


def test_int8_without_its_package_is_refused_before_calibrating(tiny_weights, tmp_path, monkeypatch):
    def not_to_be_called(*_, **__):
        raise AssertionError("calibrating takes minutes")

    monkeypatch.setattr("aiatrack.runtimes.calibration.gather_samples", not_to_be_called)
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r"needs nncf.*aiatrack\[export\]"):
        export(tiny_weights, tmp_path / "out", format="openvino", precision="int8")
    assert not list(tmp_path.iterdir())


def test_a_link_to_an_export_stays_one(tiny_weights, tmp_path, monkeypatch):
    def write_quickly(_network, draft, _samples):
        for name in EXPORTED:
            (draft.folder / f"{name}.pt2").write_text("a graph")

    monkeypatch.setattr("aiatrack.runtimes.export._write_graphs", write_quickly)
    monkeypatch.setattr("aiatrack.runtimes.export.run_exported", lambda draft: None)
    monkeypatch.setattr("aiatrack.runtimes.export.compare", lambda *_: {"encode.tokens": 0.0})
    earlier, link = tmp_path / "earlier", tmp_path / "link"
    earlier.mkdir()
    (earlier / "metadata.json").write_text("{}")
    link.symlink_to("earlier")
    export(tiny_weights, link, format="torch", overwrite=True)
    assert link.readlink() == Path("earlier")
    assert (earlier / "encode.pt2").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["earlier", "link"]


def test_an_export_may_lie_at_home(tiny_weights, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # where a folder called ~ would appear
    (tmp_path / "taken").mkdir()
    with pytest.raises(aiatrack.errors.OutputError, match="taken exists and is no exported model"):
        export(tiny_weights, "~/taken", format="torch")
