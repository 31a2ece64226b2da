"""Maps of attention are what the network itself attends by, and keeping them changes no answer."""

import numpy as np
import pytest
import torch
from tiny_network import TINY_NETWORK

from aiatrack.config import Combination, NetworkSettings, Refinement
from aiatrack.model import AiATrack, AttentionLog, build_network

TINY = TINY_NETWORK.replace(dropout=0.0)


def build(settings: NetworkSettings) -> AiATrack:
    torch.manual_seed(0)
    return build_network(settings).eval().double()


def run(network: AiATrack, short_terms: int, counts: list[float] | None = None):
    generator = torch.Generator().manual_seed(1)
    size = network.settings.crop_size
    padding = torch.zeros(1, size, size, dtype=torch.bool)
    memories = [
        network.encode(torch.randint(0, 256, (1, size, size, 3), generator=generator).double(), padding)
        for _ in range(short_terms + 2)
    ]
    box = torch.tensor([[0.3, 0.2, 0.4, 0.5]], dtype=torch.float64)
    long_term, *short_term = (network.remember(memory, box) for memory in memories[1:])
    multiplicity = None if counts is None else torch.tensor([counts])
    return network.locate(
        memories[0], long_term.long_term, [part.short_term for part in short_term], multiplicity
    )


@torch.inference_mode()
@pytest.mark.parametrize("refinement", Refinement)
def test_keeping_maps_changes_no_answer(refinement):
    settings = TINY.replace(refinement=refinement)
    expected = run(build(settings), 2)
    watched = build(settings)
    AttentionLog(watched)
    for found, part in zip(run(watched, 2), expected, strict=True):
        assert torch.equal(found, part)


@torch.inference_mode()
@pytest.mark.parametrize("refinement", Refinement)
@pytest.mark.parametrize("folded", [False, True])
def test_refined_maps_are_what_values_are_weighed_by(refinement, folded):
    """From map, values and output projection alone, the attention's own output comes out."""
    network = build(TINY.replace(refinement=refinement))
    if folded:
        network.fold()
    attention = network.decoder.long_term_attention
    tokens = torch.randn(1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    references = attention.project(tokens.flip(1), tokens, torch.zeros(1, 16, 8, dtype=torch.float64))
    maps = attention.maps(tokens, references)
    for part in maps:
        np.testing.assert_allclose(part.sum(dim=(2, 3)), 1)

    def weigh(weights, projected, project):
        values = projected.unflatten(-1, (2, 8)).permute(0, 2, 1, 3)  # (B, H, N, d)
        return project((weights[:, :, 0].transpose(-2, -1) @ values).transpose(1, 2).flatten(2))

    if refinement is Refinement.CASCADE:
        expected = weigh(maps.unrefined, references.values[:, 0], attention.output)
        second = attention.second_value(references.values[:, 0])
        expected = expected + weigh(maps.refined, second, attention.second_output)
    else:
        expected = weigh(maps.refined, references.values[:, 0], attention.output)
    np.testing.assert_allclose(attention(tokens, references), expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(maps.unrefined, maps.refined) == (refinement is Refinement.NONE)


@torch.inference_mode()
def test_each_branch_has_its_map():
    network = build(TINY)
    log = AttentionLog(network)
    run(network, 3)
    assert [part.refined.shape for part in log.take_encoder()] == [(1, 2, 1, 16, 16)]
    assert [part.refined.shape for part in log.take_decoder()] == [(1, 2, 1, 16, 16), (1, 2, 3, 16, 16)]
    assert log.take_decoder() == []
    run(network, 0)
    assert len(log.take_decoder()) == 1


@torch.inference_mode()
@pytest.mark.parametrize(("combination", "shapes"), [(Combination.MERGED, [3]), (Combination.LONG_ONLY, [1])])
def test_one_branch_has_one_map(combination, shapes):
    network = build(TINY.replace(combination=combination))
    log = AttentionLog(network)
    run(network, 2)
    assert [part.refined.shape[2] for part in log.take_decoder()] == shapes


@torch.inference_mode()
def test_a_reference_that_counts_twice_is_drawn_from_as_two_are():
    network = build(TINY)
    log = AttentionLog(network)
    run(network, 2, [1.0, 1.0])
    once = log.take_decoder()[1].unrefined.sum(dim=3)  # (B, H, R, N_q)
    run(network, 2, [2.0, 1.0])
    twice = log.take_decoder()[1].unrefined.sum(dim=3)
    odds = once[:, :, 0] / once[:, :, 1]
    np.testing.assert_allclose(twice[:, :, 0] / twice[:, :, 1], 2 * odds, rtol=1e-6)
