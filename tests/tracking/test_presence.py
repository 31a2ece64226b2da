"""Presence: features by hand, the probability, calibrations."""

import numpy as np
import pytest

from aiatrack.config import (
    PresenceCalibration,
    Recognition,
    TrackingSettings,
    calibration_names,
    load_calibration,
    load_preset,
)
from aiatrack.errors import SettingsError
from aiatrack.tracking import LocatedTargets
from aiatrack.tracking.appearance import Appearance
from aiatrack.tracking.evidence import FEATURES, Known, measure_evidence
from aiatrack.tracking.presence import PresenceModel, logistic

GRID = 4


def located(corner_scores, box=(0.25, 0.25, 0.5, 0.5), score=0.8, parts=((1.0, 0.0),)):
    return LocatedTargets(
        np.array([box], np.float32),
        np.array([score], np.float32),
        np.asarray(corner_scores, np.float32)[None],
        np.array([parts], np.float32),
    )


def features(found, first=(1.0, 0.0), recent=(1.0, 0.0), size=0.5):
    row = measure_evidence(found, [Known(np.array([first]), np.array([recent]), size)], Appearance())[0]
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_flat_corner_maps_are_as_uncertain_as_can_be():
    found = features(located(np.zeros((2, GRID, GRID))))
    assert found["entropy"] == pytest.approx(1) and found["peak"] == pytest.approx(-np.log(16))
    assert found["peak_logit"] == 0
    # Cells at 0, 1/4, 1/2, 3/4 along both axes: a variance of 5/64 along each, over a box of 1/2.
    assert found["spread"] == pytest.approx(np.log(np.sqrt(2 * 5 / 64) / 0.5 + 1e-3))


def test_a_sharp_corner_map_is_certain():
    scores = np.zeros((2, GRID, GRID))
    scores[0, 1, 1] = scores[1, 3, 3] = 40
    found = features(located(scores))
    assert found["entropy"] == pytest.approx(0, abs=1e-6) and found["peak"] == pytest.approx(0, abs=1e-6)
    assert found["peak_logit"] == 40 and found["disagreement"] == pytest.approx(np.log(0.1), abs=1e-6)


def test_two_rival_peaks_disagree_with_their_mean():
    scores = np.full((2, GRID, GRID), -40.0)
    scores[:, 0, 0] = scores[:, 0, 3] = 0
    # The expectation lies midway, 3/8 from either, over a box of 1/2.
    assert features(located(scores))["disagreement"] == pytest.approx(np.log(0.375 / 0.5 + 0.1), abs=1e-4)


def test_likeness_and_change_of_size_by_hand():
    found = features(located(np.zeros((2, GRID, GRID)), parts=[(3.0, 4.0)]), recent=(0.0, 2.0), size=0.25)
    assert found["similarity_to_first"] == pytest.approx(0.6)
    assert found["similarity_to_recent"] == pytest.approx(0.8)
    assert found["size_change"] == pytest.approx(np.log(2))
    assert found["score"] == pytest.approx(0.8)


def test_presence_by_hand():
    calibration = PresenceCalibration(
        bias=-1, weights={"score": 5.0}, momentum=0.75, presence_bias=0.5, evidence_weight=0.5,
        carried_weight=0.25, held_weight=-1,
    )  # fmt: skip
    model = PresenceModel(calibration)
    known = [Known(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), 0.5)]
    assert model.weigh(located(np.zeros((2, GRID, GRID))), known).tolist() == [pytest.approx([3.0, 3.0])]
    assert model.presence(3.0, 4.0, held=False) == pytest.approx(1 / (1 + np.exp(-3)))
    assert model.presence(3.0, 4.0, held=True) == pytest.approx(1 / (1 + np.exp(-2)))
    assert model.carry(4.0, -4.0) == pytest.approx(2.0)


def test_recognition_has_weights_of_its_own():
    recognition = Recognition(bias=-2, weights={"similarity_to_recent": 4.0})
    model = PresenceModel(PresenceCalibration(bias=-1, weights={"score": 5.0}, recognition=recognition))
    known = [Known(np.array([[1.0, 0.0]]), np.array([[3.0, 4.0]]), 0.5)]
    assert model.weigh(located(np.zeros((2, GRID, GRID))), known)[0] == pytest.approx([3.0, 0.4])
    with pytest.raises(SettingsError, match="weighs smell, which is not measured"):
        PresenceModel(
            PresenceCalibration(bias=0, weights={}, recognition=Recognition(bias=0, weights={"smell": 1.0}))
        )


def test_a_box_without_area_is_no_target():
    model = PresenceModel(PresenceCalibration(bias=0, weights={"similarity_to_first": 1.0}))
    nothing = located(np.zeros((2, GRID, GRID)), box=(0.5, 0.5, -0.1, 0.1), parts=[(np.nan, np.nan)])
    known = [Known(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), 0.5)]
    assert model.weigh(nothing, known)[0].tolist() == [-6.0, -6.0]


@pytest.mark.parametrize("name", calibration_names())
def test_shipped_calibrations_tell_a_good_box_from_nothing(name):
    model = PresenceModel(load_calibration(name))
    first, unlike = made_up_appearances(name)
    known = [Known(first, first, 0.5)]
    sharp = np.zeros((2, GRID, GRID))
    sharp[0, 1, 1] = sharp[1, 3, 3] = 14
    good, it = model.weigh(located(sharp, score=0.85, parts=first), known)[0]
    flat = located(np.zeros((2, GRID, GRID)), score=-0.5, parts=unlike)
    nothing, other = model.weigh(flat, known)[0]
    assert it > 2 and other < 0
    assert model.presence(good, good, held=False) > 0.6
    assert model.presence(nothing, nothing, held=False) < 0.1


def made_up_appearances(name):
    """What was marked, and another thing, in embeddings of the network that a calibration is for."""
    if load_calibration(name).projection is None:
        return np.array([[1.0, 0.0]]), np.array([[0.3, 0.7]])
    network = load_preset(name).network
    marked, other = np.random.default_rng(0).normal(size=(2, network.embedded_parts, network.channels))
    # As much alike as the two above, of which the cosine is 0.39.
    return marked, 0.39 * marked + 0.92 * other


def test_calibrations_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="no calibration 'liter': choose one of generic"):
        load_calibration("liter")
    with pytest.raises(SettingsError, match="weighs colour, which is not measured"):
        PresenceModel(PresenceCalibration(bias=0, weights={"colour": 1.0}))
    (tmp_path / "own.yaml").write_text("bias: 1\nweights: {score: 2}\n")
    assert load_calibration(str(tmp_path / "own.yaml")).weights == {"score": 2.0}
    with pytest.raises(SettingsError, match="max_presence_to_lose"):
        TrackingSettings(max_presence_to_lose=0.9)


def test_no_logit_is_too_large():
    assert (logistic(1e6), logistic(-1e6)) == (1.0, pytest.approx(0.0, abs=1e-300))
    steep = PresenceModel(PresenceCalibration(bias=0, weights={}, evidence_weight=200))
    assert steep.presence(-6.0, -6.0, held=False) == pytest.approx(0.0, abs=1e-300)
