"""The online run and the crops against a recording of the published implementation."""

import numpy as np
import torch

from aiatrack.config import TrackingSettings
from aiatrack.crop import crop_region, crop_window
from aiatrack.runtimes import EagerNetwork
from aiatrack.tracking import Tracker


def test_online_run_equals_the_recording(parity):
    recorded = parity.outputs
    settings = TrackingSettings(
        memory_capacity=int(recorded["track_memory_capacity"]),
        ensemble_size=int(recorded["track_short_term_references"]),
        min_score_to_remember=float(recorded["track_update_threshold"]),
    )
    tracker = Tracker(EagerNetwork(parity.network(), torch.device("cpu")), settings)
    first, *rest = parity.frames()
    tracker.start(first, recorded["track_boxes_xywh"][0])
    results = [tracker.update(frame) for frame in rest]
    boxes = np.array([result.box_xywh for result in results])
    np.testing.assert_allclose(boxes, recorded["track_boxes_xywh"][1:], atol=0.05, rtol=0)
    scores = [result.score for result in results]
    np.testing.assert_allclose(scores, recorded["track_predicted_iou"], atol=1e-3, rtol=0)
    assert [result.remembered for result in results] == recorded["track_updated"].tolist()


def test_crops_equal_the_recording_but_for_single_grey_levels(parity):
    recorded = parity.outputs
    frame, step = recorded["crop_source_image"], parity.crop_step
    for i, box in enumerate(recorded["crop_boxes_xywh"].astype(np.float64)):
        crop = crop_region(frame, box, 5.0, 320)
        difference = np.abs(crop.image[::step, ::step].astype(int) - recorded["crop_images"][i])
        assert difference.max() <= 1, f"box {i}"
        assert (difference > 0).mean() < 1e-2, f"box {i}"
        padding = np.unpackbits(recorded["crop_padding_masks_packed"][i]).reshape(320, 320).astype(bool)
        np.testing.assert_array_equal(crop.padding, padding, err_msg=f"box {i}")
        np.testing.assert_allclose(crop.window.scale, recorded["crop_resize_factors"][i], rtol=1e-6)


def test_boxes_in_the_crop_equal_the_recording(parity):
    recorded = parity.outputs
    for box, expected in zip(
        recorded["crop_boxes_xywh"].astype(np.float64), recorded["crop_offset_boxes_normalized"], strict=True
    ):
        shifted = np.array([box[0] + 3, box[1] - 2, box[2] * 1.1, box[3] * 0.9])
        np.testing.assert_allclose(crop_window(box, 5.0, 320).to_crop(shifted), expected, atol=1e-4, rtol=0)
