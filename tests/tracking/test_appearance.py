"""Likeness: of plain embeddings, in a learned space, and of files that are none."""

from pathlib import Path

import numpy as np
import pytest
from numbered_handle import Handle
from safetensors.numpy import save_file

from aiatrack.config import TrackingSettings, calibration_names, load_calibration, load_preset
from aiatrack.errors import SettingsError
from aiatrack.tracking import MultiTracker, Tracker
from aiatrack.tracking.appearance import Appearance

PARTS = np.array([[[1.0, 0.0], [0.0, 1.0]]])
TURNED = PARTS[:, ::-1]


@pytest.fixture
def write_projection(tmp_path):
    def write(**tensors):
        save_file({name: np.array(values, np.float16) for name, values in tensors.items()}, tmp_path / "p")
        return str(tmp_path / "p")

    return write


def test_without_a_learned_space_parts_are_averaged():
    appearance = Appearance()
    assert appearance.likeness(PARTS, TURNED).tolist() == [pytest.approx(1)]
    assert appearance.likeness(PARTS, np.array([[[3.0, 0.0], [3.0, 0.0]]])) == pytest.approx(np.sqrt(0.5))
    assert appearance.likeness(PARTS, 0 * PARTS) == 0


def test_a_learned_space_by_hand(write_projection):
    # The first dimension is the first part's first channel, the second one the last part's last and one more.
    appearance = Appearance(write_projection(weight=[[1, 0, 0, 0], [0, 0, 0, 2]], bias=[0, 1]))
    # (1, 3) and (0, 1)
    assert appearance.likeness(PARTS, TURNED) == pytest.approx(3 / np.sqrt(10))
    pairs = np.concatenate((PARTS, TURNED)), np.concatenate((PARTS, PARTS))
    assert appearance.likeness(*pairs) == pytest.approx([1, 3 / np.sqrt(10)])


def test_a_learned_space_with_a_hidden_layer_by_hand(write_projection):
    # (x0 + x3, x0 - x3), then minus twice the positive part of the second on the first
    layer = {"hidden_weight": [[0, 1]], "hidden_bias": [0.5], "output_weight": [[-2], [0]]}
    space = write_projection(weight=[[1, 0, 0, 1], [1, 0, 0, -1]], bias=[1, 0], **layer)
    one, other = np.array([[[1.0, 0.0], [0.0, 0.0]]]), np.array([[[0.0, 0.0], [0.0, 2.0]]])
    # (2, 1) and (3, -2) before it: (2 - 3, 1) and (3, -2) behind it
    assert Appearance(space).likeness(one, other) == pytest.approx(-5 / np.sqrt(2 * 13))


def test_one_is_compared_with_several(write_projection):
    appearance = Appearance(write_projection(weight=[[1, 0, 0, 0], [0, 0, 0, 2]], bias=[0, 1]))
    pairs, others = np.concatenate((PARTS, TURNED)), np.stack((np.concatenate((PARTS, PARTS)),) * 3)
    likeness = appearance.likeness(pairs, others)
    assert likeness.shape == (3, 2)
    assert likeness == pytest.approx(np.tile([1, 3 / np.sqrt(10)], (3, 1)))


def test_a_projection_of_another_network_is_refused(write_projection):
    appearance = Appearance(write_projection(weight=np.zeros((2, 6)), bias=[0, 0]))
    with pytest.raises(SettingsError, match=r"of another network: .* of 6 numbers, and these have 4"):
        appearance.likeness(PARTS, PARTS)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"weight": [[1, 2]]}, "bias"),
        ({"weight": [[1, 2]], "bias": [1, 2]}, "do not belong together"),
        ({"weight": [[1, np.nan]], "bias": [1]}, "NaN or infinity"),
        ({"weight": [[1, 2]], "bias": [1], "hidden_weight": [[1]]}, "do not belong together"),
        (
            {
                "weight": [[1, 2]],
                "bias": [1],
                "hidden_weight": [[1, 2]],
                "hidden_bias": [0],
                "output_weight": [[1]],
            },
            "do not belong together",
        ),
        ({"weight": [[1, 2]], "bias": [1], "hidden": [1]}, "hidden"),
    ],
)
def test_files_that_are_no_projection_are_refused(write_projection, tensors, reason):
    with pytest.raises(SettingsError, match=f"is no projection of embeddings: .*{reason}"):
        Appearance(write_projection(**tensors))


def test_a_projection_lies_beside_its_calibration(tmp_path, write_projection):
    (tmp_path / "own.yaml").write_text("bias: 1\nweights: {score: 2}\nprojection: own.safetensors\n")
    calibration = load_calibration(str(tmp_path / "own.yaml"))
    with pytest.raises(SettingsError, match=r"own\.safetensors, which the calibration names, is missing"):
        Appearance(calibration.projection)
    (tmp_path / "own.safetensors").write_bytes(b"something else")
    with pytest.raises(SettingsError, match="is no projection"):
        Appearance(calibration.projection)
    Path(write_projection(weight=np.ones((1, 4)), bias=[0])).rename(tmp_path / "own.safetensors")
    assert Appearance(calibration.projection).likeness(PARTS, PARTS) == pytest.approx(1)


@pytest.mark.parametrize("name", [name for name in calibration_names() if name != "generic"])
def test_shipped_projections_are_of_their_networks(name):
    network = load_preset(name).network
    appearance = Appearance(load_calibration(name).projection)
    seen, other = np.random.default_rng(0).normal(size=(2, 1, network.embedded_parts, network.channels))
    assert appearance.likeness(seen, seen) == pytest.approx(1)
    assert appearance.likeness(seen, other) < 0.9


@pytest.mark.parametrize("presence", ["judge", "on"])
def test_a_calibration_of_another_network_is_noticed_when_a_target_is_marked(
    presence, tmp_path, write_projection
):
    Path(write_projection(weight=np.ones((1, 6)), bias=[0])).rename(tmp_path / "own.safetensors")
    (tmp_path / "own.yaml").write_text("bias: 1\nweights: {score: 2}\nprojection: own.safetensors\n")
    settings = TrackingSettings(presence=presence, calibration=str(tmp_path / "own.yaml"))
    frame = np.zeros((80, 100, 3), np.uint8)
    network = Marking()
    tracker = MultiTracker(network, settings)
    with pytest.raises(SettingsError, match=r"of another network: .* of 6 numbers, and these have 2"):
        tracker.add(frame, (40, 30, 20, 10))
    assert tracker.ids == []
    with pytest.raises(SettingsError, match="of another network"):
        Tracker(network, settings).start(frame, (40, 30, 20, 10))
    unjudged = Tracker(network, settings.replace(presence="off"))
    assert unjudged.start(frame, (40, 30, 20, 10)).presence is None


class Marking:
    """A network as far as targets are marked."""

    crop_size = 32

    def encode(self, crops, padding):
        return "memory"

    def remember(self, memory, rows, boxes_xywh):
        return [Handle(0)]
