"""The three verbs: every variant of the settings, and what must not change an answer."""

import itertools
import re

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK
from torch import nn

from aiatrack.config import (
    Backbone,
    Combination,
    Marking,
    ModelSettings,
    NetworkSettings,
    RefinedAttention,
    Refinement,
)
from aiatrack.model import AiATrack, Memory, build_network, cell_padding, load_network, save_weights
from aiatrack.model import network as network_module
from aiatrack.model.frozen_norm import FrozenBatchNorm2d

TINY = TINY_NETWORK.replace(dropout=0.0)
SETTINGS = {kind: TINY.replace(combination=kind) for kind in (Combination.SEPARATE, Combination.MERGED)}

VARIANTS = list(itertools.product(Refinement, RefinedAttention, Marking, Combination))


class TinyBackbone(nn.Module):
    """One convolution to stride 16: variants differ behind the backbone."""

    out_channels = 8
    mean = std = (0.5, 0.5, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 16, 16)

    def forward(self, images):
        return self.convolution(images).relu()

    def fold(self) -> None:
        """Nothing is frozen here."""


def random_crops(batch: int, settings: NetworkSettings, seed: int = 0):
    """Crops, padding of various widths, and boxes, one each."""
    generator = torch.Generator().manual_seed(seed)
    size = settings.crop_size
    crops = torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8, generator=generator)
    padding = torch.zeros(batch, size, size, dtype=torch.bool)
    for i in range(batch):
        padding[i, : (i % 3) * 16] = True
        padding[i, :, size - (i % 2) * 16 :] = True
    boxes = torch.rand(batch, 4, generator=generator) * 0.4 + 0.1
    return crops, padding, boxes


def randomized(settings: NetworkSettings, seed: int = 1) -> AiATrack:
    """A network whose norms have statistics of their own, in evaluation mode."""
    torch.manual_seed(seed)
    network = build_network(settings)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
    return network.eval()


def assert_close(ours, expected, tolerance=1e-5):
    for a, b in zip(ours, expected, strict=True):
        if isinstance(a, torch.Tensor):
            torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)
        else:
            assert_close(a, b, tolerance)


@pytest.fixture(scope="module", params=list(SETTINGS), ids=lambda kind: kind.value)
def tiny(request) -> AiATrack:
    """A network of each combination; tests must not change it."""
    return randomized(SETTINGS[request.param])


@pytest.fixture(autouse=True)
def _no_gradients(request):
    with torch.set_grad_enabled("gradient" in request.node.name):
        yield


def test_shapes_of_the_three_verbs(tiny):
    crops, padding, boxes = random_crops(3, TINY)
    memory = tiny.encode(crops, padding)
    assert memory.tokens.shape == (3, 16, 16) and memory.inner_positions.shape == (3, 16, 8)
    reference = tiny.remember(memory, boxes)
    assert reference.short_term.keys.shape == reference.long_term.values.shape == (3, 1, 16, 16)
    location = tiny.locate(memory, reference.long_term, [reference.short_term])
    assert location.boxes_xywh.shape == (3, 4) and location.scores.shape == (3,)
    assert location.top_left_scores.shape == location.bottom_right_scores.shape == (3, 4, 4)


def test_a_batch_of_eight_is_eight_batches_of_one(tiny):
    crops, padding, boxes = random_crops(8, TINY)
    counts = torch.tensor([[1.0, i % 3 + 1] for i in range(8)])

    def run(rows: slice):
        memory = tiny.encode(crops[rows], padding[rows])
        other = tiny.encode(crops[rows].flip(1), padding[rows])
        first, second = tiny.remember(memory, boxes[rows]), tiny.remember(other, boxes[rows] * 0.9)
        short_term = [first.short_term, second.short_term]
        return memory, first, tiny.locate(other, first.long_term, short_term, counts[rows])

    together = run(slice(0, 8))
    alone = [run(slice(i, i + 1)) for i in range(8)]
    for verb in range(3):
        joined = _concatenate([results[verb] for results in alone])
        assert_close(together[verb], joined)


def _concatenate(parts):
    """Join the batch axes of equal nested tuples of tensors."""
    if isinstance(parts[0], torch.Tensor):
        return torch.cat(parts)
    return [_concatenate(list(column)) for column in zip(*parts, strict=True)]


