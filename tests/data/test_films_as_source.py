"""Films of the synthetic world as an ordinary source: made once, exact, taken up where they were left."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.data import write_synthetic_source
from aiatrack.data.outlines import outline_box_xywh, outline_of_mask
from aiatrack.data.readers import read_json_lines
from aiatrack.errors import OutputError


def _write(folder: Path, films: int, **changes: object) -> Path:
    return write_synthetic_source(folder, films=films, size=(96, 72), frames=12, frame_step=4, **changes)  # type: ignore[arg-type]


def test_boxes_are_those_of_the_masks(tmp_path: Path) -> None:
    found = read_json_lines(_write(tmp_path, 3))
    assert not found.problems
    assert len(found.clips) == 3
    overlaps = []
    for clip in found.clips:
        assert clip.is_video
        assert clip.frame_numbers.tolist() == [0, 4, 8]
        for track in clip.tracks:
            for t, box in zip(track.frames[track.visible], track.boxes_xywh[track.visible], strict=True):
                mask = cv2.imread(str(clip.masks[t]), cv2.IMREAD_GRAYSCALE) if clip.masks else None
                assert mask is not None
                assert mask.shape == (72, 96)
                outline = outline_of_mask(mask)
                assert outline is not None
                seen = xywh_to_xyxy(outline_box_xywh(outline))
                overlaps.append(float(box_iou(seen, xywh_to_xyxy(box))))
    assert np.median(overlaps) > 0.8


def test_films_are_rendered_once(tmp_path: Path) -> None:
    first = _write(tmp_path, 2)
    told: list[int] = []
    marked = tmp_path / "film-0-00001-96x72x12" / "0004.webp"
    before = marked.stat().st_mtime_ns
    assert _write(tmp_path, 2, progress=lambda name, done, count: told.append(done)) == first
    assert told == []
    more = _write(tmp_path, 3, progress=lambda name, done, count: told.append(done))
    assert told == [1, 2, 3]
    assert marked.stat().st_mtime_ns == before
    assert more.read_text().startswith(first.read_text().rstrip("\n"))


def test_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose another folder"):
        _write(tmp_path / "file", 1)


def test_films_of_other_sizes_and_lengths_do_not_overwrite_one_another(tmp_path: Path) -> None:
    first = _write(tmp_path, 1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.webp")}
    others = [
        write_synthetic_source(tmp_path, films=1, size=(64, 48), frames=12, frame_step=4),
        write_synthetic_source(tmp_path, films=1, size=(96, 72), frames=8, frame_step=4),
    ]
    assert all(path.read_bytes() == content for path, content in before.items())
    clips = [read_json_lines(path).clips[0] for path in (first, *others)]
    shapes = [cv2.imread(str(clip.images[0])).shape[:2] for clip in clips]
    assert shapes == [(72, 96), (48, 64), (72, 96)]
    # One name: a film is for training or for validation whatever its size.
    assert len({clip.name for clip in clips}) == 1


def test_images_are_written_without_opencv_opening_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows it cannot open one whose name is not ASCII."""
    monkeypatch.setattr(cv2, "imwrite", lambda *_: False)
    assert read_json_lines(_write(tmp_path / "Фильмы", 1)).clips
