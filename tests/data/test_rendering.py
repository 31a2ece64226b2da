"""Boxes against pixels: what a plan says of the target is what its crop shows, in both renderers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import (
    AppearanceSettings,
    DataSettings,
    JitterSettings,
    MotionSettings,
    PasteSettings,
)
from aiatrack.data.annotations import Annotations, Clip, Track
from aiatrack.data.corpus import Corpus
from aiatrack.data.images import FlatImages
from aiatrack.data.plan import SamplePlan, ViewPlan
from aiatrack.data.render_opencv import render_views
from aiatrack.data.render_torch import TorchRenderer, _fuse
from aiatrack.data.sampling import Sampler
from aiatrack.data.stacked_plans import stack_plans
from aiatrack.data.store import build_store

_SIZE = 128
_PLAIN = AppearanceSettings(
    joint_grey=0,
    joint_infrared=0,
    brightness=0,
    contrast=0,
    saturation=0,
    colour_cast=0,
    motion_blur=0,
    defocus=0,
    noise=0,
    compression=0,
    crop_flip=0.5,
)


def _clip_of_ellipses(folder: Path, name: str, frames: int) -> Clip:
    """A green ellipse, marked by a mask, moving over blue noise."""
    rng = np.random.default_rng(len(name))
    images, masks, boxes = [], [], np.zeros((frames, 4), dtype=np.float32)
    for t in range(frames):
        image = rng.integers(0, 80, (120, 160, 3), dtype=np.uint8)
        image[..., 1] = 0
        mask = np.zeros((120, 160), dtype=np.uint8)
        cv2.ellipse(mask, (60 + 5 * t, 50 + 4 * t), (22, 14), 20, 0, 360, 1, -1)
        image[mask > 0] = (0, 255, 0)
        rows, columns = np.nonzero(mask)
        boxes[t] = (
            columns.min(),
            rows.min(),
            columns.max() - columns.min() + 1,
            rows.max() - rows.min() + 1,
        )
        images.append(folder / f"{name}_{t}.png")
        masks.append(folder / f"{name}_{t}_mask.png")
        cv2.imwrite(str(images[-1]), image)
        cv2.imwrite(str(masks[-1]), mask)
    ones = np.ones(frames, dtype=np.int64)
    track = Track(np.arange(frames), boxes, ones.astype(np.bool_), "ellipse", ones)
    return Clip(name, images, np.arange(frames), (track,), masks, is_video=frames > 1)


def _backdrop(folder: Path) -> Clip:
    """A scene without objects to paste over."""
    image = np.random.default_rng(5).integers(0, 80, (120, 160, 3), dtype=np.uint8)
    image[..., 1] = 0
    cv2.imwrite(str(folder / "backdrop.png"), image)
    return Clip("backdrop", [folder / "backdrop.png"], np.arange(1), ())


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[list, list]:
    folder = tmp_path_factory.mktemp("ellipses")
    things = Annotations(
        "things", (_clip_of_ellipses(folder, "moving", 8), _clip_of_ellipses(folder, "one", 1))
    )
    scenes = Annotations("scenes", (_backdrop(folder),))
    built = [build_store(source, folder / "cache") for source in (things, scenes)]
    return [path for path, _ in built], [index for _, index in built]


def _sampler(stored: tuple[list, list], share: str, **changes: object) -> tuple[Sampler, FlatImages]:
    shares = {f"{kind}_share": float(kind == share) for kind in ("still", "clip", "pasted", "region")}
    settings = DataSettings(
        **shares,  # type: ignore[arg-type]
        appearance=_PLAIN,
        paste=PasteSettings(
            distractor_probability=0, occluder_probability=0, colour=0, video_scene_probability=0
        ),
        validation_share=0,
        validation_clip_share=0,
        **changes,  # type: ignore[arg-type]
    )
    files, indexes = stored
    corpus = Corpus(indexes, [1.0, 1.0], settings)
    if share == "pasted":  # over the empty scene alone, so that one green thing is in sight
        corpus.scenes = type(corpus.scenes)(corpus.scenes.groups[1:], np.array([1.0]))
    return Sampler(corpus, settings, crop_size=_SIZE, search_factor=4.0), FlatImages(files, indexes)


def _draw(views: list[ViewPlan], images: FlatImages) -> np.ndarray:
    crops = np.zeros((len(views), _SIZE, _SIZE, 3), dtype=np.uint8)
    render_views(views, images, _SIZE, crops, np.zeros(crops.shape[:-1], dtype=np.bool_))
    return crops


def _green_box(crop: np.ndarray) -> np.ndarray:
    """The box of the green thing as the eye sees it, xywh in shares of the crop."""
    rows, columns = np.nonzero(crop[..., 1] > 127)
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max() + 1, rows.max() + 1])
    return np.concatenate((low, high - low)) / _SIZE


@pytest.mark.parametrize("share", ["still", "clip", "pasted"])
def test_boxes_sit_on_the_target(stored: tuple[list, list], share: str) -> None:
    sampler, images = _sampler(stored, share, jitter=JitterSettings(centre=0.5, size=0.2))
    worst = 1.0
    for place in range(40):
        plan = sampler.plan(0, 0, place)
        for view, crop in zip(plan.views, _draw(list(plan.views), images), strict=True):
            seen = _green_box(crop)
            low, high = np.clip(view.box_xywh[:2], 0, 1), np.clip(view.box_xywh[:2] + view.box_xywh[2:], 0, 1)
            said = np.concatenate((low, high - low))
            edges = np.abs(xywh_to_xyxy(seen) - xywh_to_xyxy(said)) * _SIZE
            worst = min(worst, float(box_iou(xywh_to_xyxy(seen), xywh_to_xyxy(said))))
            assert edges.max() < 3.0, (place, seen * _SIZE, said * _SIZE)
    assert worst > 0.8


def test_boxes_have_no_bias(stored: tuple[list, list]) -> None:
    """Half a pixel, were it lost, would show in the mean over many crops."""
    sampler, images = _sampler(stored, "still", jitter=JitterSettings(centre=0.3, size=0.3))
    errors = []
    for place in range(60):
        view = sampler.plan(1, 0, place).views[2]
        seen = xywh_to_xyxy(_green_box(_draw([view], images)[0]))
        errors.append((seen - xywh_to_xyxy(view.box_xywh)) * _SIZE)
    centre_bias = (np.mean(errors, axis=0)[:2] + np.mean(errors, axis=0)[2:]) / 2
    assert np.abs(centre_bias).max() < 0.15


def test_first_reference_is_centred_and_sized_by_the_factor(stored: tuple[list, list]) -> None:
    sampler, _ = _sampler(stored, "still")
    for place in range(10):
        x, y, w, h = sampler.plan(0, 0, place).views[0].box_xywh
        assert (x + w / 2, y + h / 2) == pytest.approx((0.5, 0.5), abs=0.01)
        assert np.sqrt(w * h) == pytest.approx(1 / 4, abs=0.01)


def test_region_follows_its_image(stored: tuple[list, list]) -> None:
    """A region has no colour of its own; its corners must map to the same place of the image in all crops."""
    sampler, _ = _sampler(
        stored, "region", motion=MotionSettings(rotation_degrees=0, shear=0, perspective_probability=0)
    )
    for place in range(10):
        plan = sampler.plan(0, 0, place)
        spans = []
        for view in (plan.views[0], plan.views[1]):
            corners = np.array([view.box_xywh[:2], view.box_xywh[:2] + view.box_xywh[2:]]) * _SIZE - 0.5
            mapped = np.column_stack((corners, np.ones(2))) @ view.inverse.T
            spans.append(np.sort(mapped[:, :2] / mapped[:, 2:], axis=0))
        np.testing.assert_allclose(spans[0], spans[1], atol=0.05)


def _all_kinds(stored: tuple[list, list]) -> tuple[list[SamplePlan], FlatImages]:
    """Plans with everything switched on."""
    settings = DataSettings(
        appearance=AppearanceSettings(motion_blur=0.4, defocus=0.4, noise=0.5, compression=0.4),
        paste=PasteSettings(distractor_probability=0.8, occluder_probability=0.6),
        region_share=0.4,
        validation_share=0,
        validation_clip_share=0,
    )
    files, indexes = stored
    corpus = Corpus(indexes, [1.0, 1.0], settings)
    sampler = Sampler(corpus, settings, crop_size=_SIZE, search_factor=4.0)
    return [sampler.plan(2, 0, place) for place in range(16)], FlatImages(files, indexes)


def test_renderers_agree(stored: tuple[list, list]) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    plans, images = _all_kinds(stored)
    assert {plan.kind for plan in plans} == {"still", "clip", "pasted", "region"}
    views = [plan.views[place] for place in range(3) for plan in plans]
    crops = np.zeros((len(views), _SIZE, _SIZE, 3), dtype=np.uint8)
    padding = np.zeros(crops.shape[:-1], dtype=np.bool_)
    render_views(views, images, _SIZE, crops, padding)
    renderer = TorchRenderer(images, crop_size=_SIZE, device=torch.device("cpu"), views_at_once=16)
    batch = renderer.render(stack_plans(plans))
    others = torch.cat((batch.reference_crops.transpose(0, 1).flatten(0, 1), batch.search_crops)).numpy()
    other_padding = torch.cat((batch.reference_padding.transpose(0, 1).flatten(0, 1), batch.search_padding))
    torch.set_num_threads(threads)
    difference = np.abs(crops.astype(int) - others).mean(axis=(1, 2, 3))
    assert difference.max() < 4.0
    assert difference.mean() < 1.0
    assert (padding != other_padding.numpy()).mean() < 1e-3
    assert crops.reshape(len(views), -1).std(axis=1).min() > 5  # nothing compared was empty


def test_what_cannot_be_compiled_runs_as_it_is() -> None:
    """As on a machine without a C compiler, where a GPU's kernels cannot be built."""

    def refuse(*_: object) -> None:
        raise RuntimeError("no compiler here")

    doubled = _fuse(lambda x: x * 2, backend=refuse)
    assert torch.equal(doubled(torch.arange(3)), torch.tensor([0, 2, 4]))


class _OneImage:
    """A bank of a single image, as unpacked sources give it."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def read(self, image: int) -> np.ndarray:
        return self.pixels


@pytest.mark.parametrize("samples", [1, 2])
def test_an_image_with_transparency_underneath_is_drawn_by_its_colours(samples: int) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (60, 80, 4), dtype=np.uint8)
    colour = np.hstack((0.9 * np.eye(3), np.full((3, 1), 12.0))).astype(np.float32)
    view = ViewPlan(0, np.eye(3), np.array([0.2, 0.2, 0.5, 0.5]), samples, colour=colour, quality=80)
    crops = np.empty((2, 32, 32, 3), dtype=np.uint8)
    padding = np.empty((2, 32, 32), dtype=np.bool_)
    for place, image in enumerate((pixels, np.ascontiguousarray(pixels[..., :3]))):
        render_views([view], _OneImage(image), 32, crops[place : place + 1], padding[place : place + 1])
    assert (crops[0] == crops[1]).all()
