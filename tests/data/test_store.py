"""The cache of decoded images follows what lies on the disk."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.data.annotations import Annotations
from aiatrack.data.images import FlatImages
from aiatrack.data.readers import read_json_lines
from aiatrack.data.store import build_store, store_key
from aiatrack.errors import DataError


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


def test_problems_of_the_annotations_are_those_of_now(tmp_path: Path) -> None:
    _grey(tmp_path / "a.png", 10)
    repaired = _source(tmp_path)
    broken = replace(repaired, problems=("own.jsonl, line 3: not JSON",))
    assert store_key(broken) == store_key(repaired)
    for _ in range(2):  # made, and found
        _, index = build_store(broken, tmp_path / "cache")
        assert index.problems[0] == "own.jsonl, line 3: not JSON"
        assert len(index.problems) == 3  # and the mask and the image that are missing
    _, index = build_store(repaired, tmp_path / "cache")
    assert len(index.problems) == 2
    assert not any("line 3" in problem for problem in index.problems)


def _damage(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("place", [0, 5, 60, 200, -100, -10])
def test_a_damaged_index_says_what_to_do(tmp_path: Path, place: int) -> None:
    _grey(tmp_path / "a.png", 10)
    build_store(_source(tmp_path), tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*.npz")
    _damage(index, place)
    try:
        build_store(_source(tmp_path), tmp_path / "cache")
    except DataError as error:
        assert "delete it to have it made anew" in str(error)


def test_an_index_cut_short_says_what_to_do(tmp_path: Path) -> None:
    _grey(tmp_path / "a.png", 10)
    build_store(_source(tmp_path), tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*.npz")
    index.write_bytes(index.read_bytes()[:300])
    with pytest.raises(DataError, match=r"npz is not an index .*delete it to have it made anew"):
        build_store(_source(tmp_path), tmp_path / "cache")


@pytest.mark.parametrize("size", [0, 100])
def test_a_flat_file_of_the_wrong_size_is_made_anew(tmp_path: Path, size: int) -> None:
    _grey(tmp_path / "a.png", 10)
    flat, _ = build_store(_source(tmp_path), tmp_path / "cache")
    whole = flat.read_bytes()
    flat.write_bytes(whole[:size])
    flat, index = build_store(_source(tmp_path), tmp_path / "cache")
    assert flat.read_bytes() == whole
    assert (FlatImages([flat], [index]).read(0) == 10).all()


def test_drafts_of_killed_builds_are_removed_after_a_day(tmp_path: Path) -> None:
    _grey(tmp_path / "a.png", 10)
    cache = tmp_path / "cache"
    cache.mkdir()
    stale, fresh, foreign = cache / ".own-1.u8.abc", cache / ".own-2.npz.abc", cache / ".notes"
    for path, hours in ((stale, 25), (fresh, 1), (foreign, 25)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    build_store(_source(tmp_path), cache)
    assert [path.exists() for path in (stale, fresh, foreign)] == [False, True, True]
