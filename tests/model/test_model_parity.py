"""Stage by stage against a recording of the published implementation, or the one that stands in for it."""

import numpy as np
import pytest
import torch

from aiatrack.model import Memory
from aiatrack.model.positions import cell_padding, sine_positions
from aiatrack.model.published import rename_published

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def stages(parity, parity_network):
    """All stages of our network on the recorded inputs."""
    recorded = parity.outputs
    network = parity_network
    padding = torch.from_numpy(recorded["stage_padding_masks"])
    references = torch.from_numpy(recorded["stage_reference_images"])
    searches = torch.from_numpy(recorded["stage_search_images"])
    regions = torch.from_numpy(recorded["stage_target_regions"]).bool()[..., None]
    with torch.inference_mode():
        images = ((references - network.mean) / network.std).permute(0, 3, 1, 2)
        features = network.bottleneck(network.backbone(images)).flatten(2).transpose(1, 2)
        reference = network.encode(references, padding)
        search = network.encode(searches, padding)

        def remember(memory: Memory, inside: torch.Tensor):
            marked = network._mark(memory.tokens, inside)
            return network.decoder.project(memory.tokens, marked, memory.inner_positions)

        first = remember(reference, regions)
        # The recording reverses the embedding's token axis, so that key order matters (its README: "batch").
        second = remember(search, regions.flip(1))
        ensemble = [first[1], second[1], first[1]]
        decoded = network.decode(search, first[0], ensemble)
        corners = network.corner_head(decoded)
        scores = network.iou_head(decoded, torch.from_numpy(recorded["stage_proposals_xywh"]))
        counted = network.decode(search, first[0], ensemble[:2], torch.tensor([[2.0, 1.0], [2.0, 1.0]]))
    cells = cell_padding(padding, 20)
    boxes = corners.boxes_xyxy
    return {
        "stage_reference_features": features,
        "stage_position_embedding": sine_positions(cells, 256),
        "stage_inner_position_embedding": sine_positions(cells, 64),
        "stage_reference_memory": reference.tokens,
        "stage_search_memory": search.tokens,
        "stage_decoder_output": decoded,
        "stage_top_left_scores": corners.top_left_scores[:, None],
        "stage_bottom_right_scores": corners.bottom_right_scores[:, None],
        "stage_boxes_xywh": torch.cat((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), dim=1),
        "stage_boxes_cxcywh": torch.cat(
            ((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), dim=1
        )[:, None],
        "stage_predicted_iou": scores[:, None],
        "counted": counted,
    }


TOKEN_STAGES = (
    "stage_reference_features",
    "stage_position_embedding",
    "stage_inner_position_embedding",
    "stage_reference_memory",
    "stage_search_memory",
    "stage_decoder_output",
)
OTHER_STAGES = (
    "stage_top_left_scores",
    "stage_bottom_right_scores",
    "stage_boxes_xywh",
    "stage_boxes_cxcywh",
    "stage_predicted_iou",
)


@pytest.mark.parametrize("name", TOKEN_STAGES)
def test_token_stage_equals_the_recording(name, stages, parity):
    ours = stages[name].transpose(0, 1)[:: parity.token_step].numpy()
    np.testing.assert_allclose(ours, parity.outputs[name], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", OTHER_STAGES)
def test_stage_equals_the_recording(name, stages, parity):
    np.testing.assert_allclose(stages[name].numpy(), parity.outputs[name], atol=TOLERANCE, rtol=0)


def test_counted_references_equal_the_recorded_copies(stages, parity):
    ours = stages["counted"].transpose(0, 1)[:: parity.token_step].numpy()
    np.testing.assert_allclose(ours, parity.outputs["stage_decoder_output"], atol=TOLERANCE, rtol=0)


def test_every_published_name_is_loaded(parity, parity_network):
    published = parity.published_state
    ours = rename_published(published)
    assert len(published) == 423
    assert ours.keys() == parity_network.state_dict().keys()
    assert sum(t.numel() for t in ours.values()) == sum(t.numel() for t in published.values())
