"""The stream is the same data however it is cut: resumed, sliced over processes, prepared by workers."""

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from aiatrack.config import DataSettings, SourceSettings
from aiatrack.data import SampleBatch, build_batches, stream
from aiatrack.errors import DataError, SettingsError

_CROP = 64


def _write_source(folder: Path, clips: int = 2, frames: int = 6, stills: int = 4) -> Path:
    """Write a small source: a bright square on noise, with masks, as stills and as clips."""
    rng = np.random.default_rng(0)
    rows = []
    for clip, count in [(f"clip{c}", frames) for c in range(clips)] + [(None, stills)]:
        for t in range(count):
            x, y = 20 + 3 * t, 30 + 2 * t
            image = rng.integers(0, 120, (96, 128, 3), dtype=np.uint8)
            image[y : y + 24, x : x + 30] = (40, 200, 230)
            mask = np.zeros((96, 128), dtype=np.uint8)
            mask[y : y + 24, x : x + 30] = 1
            name = f"{clip or 'still'}_{t}.png"
            cv2.imwrite(str(folder / name), image)
            cv2.imwrite(str(folder / f"mask_{name}"), mask)
            rows.append(
                {
                    "image": name,
                    "boxes": [[x, y, 30, 24]],
                    "labels": ["square"],
                    "mask": f"mask_{name}",
                    "video": clip,
                    "frame": t if clip else None,
                }
            )
    path = folder / "squares.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> DataSettings:
    folder = tmp_path_factory.mktemp("source")
    return DataSettings(
        sources=(SourceSettings(path=_write_source(folder)),),
        cache=folder / "cache",
        validation_share=0.0,
        validation_clip_share=0.0,
    )


def _take(settings: DataSettings, count: int, **changes: int) -> list[SampleBatch]:
    arguments = {"batch_size": 4, "seed": 7} | changes
    batches = build_batches(settings, crop_size=_CROP, search_factor=4.0, **arguments)  # type: ignore[arg-type]
    return [next(batches) for _ in range(count)]


def _equal(a: SampleBatch, b: SampleBatch) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_shapes_types_and_ranges(settings: DataSettings) -> None:
    (batch,) = _take(settings, 1)
    assert batch.reference_crops.shape == (4, 2, _CROP, _CROP, 3)
    assert batch.reference_crops.dtype == batch.search_crops.dtype == torch.uint8
    assert batch.reference_padding.shape == (4, 2, _CROP, _CROP)
    assert batch.search_padding.dtype == torch.bool
    assert batch.search_boxes_xywh.shape == (4, 4)
    assert batch.proposals_xywh.shape == (4, 16, 4)
    assert ((batch.proposal_iou > 0.1) & (batch.proposal_iou <= 1)).all()
    assert (batch.search_crops[batch.search_padding] == 0).all()


def test_resumed_stream_sees_the_same_batches(settings: DataSettings) -> None:
    whole, resumed = _take(settings, 5), _take(settings, 2, start_step=3)
    assert all(_equal(a, b) for a, b in zip(whole[3:], resumed, strict=True))
    assert not _equal(whole[0], whole[1])


def test_two_processes_share_the_batch_of_one(settings: DataSettings) -> None:
    (whole,) = _take(settings, 1)
    halves = [_take(settings, 1, batch_size=2, rank=rank, world_size=2)[0] for rank in range(2)]
    joined = SampleBatch(*(torch.cat(parts) for parts in zip(*halves, strict=True)))
    assert _equal(whole, joined)


def test_a_worker_changes_nothing(settings: DataSettings) -> None:
    inline = _take(settings, 4)
    ahead = _take(settings.replace(workers=1), 4)
    assert all(_equal(a, b) for a, b in zip(inline, ahead, strict=True))


@pytest.mark.parametrize(
    ("cores", "wanted", "started"), [(2, 8, 2), (1, 8, 2), (16, 8, 8), (4, 0, 0), (1, 1, 1)]
)
def test_there_are_not_many_more_workers_than_cores(
    monkeypatch: pytest.MonkeyPatch, settings: DataSettings, cores: int, wanted: int, started: int
) -> None:
    asked: list[int] = []

    def load(*_: object, num_workers: int, **__: object) -> list[object]:
        asked.append(num_workers)
        return []

    monkeypatch.setattr(stream, "DataLoader", load)
    monkeypatch.setattr(stream.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    batches = build_batches(
        settings.replace(workers=wanted), batch_size=4, crop_size=_CROP, search_factor=4.0, seed=7
    )
    assert list(batches) == [] and asked == [started]


def test_workers_end_with_a_run_that_is_killed(settings: DataSettings, tmp_path: Path) -> None:
    """Else every killed training would leave its workers behind, with all their memory."""
    (tmp_path / "run.py").write_text(
        "import multiprocessing, sys, time\n"
        "from aiatrack.config import DataSettings\n"
        "from aiatrack.data import build_batches\n"
        "if __name__ == '__main__':\n"
        "    settings = DataSettings.model_validate_json(sys.argv[1])\n"
        "    batches = build_batches(settings, batch_size=1, crop_size=64, search_factor=4.0, seed=0)\n"
        "    next(batches)\n"
        "    print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, str(tmp_path / "run.py"), settings.replace(workers=2).model_dump_json()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        workers = [int(pid) for pid in run.stdout.readline().split()]
        run.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 60
    while any(_is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "workers outlive their run"
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_seeds_differ(settings: DataSettings) -> None:
    assert not _equal(_take(settings, 1)[0], _take(settings, 1, seed=8)[0])


def test_rank_outside_of_the_world_is_refused(settings: DataSettings) -> None:
    with pytest.raises(SettingsError, match="rank 2"):
        _take(settings, 1, rank=2, world_size=2)


def test_no_sources_is_an_error() -> None:
    with pytest.raises(DataError, match="name no sources"):
        _take(DataSettings(), 1)
