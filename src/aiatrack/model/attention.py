"""Multi-head attention over references whose correlation map may be refined (paper, Eq. 1 and 2).

Legend: B batch, H heads, R references, N_q query tokens, N_k key tokens per reference, C channels, d = C / H.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from aiatrack.config import NetworkSettings, Refinement
from aiatrack.model.refinement import (
    InnerAttention,
    build_refinement,
    fold_scale,
    log_multiplicity,
    scaled,
)


class ProjectedReferences(NamedTuple):
    """What an attention can compute of its keys and values before any query is known."""

    keys: Tensor
    """`(B, R, N_k, C)`"""
    values: Tensor
    """`(B, R, N_k, C)`"""
    positions: Tensor
    """`(B, R, N_k, D)`, inner sine encoding of the keys' places."""


class AttentionMaps(NamedTuple):
    """How much each query token draws from each key, `(B, H, R, N_k, N_q)`, one in all."""

    unrefined: Tensor
    """From the correlation map as it is."""
    refined: Tensor
    """From the refined one, which is what the network uses; the same tensor where nothing refines it."""


class CorrelationAttention(nn.Module):
    """`softmax(M + refinement(M)) (V W_v) W_o` with `M = Q K^T / sqrt(d)` per head."""

    def __init__(self, settings: NetworkSettings, refinement: nn.Module | None) -> None:
        super().__init__()
        self.heads = settings.heads
        self.query = nn.Linear(settings.channels, settings.channels)
        self.key = nn.Linear(settings.channels, settings.channels)
        self.value = nn.Linear(settings.channels, settings.channels)
        self.output = nn.Linear(settings.channels, settings.channels)
        self.refinement = refinement
        self.dropout = nn.Dropout(settings.dropout)
        self.logit_scale = math.sqrt(settings.heads / settings.channels)

    def project(self, key_tokens: Tensor, value_tokens: Tensor, positions: Tensor) -> ProjectedReferences:
        """Project one reference of each sample: tokens `(B, N_k, C)`, positions `(B, N_k, D)`; R is 1."""
        return ProjectedReferences(
            self.key(key_tokens)[:, None], self.value(value_tokens)[:, None], positions[:, None]
        )

    def forward(
        self, query_tokens: Tensor, references: ProjectedReferences, multiplicity: Tensor | None = None
    ) -> Tensor:
        """Attend to all references at once.

        Args:
            query_tokens: `(B, N_q, C)`.
            references: projected keys and values.
            multiplicity: `(B, R)`, how often each reference counts; m equal references weigh like one whose
                logits carry log m. None counts each once.

        Returns:
            `(B, N_q, C)`.
        """
        return self.output(self._attend(self.query(query_tokens), references, multiplicity))  # type: ignore[no-any-return]

    def maps(
        self, query_tokens: Tensor, references: ProjectedReferences, multiplicity: Tensor | None = None
    ) -> AttentionMaps:
        """What `forward` attends to, for people to look at; arguments as there."""
        vectors = self._correlate(self.query(query_tokens), references)
        return _maps(vectors, self._refine(vectors, references), multiplicity)

    def fold(self) -> None:
        """Write the logits' scale, and what the refinement can, into projections; for inference only."""
        self.logit_scale = fold_scale(self.query, self.logit_scale)
        if isinstance(self.refinement, InnerAttention):
            self.refinement.fold()

    def _attend(self, query: Tensor, references: ProjectedReferences, multiplicity: Tensor | None) -> Tensor:
        vectors = self._refine(self._correlate(query, references), references)
        weights = _weigh(vectors, multiplicity)  # (B, H, R N_k, N_q)
        head_value = self._split_heads(references.values).flatten(2, 3)  # (B, H, R N_k, d)
        found: Tensor = self.dropout(weights).transpose(-2, -1) @ head_value  # (B, H, N_q, d)
        return found.transpose(1, 2).flatten(2)

    def _correlate(self, query: Tensor, references: ProjectedReferences) -> Tensor:
        """`(B, H, R, N_k, N_q)`, one row per key: the correlation vectors that the refinement works on."""
        head_query = self._split_heads(scaled(query, self.logit_scale)[:, None])  # (B, H, 1, N_q, d)
        head_key = self._split_heads(references.keys)  # (B, H, R, N_k, d)
        return head_key @ head_query.transpose(-2, -1)

    def _refine(self, vectors: Tensor, references: ProjectedReferences) -> Tensor:
        if self.refinement is None:
            return vectors
        return vectors + self.refinement(vectors, references.positions)  # type: ignore[no-any-return]

    def _split_heads(self, tokens: Tensor) -> Tensor:
        """`(B, R, N, C)` -> `(B, H, R, N, d)`."""
        return tokens.view(*tokens.shape[:-1], self.heads, -1).permute(0, 3, 1, 2, 4)


class CascadeAttention(CorrelationAttention):
    """The paper's control for AiA: a second plain attention after the first, with about as many parameters.

    Its queries are the first one's plus what they found, its keys the first one's, its values a further
    projection of the first one's.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings, refinement=None)
        self.second_query = nn.Linear(settings.channels, settings.channels)
        self.second_value = nn.Linear(settings.channels, settings.channels)
        self.second_output = nn.Linear(settings.channels, settings.channels)

    def fold(self) -> None:
        """Write the logits' scale into both queries; for inference only."""
        fold_scale(self.second_query, self.logit_scale)
        super().fold()

    def forward(
        self, query_tokens: Tensor, references: ProjectedReferences, multiplicity: Tensor | None = None
    ) -> Tensor:
        """Attend twice; shapes as in `CorrelationAttention`."""
        first = super().forward(query_tokens, references, multiplicity)
        query = self.second_query(query_tokens + first)
        references = references._replace(values=self.second_value(references.values))
        return first + self.second_output(self._attend(query, references, multiplicity))  # type: ignore[no-any-return]

    def maps(
        self, query_tokens: Tensor, references: ProjectedReferences, multiplicity: Tensor | None = None
    ) -> AttentionMaps:
        """Of the first attention, as unrefined, and of the second, as refined."""
        first = self._correlate(self.query(query_tokens), references)
        found = super().forward(query_tokens, references, multiplicity)
        second = self._correlate(self.second_query(query_tokens + found), references)
        return _maps(first, second, multiplicity)


def _maps(unrefined: Tensor, refined: Tensor, multiplicity: Tensor | None) -> AttentionMaps:
    weights = _weigh(unrefined, multiplicity).view(unrefined.shape)
    if refined is unrefined:
        return AttentionMaps(weights, weights)
    return AttentionMaps(weights, _weigh(refined, multiplicity).view(refined.shape))


def _weigh(vectors: Tensor, multiplicity: Tensor | None) -> Tensor:
    """Softmax over the keys of all references, each counted so many times: `(B, H, R N_k, N_q)`."""
    if multiplicity is not None:
        vectors = vectors + log_multiplicity(multiplicity)[:, None, :, None, None]
    return vectors.flatten(2, 3).softmax(dim=-2)


def build_attention(settings: NetworkSettings, *, refined: bool) -> CorrelationAttention:
    """Build an attention layer; `refined` says whether this is a place where the settings want refinement."""
    if refined and settings.refinement is Refinement.CASCADE:
        return CascadeAttention(settings)
    return CorrelationAttention(settings, build_refinement(settings) if refined else None)


def stack_references(references: list[ProjectedReferences]) -> ProjectedReferences:
    """Join references along R."""
    if len(references) == 1:
        return references[0]
    return ProjectedReferences(*(torch.cat(parts, dim=1) for parts in zip(*references, strict=True)))
