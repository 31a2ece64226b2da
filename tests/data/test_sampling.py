"""Which frames, boxes and proposals are drawn: the method's rules, by count and by hand."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import AppearanceSettings, DataSettings, JitterSettings, Layout, SourceSettings
from aiatrack.crop import crop_window as tracking_window
from aiatrack.data import build_batches, validation_clips
from aiatrack.data.corpus import Corpus, clip_part, spread_frames
from aiatrack.data.geometry import apply, crop_window, linear, to_index_coordinates, translate
from aiatrack.data.outlines import (
    clip_outline,
    fit_outline,
    outline_box_xywh,
    outline_of_box,
    outline_of_mask,
)
from aiatrack.data.proposals import draw_proposals
from aiatrack.data.sampling import Sampler
from aiatrack.data.sources import open_sources
from aiatrack.errors import DataError, SettingsError


def _write_clips(folder: Path, clips: int, frames: int, size: tuple[int, int] = (160, 120)) -> Path:
    """Clips of noise with one box that moves a pixel a frame, absent in every fifth frame."""
    rng = np.random.default_rng(0)
    rows = []
    for c in range(clips):
        for t in range(frames):
            name = f"{c}_{t}.png"
            cv2.imwrite(str(folder / name), rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
            boxes = [] if t % 5 == 4 else [[20 + t, 30, 20, 16]]
            labels = ["thing"] * len(boxes)
            rows.append({"image": name, "boxes": boxes, "labels": labels, "video": f"clip{c}", "frame": t})
    path = folder / "clips.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def _paper(source: SourceSettings, **changes: object) -> DataSettings:
    """The paper's recipe on a source."""
    values = {
        "sources": (source,),
        "still_share": 0,
        "clip_share": 1,
        "pasted_share": 0,
        "region_share": 0,
        "reverse": 0,
        "min_clip_frames": 20,
        "min_visible_frames": 7,
        "min_box_px": 1,
        "box_share": (0, 1),
        "validation_share": 0,
        "validation_clip_share": 0,
        "clip_motion": 0,
        "still_motion": 0,
        "centre_in_image": False,
        "clip_to_crop": False,
        "published_boxes": True,
        "stills_from_clips": False,
        "jitter": JitterSettings(centre=2.25, size=0.5),
        "paste": {"distractor_probability": 0, "occluder_probability": 0},
    }
    return DataSettings(**(values | changes))  # type: ignore[arg-type]


def test_spread_frames_keeps_order_and_gap() -> None:
    rng = np.random.default_rng(0)
    frames = np.arange(0, 3000, 7)
    for _ in range(200):
        first, base, last = spread_frames(frames, 200, rng)
        assert first < base < last
        assert frames[base] - frames[first] <= 200
        assert frames[last] - frames[base] <= 200


def test_spread_frames_widens_the_gap_until_there_is_one() -> None:
    rng = np.random.default_rng(0)
    assert spread_frames(np.array([0, 1000, 5000]), 200, rng) == (0, 1, 2)
    assert spread_frames(np.array([0]), 200, rng) == (0, 0, 0)
    assert spread_frames(np.array([0, 9]), 200, rng) in {(0, 0, 1), (0, 1, 1)}


def test_proposals_overlap_and_are_scored_right() -> None:
    box = np.array([0.3, 0.4, 0.2, 0.1])
    boxes, overlap = draw_proposals(box, 4000, 1 / 320, np.random.default_rng(0))
    assert boxes.shape == (4000, 4)
    assert overlap.min() > 0.1
    np.testing.assert_allclose(overlap, box_iou(xywh_to_xyxy(boxes), xywh_to_xyxy(box)), rtol=1e-9)
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    np.testing.assert_allclose(centres.mean(axis=0), [0.4, 0.45], atol=0.005)
    assert 0.15 < (overlap > 0.8).mean() < 0.6  # small and large errors both occur


def test_outline_of_a_rectangular_mask_is_its_box_in_edge_coordinates() -> None:
    mask = np.zeros((20, 30), dtype=np.uint8)
    mask[4:9, 7:18] = 1
    outline = outline_of_mask(mask)
    assert outline is not None
    assert outline_box_xywh(outline).tolist() == [7, 4, 11, 5]
    assert outline_of_mask(np.zeros((5, 5))) is None


def test_outlines_are_cut_at_the_image() -> None:
    outline = outline_of_box(np.array([-10.0, 5.0, 40.0, 20.0]))
    assert outline_box_xywh(outline).tolist() == pytest.approx([-10, 5, 40, 20])
    assert outline_box_xywh(clip_outline(outline, 100, 20)).tolist() == pytest.approx([0, 5, 30, 15])
    assert len(clip_outline(outline_of_box(np.array([200.0, 5.0, 40.0, 20.0])), 100, 20)) == 0


