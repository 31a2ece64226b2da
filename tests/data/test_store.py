"""The cache of decoded images follows what lies on the disk."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.data.annotations import Annotations
from aiatrack.data.readers import read_json_lines
from aiatrack.data.store import build_store, store_key


def _grey(path: Path, value: int) -> None:
    cv2.imwrite(str(path), np.full((50, 60, 3), value, dtype=np.uint8))


def _source(folder: Path, *, last_frame: int = 2) -> Annotations:
    rows = [
        {"image": "a.png", "boxes": [[5, 5, 20, 20]], "mask": "m.png", "video": "v", "frame": 1},
        {"image": "b.png", "boxes": [[5, 5, 20, 20]], "video": "v", "frame": last_frame},
    ]
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return read_json_lines(folder / "own.jsonl")


def test_images_that_arrive_later_are_taken_in(tmp_path: Path) -> None:
    _grey(tmp_path / "a.png", 10)
    _, before = build_store(_source(tmp_path), tmp_path / "cache")
    assert len(before.image_offset) == 1
    _grey(tmp_path / "b.png", 20)
    _, after = build_store(_source(tmp_path), tmp_path / "cache")
    assert len(after.image_offset) == 2
    assert not any("b.png" in problem for problem in after.problems)


def test_a_source_is_decoded_once(tmp_path: Path) -> None:
    _grey(tmp_path / "a.png", 10)
    told: list[int] = []
    for _ in range(2):
        build_store(_source(tmp_path), tmp_path / "cache", lambda name, done, of: told.append(done))
    assert told == [1]


def _touch(path: Path) -> None:
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now + 1_000_000))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: _touch(folder / "a.png"),
        lambda folder: (folder / "a.png").unlink(),
        lambda folder: _grey(folder / "m.png", 1),
        lambda folder: (folder / "a.png").write_bytes((folder / "a.png").read_bytes() + b"0"),
    ],
)
def test_the_key_changes_with_the_files(tmp_path: Path, change: Callable[[Path], object]) -> None:
    _grey(tmp_path / "a.png", 10)
    before = store_key(_source(tmp_path))
    assert store_key(_source(tmp_path)) == before
    change(tmp_path)
    assert store_key(_source(tmp_path)) != before


def test_the_key_changes_with_frame_numbers_and_mask_values(tmp_path: Path) -> None:
    source = _source(tmp_path)
    (clip,) = source.clips
    other_values = [replace(track, mask_values=np.array([2, 0])) for track in clip.tracks]
    others = [
        _source(tmp_path, last_frame=500),
        replace(source, clips=(replace(clip, tracks=tuple(other_values)),)),
        replace(
            source, clips=(replace(clip, tracks=tuple(replace(t, mask_values=None) for t in clip.tracks)),)
        ),
    ]
    assert len({store_key(one) for one in [source, *others]}) == 4
