"""Crops by tensor operations against those by OpenCV; the operations are the same on a CPU and on a GPU."""

from threading import Event, Thread

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.config import TrackingSettings
from aiatrack.crop import CropWindow, crop_window, cut_regions
from aiatrack.model import build_network
from aiatrack.runtimes import EagerNetwork, gpu_crop
from aiatrack.runtimes.gpu_crop import FrameUpload, GpuCroppingNetwork, cut_on_device
from aiatrack.tracking import MultiTracker
from aiatrack.tracking.network import CroppingNetwork, SavingNetwork

CPU = torch.device("cpu")
SIZE = 64


def assert_alike(frame: np.ndarray, windows: list[CropWindow]) -> None:
    ours = cut_on_device(torch.from_numpy(frame), windows).numpy()
    expected, _ = cut_regions([frame], windows)
    assert ours.dtype == np.uint8 and ours.shape == expected.shape
    difference = np.abs(ours.astype(int) - expected)
    assert difference.max(axis=(1, 2, 3)).tolist() == [min(row.max(), 1) for row in difference]
    assert (difference > 0).mean() < 0.2


@pytest.mark.parametrize("shape", [(90, 120), (91, 67), (240, 33), (1, 1)])
def test_random_windows_differ_by_one_grey_level_at_most(shape):
    rng = np.random.default_rng(sum(shape))
    frame = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    boxes = np.concatenate((rng.uniform(-60, 160, (40, 2)), rng.uniform(1, 70, (40, 2))), axis=1)
    assert_alike(frame, [crop_window(box, 4.0, SIZE) for box in boxes])


@pytest.mark.parametrize("side", [1, 2, 31, 63, 64, 65, 127, 128, 129, 255, 256])
@pytest.mark.parametrize("corner", [(-40, -40), (0, 0), (20, 30), (150, 150), (136, 136), (500, -500)])
def test_every_scale_at_every_border(side, corner):
    frame = np.random.default_rng(side).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    assert_alike(frame, [CropWindow(*corner, side, SIZE, 0.0, 0.0)])


def test_a_huge_reduction():
    frame = np.random.default_rng(0).integers(0, 256, (1100, 1900, 3), dtype=np.uint8)
    windows = [
        CropWindow(left, top, side, SIZE, 0.0, 0.0)
        for left, top, side in [(-300, -200, 1500), (0, 0, 1050), (-2000, -2000, 5000), (-(2**21), -9, 2**22)]
    ]
    assert_alike(frame, windows)


def test_frames_are_uploaded_by_turns_whatever_their_layout():
    upload = FrameUpload(CPU)
    frames = np.random.default_rng(1).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    first, second = upload(frames[0]), upload(frames[1, ..., ::-1])
    np.testing.assert_array_equal(first, frames[0])  # the second one went through the other buffer
    np.testing.assert_array_equal(second, frames[1, ..., ::-1])
    frames.flags.writeable = False
    np.testing.assert_array_equal(upload(frames[2, :4]), frames[2, :4])


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_tracking_on_frames_cropped_by_the_device(color):
    torch.manual_seed(0)
    eager = EagerNetwork(build_network(TINY_NETWORK), CPU)
    network = GpuCroppingNetwork(eager, CPU)
    assert isinstance(network, SavingNetwork)
    assert isinstance(network, CroppingNetwork) and not isinstance(eager, CroppingNetwork)
    blocks = np.random.default_rng(2).integers(0, 256, (4, 9, 12, 3), dtype=np.uint8)
    frames = blocks.repeat(10, axis=1).repeat(10, axis=2)
    runs = []
    for each in (eager, network):
        tracker = MultiTracker(each, TrackingSettings(min_score_to_remember=-1.0), color=color)
        for box in ((20, 20, 30, 24), (90, 60, 40, 40)):
            tracker.add(frames[0], box)
        runs.append([[r.box_xywh for r in tracker.update(frame).values()] for frame in frames[1:]])
    np.testing.assert_allclose(runs[0], runs[1], atol=0.5)


@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_several_frames_at_once_are_each_frame_in_turn(color):
    torch.manual_seed(0)
    network = GpuCroppingNetwork(EagerNetwork(build_network(TINY_NETWORK), CPU), CPU)
    frames = np.random.default_rng(5).integers(0, 256, (3, 90, 120, 3), dtype=np.uint8)
    windows = [crop_window(box, 2.0, SIZE) for box in ((20, 20, 30, 24), (100, 70, 40, 40))]
    together = network.encode_regions(list(frames), windows, color)
    alone = [network.encode_regions([frame], windows, color) for frame in frames]
    for part, parts in zip(together.batch, zip(*(one.batch for one in alone), strict=True), strict=True):
        torch.testing.assert_close(part, torch.cat(parts))
    inner = [position for one in alone for position in one.inner_positions]
    assert len(together.inner_positions) == 6
    for position, own in zip(together.inner_positions, inner, strict=True):
        torch.testing.assert_close(position, own)


def test_frames_of_several_threads_take_turns(monkeypatch):
    """Two buffers serve all: the crops of one frame must not show another thread's."""
    network = GpuCroppingNetwork(EagerNetwork(build_network(TINY_NETWORK), CPU), CPU)
    windows = [crop_window((20, 20, 30, 24), 2.0, SIZE)]
    uploaded, seen, others = Event(), [], []

    def cut_later(frame, windows):
        if not others:  # two more frames would overwrite both buffers
            others.append(Thread(target=lambda: [encode(value) for value in (2, 3)]))
            others[0].start()
            uploaded.wait(timeout=0.2)
        crops = cut_on_device(frame, windows)
        seen.append(int(crops.max()))
        uploaded.set()
        return crops

    def encode(value):
        network.encode_regions([np.full((90, 120, 3), value, np.uint8)], windows, "rgb")

    monkeypatch.setattr(gpu_crop, "cut_on_device", cut_later)
    encode(1)
    others[0].join()
    assert seen == [1, 2, 3]