def test_fitted_outline_has_the_annotated_box() -> None:
    outline = fit_outline(np.array([[0.0, 0.0], [4.0, 1.0], [2.0, 3.0]]), np.array([10.0, 20.0, 8.0, 9.0]))
    assert outline_box_xywh(outline).tolist() == pytest.approx([10, 20, 8, 9])


def test_linear_keeps_areas_and_turns() -> None:
    matrix = linear(0.3, 0.2, 0.1, (0.0, 0.0))
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    quarter = linear(np.pi / 2, 0, 0, (0.0, 0.0))
    np.testing.assert_allclose(apply(quarter, np.array([[1.0, 0.0]])), [[0.0, 1.0]], atol=1e-12)


def test_crop_window_agrees_with_a_resized_cut_out() -> None:
    """The middle of pixel 0 of a crop twice as small lies between the window's first two pixels."""
    window = crop_window((50.0, 40.0), 64.0, 32)
    inverse = to_index_coordinates(np.linalg.inv(window))
    np.testing.assert_allclose(apply(inverse, np.array([[0.0, 0.0]])), [[18.5, 8.5]], atol=1e-9)
    np.testing.assert_allclose(apply(translate(1, 2), np.array([[0.0, 0.0]])), [[1.0, 2.0]])


def test_parts_are_fixed_by_name_and_of_the_share_asked_for() -> None:
    settings = DataSettings(validation_share=0.1, validation_clip_share=0.3)
    stills = [clip_part(f"image{i}", False, settings) for i in range(3000)]
    clips = [clip_part(f"clip{i}", True, settings) for i in range(3000)]
    assert stills.count("validation") / 3000 == pytest.approx(0.1, abs=0.02)
    assert clips.count("validation") / 3000 == pytest.approx(0.3, abs=0.03)
    assert stills == [clip_part(f"image{i}", False, settings) for i in range(3000)]


@pytest.mark.parametrize("packed", [True, False])
def test_the_papers_recipe(tmp_path: Path, packed: bool) -> None:
    """Three rising frames with the target visible, the paper's jitter and half pixel, packed or not."""
    source = SourceSettings(path=_write_clips(tmp_path, 2, 24), packed=packed)
    settings = _paper(source, cache=tmp_path / "cache")
    _, corpus = open_sources(settings)
    sampler = Sampler(corpus, settings, crop_size=64, search_factor=5.0)
    frame_of = corpus.image_frame
    offsets = []
    for place in range(300):
        views = sampler.plan(0, 0, place).views
        frames = [int(frame_of[view.image]) for view in views]
        assert frames[0] < frames[1] < frames[2]
        assert all(frame % 5 != 4 for frame in frames)
        x, y, w, h = views[0].box_xywh
        # docs/method.md: ((S - 1) / 2 - size / 2) / S for a crop cut around the box, though on whole pixels
        assert x + w / 2 == pytest.approx(0.5 - 0.5 / 64, abs=1e-9)
        assert y + h / 2 == pytest.approx(0.5 - 0.5 / 64, abs=1e-9)
        assert np.sqrt(w * h) == pytest.approx(0.2, abs=0.003)
        offsets.append(views[2].box_xywh[:2] + views[2].box_xywh[2:] / 2 - 0.5)
    reach = np.abs(offsets).max(axis=0)
    assert (reach > 0.4).all()
    assert (reach < 2.25 / 5 + 0.02).all()


@pytest.mark.parametrize("flip", [0, 1])
def test_published_boxes_are_those_of_tracking(tmp_path: Path, flip: int) -> None:
    """A flipped crop's is that of the flipped frame."""
    boxes = [[20.7 + 0.31 * t, 30.3 + 0.17 * t, 24.6, 16.1] for t in range(24)]
    for t in range(24):
        cv2.imwrite(str(tmp_path / f"{t}.png"), np.zeros((70, 90, 3), dtype=np.uint8))
    rows = [
        {"image": f"{t}.png", "video": "a", "frame": t, "boxes": [box], "labels": ["thing"]}
        for t, box in enumerate(boxes)
    ]
    path = tmp_path / "clips.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    appearance = AppearanceSettings(joint_flip=flip, crop_flip=0)
    settings = _paper(
        SourceSettings(path=path),
        cache=tmp_path / "cache",
        appearance=appearance,
        jitter=JitterSettings(centre=0, size=0),
    )
    _, corpus = open_sources(settings)
    sampler = Sampler(corpus, settings, crop_size=320, search_factor=5.0)
    for place in range(20):
        for view in sampler.plan(0, 0, place).views:
            x, y, w, h = boxes[corpus.image_frame[view.image]]
            seen = np.array([90 - x - w if flip else x, y, w, h])
            # Flipped, whole pixels are rounded to from the other side, which only a half would show.
            expected = tracking_window(seen, 5.0, 320).to_crop(seen)
            np.testing.assert_allclose(view.box_xywh, expected, atol=1e-5)


