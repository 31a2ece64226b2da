"""What `manifest.json` says of a run, and when it is written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running_trackers import LENGTHS

from aiatrack.errors import DataError
from aiatrack.evaluation.running import Observer, Outcome, manifest

Run = Callable[..., Outcome]


def test_the_manifest_says_how_the_results_were_made(run: Run, tmp_path: Path) -> None:
    run(threads=2)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    identity, totals = manifest["identity"], manifest["totals"]
    assert identity["tracker"]["kind"] == "python:running_trackers:Drift"
    assert len(identity["tracker"]["source_sha256"]) == 64
    assert (identity["benchmark"], identity["threads_per_worker"], identity["box_decimals"]) == (
        "folders",
        2,
        4,
    )
    assert totals["frames"] == sum(LENGTHS)
    seconds = totals["seconds"]
    assert seconds["with_decoding"] > seconds["without_decoding"] >= seconds["tracking"] > 0
    assert manifest["sessions"][0]["versions"]["numpy"] == np.__version__
    assert manifest["sequences"]["s1"]["frames"] == LENGTHS[1]


def test_what_grows_with_the_sequences_is_written_once_at_the_end(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[dict[str, object]] = []
    write_text = manifest.write_text

    def record(path: Path, text: str) -> None:
        written.append(json.loads(text))
        write_text(path, text)

    monkeypatch.setattr(manifest, "write_text", record)
    run("CrashingOn1", retries=0)
    assert ["sequences" in content for content in written] == [False, False, True]
    assert [list(content["failed"]) for content in written] == [[], ["s1"], ["s1"]]  # type: ignore[call-overload]
    assert written[-1]["totals"]["sequences"] == 2  # type: ignore[index]


def test_a_stopped_run_leaves_a_whole_manifest(run: Run, tmp_path: Path) -> None:
    class Stopper(Observer):
        def finished(self, worker: int, sequence: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(observer=Stopper())
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert list(content["sequences"]) == ["s1"]
    assert content["totals"]["frames"] == LENGTHS[1]
    run()
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert list(content["sequences"]) == ["s0", "s1", "s2"]
    assert len(content["sessions"]) == 2


def test_a_manifest_that_cannot_be_read_is_an_error_of_ours(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()

    def fail(path: Path, **_options: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", fail)
    with pytest.raises(DataError, match=r"cannot read .*manifest\.json: Permission denied; give another"):
        manifest.Manifest(tmp_path / "out" / "manifest.json", {})