def _references(network, count):
    crops, padding, boxes = random_crops(count + 1, TINY, seed=7)
    memories = [network.encode(crops[i : i + 1], padding[i : i + 1]) for i in range(count + 1)]
    return memories[0], [network.remember(memories[i], boxes[i : i + 1]) for i in range(1, count + 1)]


@pytest.mark.parametrize("counts", [(3, 1, 2), (1, 1, 1), (5, 1, 1)])
def test_counted_references_equal_copied_ones(tiny, counts):
    search, references = _references(tiny, 3)
    short_term = [reference.short_term for reference in references]
    copied = [part for part, count in zip(short_term, counts, strict=True) for _ in range(count)]
    expected = tiny.locate(search, references[0].long_term, copied)
    ours = tiny.locate(search, references[0].long_term, short_term, torch.tensor([counts]).float())
    assert_close(ours, expected)


def test_counting_matters(tiny):
    search, references = _references(tiny, 2)
    short_term = [reference.short_term for reference in references]
    once = tiny.decode(search, references[0].long_term, short_term)
    thrice = tiny.decode(search, references[0].long_term, short_term, torch.tensor([[1.0, 3.0]]))
    assert (once - thrice).abs().max() > 1e-4


def test_a_count_of_zero_leaves_a_reference_out(tiny):
    search, references = _references(tiny, 3)
    short_term = [reference.short_term for reference in references]
    expected = tiny.locate(search, references[0].long_term, short_term[::2])
    ours = tiny.locate(search, references[0].long_term, short_term, torch.tensor([[1.0, 0.0, 1.0]]))
    assert_close(ours, expected)


def test_the_order_of_short_term_references_does_not_matter(tiny):
    search, references = _references(tiny, 3)
    short_term = [reference.short_term for reference in references]
    assert_close(
        tiny.locate(search, references[0].long_term, short_term),
        tiny.locate(search, references[0].long_term, short_term[::-1]),
    )


def test_without_short_term_references_only_the_long_term_one_is_seen(tiny):
    search, references = _references(tiny, 2)
    ours = tiny.locate(search, references[0].long_term, [], torch.zeros(1, 0))
    assert torch.isfinite(ours.boxes_xywh).all()
    if tiny.settings.combination is Combination.MERGED:
        # Merged, a lone reference counted twice is the same as once.
        assert_close(
            ours, tiny.locate(search, references[0].long_term, [references[0].long_term]), tolerance=1e-4
        )


def test_long_only_ignores_the_ensemble():
    network = randomized(TINY.replace(combination=Combination.LONG_ONLY))
    search, references = _references(network, 2)
    expected = network.locate(search, references[0].long_term, [])
    assert_close(
        network.locate(search, references[0].long_term, [references[1].short_term], torch.ones(1, 1)),
        expected,
    )


def _answers(network: AiATrack):
    """What each of the three verbs says, in float64."""
    crops, padding, boxes = random_crops(2, network.settings)
    boxes = boxes.double()
    memory = network.encode(crops, padding)
    reference = network.remember(memory, boxes)
    short_term = [reference.short_term, network.remember(memory, boxes * 0.8).short_term]
    counts = torch.tensor([[1, 2], [2, 0]])
    return memory, reference, network.locate(memory, reference.long_term, short_term, counts)


def _check_folding(network: AiATrack) -> None:
    before = _answers(network.double())
    modules = len(list(network.modules()))
    network.fold()
    folded = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.fold()  # a second time changes nothing
    assert all(torch.equal(folded[name], tensor) for name, tensor in network.state_dict().items())
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, FrozenBatchNorm2d)
    assert len(list(network.modules())) == modules
    assert not any(isinstance(module, norms) for module in network.modules())
    assert_close(_answers(network), before, tolerance=1e-6)


@pytest.mark.parametrize("backbone", list(Backbone))
def test_a_folded_network_is_the_unfolded_one(backbone):
    _check_folding(randomized(TINY.replace(backbone=backbone)))


@pytest.mark.parametrize("refinement", list(Refinement))
@pytest.mark.parametrize("combination", list(Combination))
def test_every_attention_folds(refinement, combination):
    _check_folding(randomized(TINY.replace(refinement=refinement, combination=combination)))


