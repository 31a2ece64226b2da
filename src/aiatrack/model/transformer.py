"""Encoder and decoder of the long/short-term transformer (paper, section 3.3).

Legend: B batch, N tokens, R references, C channels, D inner channels.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from aiatrack.config import Combination, NetworkSettings, RefinedAttention
from aiatrack.model.attention import ProjectedReferences, build_attention, stack_references


class FeedForward(nn.Sequential):
    """Two linear layers with a ReLU between."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(
            nn.Linear(settings.channels, settings.feed_forward_channels),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.feed_forward_channels, settings.channels),
        )


class EncoderLayer(nn.Module):
    """Post-norm self-attention and feed-forward; positions are added to queries and keys only."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        refined = settings.refined_attention in (RefinedAttention.ENCODER, RefinedAttention.BOTH)
        self.attention = build_attention(settings, refined=refined)
        self.feed_forward = FeedForward(settings)
        self.attention_norm = nn.LayerNorm(settings.channels)
        self.feed_forward_norm = nn.LayerNorm(settings.channels)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, tokens: Tensor, positions: Tensor, inner_positions: Tensor) -> Tensor:
        """`(B, N, C)` tokens and positions, `(B, N, D)` inner positions -> `(B, N, C)`."""
        placed = tokens + positions
        attended = self.attention(placed, self.attention.project(placed, tokens, inner_positions))
        tokens = self.attention_norm(tokens + self.dropout(attended))
        return self.feed_forward_norm(tokens + self.dropout(self.feed_forward(tokens)))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Search tokens attend to the long-term reference and the short-term ensemble, in parallel or merged."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        refined = settings.refined_attention in (RefinedAttention.DECODER, RefinedAttention.BOTH)
        self.combination = settings.combination
        self.long_term_attention = build_attention(settings, refined=refined)
        self.short_term_attention = (
            build_attention(settings, refined=refined)
            if settings.combination is Combination.SEPARATE
            else None
        )
        self.feed_forward = FeedForward(settings)
        self.attention_norm = nn.LayerNorm(settings.channels)
        self.feed_forward_norm = nn.LayerNorm(settings.channels)
        self.output_norm = nn.LayerNorm(settings.channels)
        self.dropout = nn.Dropout(settings.dropout)

    def project(
        self, tokens: Tensor, marked_tokens: Tensor, inner_positions: Tensor
    ) -> tuple[ProjectedReferences, ProjectedReferences]:
        """Project a reference for the long-term branch and for the short-term one.

        Args:
            tokens: `(B, N, C)`, the reference's memory, from which keys are made.
            marked_tokens: `(B, N, C)`, the same with the target marked, from which values are made.
            inner_positions: `(B, N, D)`.
        """
        long_term = self.long_term_attention.project(tokens, marked_tokens, inner_positions)
        if self.short_term_attention is None:
            return long_term, long_term
        return long_term, self.short_term_attention.project(tokens, marked_tokens, inner_positions)

    def forward(
        self,
        tokens: Tensor,
        long_term: ProjectedReferences,
        short_term: Sequence[ProjectedReferences],
        multiplicity: Tensor | None = None,
    ) -> Tensor:
        """Decode search tokens against references.

        Args:
            tokens: `(B, N, C)`, memory of the search region.
            long_term: of frame 0.
            short_term: the ensemble; may be empty, and is ignored by `long_only`.
            multiplicity: `(B, len(short_term))`, how often each short-term reference counts; None: once each.

        Returns:
            `(B, N, C)`.
        """
        attended = self._attend(tokens, long_term, list(short_term), multiplicity)
        tokens = self.attention_norm(tokens + attended)
        tokens = self.feed_forward_norm(tokens + self.dropout(self.feed_forward(tokens)))
        return self.output_norm(tokens)  # type: ignore[no-any-return]

    def _attend(
        self,
        tokens: Tensor,
        long_term: ProjectedReferences,
        short_term: list[ProjectedReferences],
        multiplicity: Tensor | None,
    ) -> Tensor:
        if not short_term or self.combination is Combination.LONG_ONLY:
            return self.dropout(self.long_term_attention(tokens, long_term))  # type: ignore[no-any-return]
        if self.short_term_attention is None:
            if multiplicity is not None:
                multiplicity = nn.functional.pad(multiplicity, (1, 0), value=1)
            merged = stack_references([long_term, *short_term])
            return self.dropout(self.long_term_attention(tokens, merged, multiplicity))  # type: ignore[no-any-return]
        long_attended = self.dropout(self.long_term_attention(tokens, long_term))
        short_attended = self.short_term_attention(tokens, stack_references(short_term), multiplicity)
        return long_attended + self.dropout(short_attended)  # type: ignore[no-any-return]