@pytest.mark.parametrize(("crop_size", "offsets"), [(1023, {0, 1}), (1024, {0})])
def test_noise_of_large_crops_is_cut_from_all_of_the_tile(
    tmp_path: Path, crop_size: int, offsets: set[int]
) -> None:
    settings = _paper(SourceSettings(path=_write_clips(tmp_path, 1, 24)), cache=tmp_path / "cache")
    sampler = Sampler(open_sources(settings)[1], settings, crop_size=crop_size, search_factor=5.0)
    views = [view for place in range(20) for view in sampler.plan(0, 0, place).views]
    assert {place for view in views for place in view.noise_offset} == offsets


def test_largest_crops_are_drawn_with_noise(tmp_path: Path) -> None:
    settings = _paper(
        SourceSettings(path=_write_clips(tmp_path, 1, 24)),
        cache=tmp_path / "cache",
        appearance=AppearanceSettings(noise=1),
    )
    batch = next(build_batches(settings, batch_size=1, crop_size=1024, search_factor=5.0, seed=0))
    assert batch.search_crops.shape == (1, 1024, 1024, 3)


def test_crops_larger_than_the_noise_are_refused(tmp_path: Path) -> None:
    settings = _paper(SourceSettings(path=_write_clips(tmp_path, 1, 24)), cache=tmp_path / "cache")
    with pytest.raises(SettingsError, match=r"at most 1024 px.*got 1040"):
        build_batches(settings, batch_size=1, crop_size=1040, search_factor=5.0, seed=0)


def test_packed_and_unpacked_give_the_same_pixels(tmp_path: Path) -> None:
    path = _write_clips(tmp_path, 2, 24)
    batches = [
        next(
            build_batches(
                _paper(SourceSettings(path=path, packed=packed), cache=tmp_path / "cache"),
                batch_size=4,
                crop_size=64,
                search_factor=5.0,
                seed=1,
            )
        )
        for packed in (True, False)
    ]
    assert all((a == b).all() for a, b in zip(*batches, strict=True))


def test_unreadable_frame_is_named_and_another_sample_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _write_clips(tmp_path, 1, 24)
    (tmp_path / "0_5.png").write_bytes(b"damaged")
    settings = _paper(SourceSettings(path=path, packed=False))
    taken = [
        next(build_batches(settings, batch_size=16, crop_size=32, search_factor=5.0, seed=0))
        for _ in range(2)
    ]
    assert "0_5.png: missing or not an image" in caplog.text
    assert (taken[0].search_crops == taken[1].search_crops).all()


def test_store_names_what_it_passes_over_and_is_made_once(tmp_path: Path) -> None:
    path = _write_clips(tmp_path, 1, 24)
    (tmp_path / "0_5.png").write_bytes(b"damaged")
    settings = _paper(SourceSettings(path=path), cache=tmp_path / "cache")
    told: list[tuple[str, int, int]] = []
    _, corpus = open_sources(settings, progress=lambda *news: told.append(news))
    assert told == [("clips", 1, 1)]
    assert len(corpus.image_frame) == 23
    open_sources(settings, progress=lambda *news: told.append(news))
    assert len(told) == 1


def test_nothing_to_draw_from_is_an_error(tmp_path: Path) -> None:
    settings = _paper(SourceSettings(path=_write_clips(tmp_path, 1, 8)), cache=tmp_path / "cache")
    with pytest.raises(DataError, match="none of the samples"):
        next(build_batches(settings, batch_size=1, crop_size=32, search_factor=5.0, seed=0))


def test_still_boxes_can_be_asked_to_be_large(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((200, 200, 3), dtype=np.uint8))
    row = {"image": "a.png", "boxes": [[1, 1, 50, 90], [1, 1, 51, 60]]}
    (tmp_path / "own.jsonl").write_text(json.dumps(row))
    source = SourceSettings(layout=Layout.JSON_LINES, path=tmp_path / "own.jsonl")
    settings = _paper(source, cache=tmp_path / "cache", still_share=1, clip_share=0, min_still_box_px=50)
    corpus = open_sources(settings)[1]
    assert isinstance(corpus, Corpus)
    assert [group.tolist() for group in corpus.stills.groups] == [[1]]


def test_validation_clips_are_whole_and_never_trained_on(tmp_path: Path) -> None:
    source = SourceSettings(path=_write_clips(tmp_path, 8, 30))
    settings = _paper(source, cache=tmp_path / "cache", validation_clip_share=0.5)
    clips = validation_clips(settings, clips_per_source=8, frames_max=20)
    names = {clip.name.split("/")[1] for clip in clips}
    assert 0 < len(names) < 8
    assert all(clip_part(name, True, settings) == "validation" for name in names)
    assert len(open_sources(settings)[1].tracks.groups[0]) == 8 - len(names)
    for clip in clips:
        frames = list(clip.frames())
        assert len(frames) == len(clip) == len(clip.boxes_xywh) == 20
        assert frames[0].shape == (120, 160, 3)
        assert np.isfinite(clip.boxes_xywh[0]).all()
        assert np.isnan(clip.boxes_xywh).any()