def test_known_positions_give_the_same_memory(tiny):
    crops, padding, _ = random_crops(3, TINY)
    positions = tiny.place(cell_padding(padding, TINY.grid_size))
    assert_close(tiny.encode_placed(crops, positions), tiny.encode(crops, padding), tolerance=0)
    shared = tiny.place(torch.zeros(1, 4, 4, dtype=torch.bool))
    shared = type(shared)(*(part.expand(3, -1, -1) for part in shared))
    assert_close(tiny.encode_placed(crops, shared), tiny.encode(crops, torch.zeros_like(padding)))


def test_bytes_and_floats_are_the_same_pixels(tiny):
    crops, padding, _ = random_crops(2, TINY)
    assert_close(tiny.encode(crops, padding), tiny.encode(crops.float(), padding))


def test_padding_reaches_the_positions_and_nothing_else(tiny):
    crops, padding, _ = random_crops(1, TINY)
    padded = padding.clone()
    padded[:, :16] = True
    plain, moved = tiny.encode(crops, padding), tiny.encode(crops, padded)
    assert (plain.inner_positions - moved.inner_positions).abs().max() > 0.1
    assert (plain.tokens - moved.tokens).abs().max() > 1e-3
    padded[:, :16], padded[:, 1:16] = False, True  # no cell's first row is padding: not seen at all
    assert_close(tiny.encode(crops, padded), plain)


def test_marking():
    search_and_boxes = torch.tensor([[0.25, 0.25, 0.5, 0.5]])
    inside = torch.zeros(4, 4, dtype=torch.bool)
    inside[1:3, 1:3] = True
    tokens = torch.randn(1, 16, 16)
    marked = {}
    for marking in Marking:
        network = randomized(TINY.replace(marking=marking))
        region = network_module.target_region(search_and_boxes, 4)[..., None]
        marked[marking] = network._mark(tokens, region)[0]
        if marking is Marking.EMBEDDING:
            target, background = network.target_embedding, network.background_embedding
    assert torch.equal(marked[Marking.NONE], tokens[0])
    cells = inside.flatten()
    assert torch.equal(marked[Marking.MASK][cells], tokens[0][cells])
    assert (marked[Marking.MASK][~cells] == 0).all()
    torch.testing.assert_close(marked[Marking.EMBEDDING][cells], tokens[0][cells] + target)
    torch.testing.assert_close(marked[Marking.EMBEDDING][~cells], tokens[0][~cells] + background)


def _train_one_step(network: AiATrack) -> None:
    """Forward and backward as in training, where proposals are scored, then a step down the gradient."""
    crops, padding, boxes = random_crops(4, network.settings)
    memory = network.encode(crops, padding)
    search = Memory(*(tensor.flip(0) for tensor in memory))
    reference = network.remember(memory, boxes)
    other = network.remember(search, boxes * 0.8)
    decoded = network.decode(search, reference.long_term, [reference.short_term, other.short_term])
    scores = network.iou_head(decoded, torch.stack((boxes, boxes * 1.5), dim=1))
    # Squared distances from what no network says at first: no gradient is zero by accident.
    loss = (network.corner_head(decoded).boxes_xyxy - 2).square().sum() + (scores - 3).square().sum()
    loss.backward()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.sub_(1e-3 * parameter.grad)


def silent_parameters(network: AiATrack) -> list[str]:
    """Names without a gradient, but for shifts that a softmax or a batch norm takes out again."""
    shifts = re.compile(
        r".*\.key\.bias|corner_head\..*\.[0-3]\.0\.bias|corner_head\.[a-z_]*\.4\.bias|"
        r"iou_head\.convolutions\.\d\.0\.bias|iou_head\.hidden\.bias"
    )
    return [n for n, p in network.named_parameters() if not (shifts.fullmatch(n) or p.grad.abs().max() > 0)]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(part.value for part in v))
def test_every_variant_trains_by_gradients_and_is_rebuilt_from_its_file(variant, tmp_path, monkeypatch):
    monkeypatch.setattr(network_module, "build_backbone", lambda name: TinyBackbone())
    refinement, refined_attention, marking, combination = variant
    settings = TINY.replace(
        refinement=refinement, refined_attention=refined_attention, marking=marking, combination=combination
    )
    torch.manual_seed(0)
    network = build_network(settings).train()
    _train_one_step(network)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
    assert silent_parameters(network) == []
    network.eval()
    path = tmp_path / "variant.safetensors"
    save_weights(path, network.state_dict(), ModelSettings(network=settings))
    loaded_settings, rebuilt = load_network(path)
    assert loaded_settings.network == settings and not rebuilt.training
    crops, padding, boxes = random_crops(2, settings, seed=3)
    with torch.no_grad():
        answers = []
        for each in (network, rebuilt):
            memory = each.encode(crops, padding)
            reference = each.remember(memory, boxes)
            answers.append(each.locate(memory, reference.long_term, [reference.short_term]))
    assert_close(*answers, tolerance=0)


@pytest.mark.parametrize("backbone", list(Backbone))
def test_real_backbones_have_gradients_everywhere(backbone):
    torch.manual_seed(0)
    network = build_network(TINY.replace(backbone=backbone)).train()
    _train_one_step(network)
    assert silent_parameters(network) == []


def test_training_mode_trains_too_by_gradients_with_dropout():
    torch.manual_seed(0)
    network = build_network(TINY.replace(dropout=0.3)).train()
    _train_one_step(network)
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("seed", range(3))
def test_dropout_does_nothing_in_evaluation(seed):
    network = randomized(TINY.replace(dropout=0.5))
    crops, padding, _ = random_crops(1, TINY, seed)
    np.testing.assert_array_equal(
        network.encode(crops, padding).tokens, network.encode(crops, padding).tokens
    )


def test_inner_positions_are_what_aia_without_positions_leaves_out():
    crops, padding, _ = random_crops(1, TINY)
    padded = padding.clone()
    padded[:, :16] = True
    for refinement, moves in ((Refinement.AIA, True), (Refinement.AIA_WITHOUT_POSITIONS, False)):
        network = randomized(TINY.replace(refinement=refinement))
        attention = network.encoder[0].attention
        tokens = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0))
        answers = [
            attention(tokens, attention.project(tokens, tokens, network.encode(crops, mask).inner_positions))
            for mask in (padding, padded)
        ]
        assert bool((answers[0] - answers[1]).abs().max() > 1e-5) is moves


def test_attention_by_the_formula():
    """Plain attention against PyTorch's own, with the same projections."""
    network = randomized(TINY.replace(refinement=Refinement.NONE))
    ours = network.encoder[0].attention
    other = nn.MultiheadAttention(16, 2, batch_first=True)
    state = {part: getattr(ours, part) for part in ("query", "key", "value")}
    other.in_proj_weight.copy_(torch.cat([layer.weight for layer in state.values()]))
    other.in_proj_bias.copy_(torch.cat([layer.bias for layer in state.values()]))
    other.out_proj.load_state_dict(ours.output.state_dict())
    query, key, value = torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(2))
    positions = torch.zeros(2, 16, 8)
    torch.testing.assert_close(
        ours(query, ours.project(key, value, positions)), other(query, key, value)[0], atol=1e-5, rtol=1e-5
    )


def test_inner_attention_by_the_formula():
    """Equation 3, written out with loops over heads and references."""
    from aiatrack.model.refinement import InnerAttention

    torch.manual_seed(3)
    inner = InnerAttention(9, 8, dropout=0.0)
    vectors, positions = torch.randn(2, 2, 3, 9, 9), torch.randn(2, 3, 9, 8)
    ours = inner(vectors, positions)
    for b, h, r in itertools.product(range(2), range(2), range(3)):
        s = vectors[b, h, r]
        z = inner.projection_norm(s @ inner.projection.weight.T + inner.projection.bias) + positions[b, r]
        q = z @ inner.query.weight.T + inner.query.bias
        k = z @ inner.key.weight.T + inner.key.bias
        found = torch.softmax(q @ k.T / 8**0.5, dim=-1) @ inner.value_norm(s)
        expected = found @ (torch.eye(9) + inner.output.weight.T) + inner.output.bias
        torch.testing.assert_close(ours[b, h, r], expected, atol=1e-5, rtol=1e-5)
