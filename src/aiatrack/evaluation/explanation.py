"""Why two rule sets give two numbers for the same boxes: the difference, divided among the rules.

Rules interact (a threshold test matters more where absent frames are counted), so what one rule is worth
depends on which others have been changed already. Each rule gets its Shapley value: its effect averaged over
every order in which the rules could be changed one by one. That favours no order, and the parts sum to the
whole.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from math import comb
from typing import Any

from aiatrack.evaluation.measurement import FrameTable
from aiatrack.evaluation.rules import RULE_FIELDS, RuleSet
from aiatrack.evaluation.scoring import check_metric, score_metric

_ALWAYS = ("rounding", "first_frame", "passed_in", "counted", "denominator", "pooling")
_OVERLAP = (*_ALWAYS, "clip_to_image", "test")
_FIELDS_BEHIND: dict[str, tuple[str, ...]] = {
    "success_auc": (*_OVERLAP, "success"),
    "average_overlap": (*_ALWAYS, "clip_to_image"),
    "success_at_50": _OVERLAP,
    "success_at_75": _OVERLAP,
    "precision": (*_ALWAYS, "precision", "absent_errors"),
    "normalised_precision": (*_ALWAYS, "normalised_precision", "least_normaliser_px", "absent_errors"),
}


@dataclass(frozen=True)
class RulePart:
    """What one rule contributes to a difference."""

    rule: str
    """The field of `RuleSet`."""
    before: str
    after: str
    """The rule in words, in the first and in the second rule set."""
    difference: float
    """Its share of the difference; a share in [-1, 1], not points."""


@dataclass(frozen=True)
class Explanation:
    """One metric under two rule sets, and the parts of the difference; the parts sum to `after - before`."""

    metric: str
    first: str
    second: str
    before: float
    after: float
    parts: tuple[RulePart, ...]
    """One for each rule that differs and can touch the metric, largest effect first."""

    @property
    def difference(self) -> float:
        """After less before."""
        return self.after - self.before


def explain_difference(
    table: FrameTable, first: RuleSet, second: RuleSet, metric: str = "success_auc"
) -> Explanation:
    """Divide the difference between two rule sets among the rules in which they differ.

    Args:
        table: predictions and annotation.
        first: the rule set to start from.
        second: the rule set to arrive at.
        metric: one of `METRICS`.

    Raises:
        SettingsError: unknown metric.
        DataError: some mixture of the two rule sets counts no frame at all.
    """
    check_metric(metric)
    differing = tuple(
        name
        for name in RULE_FIELDS
        if name in _FIELDS_BEHIND[metric] and getattr(first, name) != getattr(second, name)
    )

    @cache
    def value(changed: frozenset[str]) -> float:
        changes: dict[str, Any] = {name: getattr(second, name) for name in changed}
        return score_metric(table, replace(first, **changes), metric)

    def part(name: str) -> RulePart:
        others = [other for other in differing if other != name]
        total = 0.0
        for size in range(len(others) + 1):
            effects = [
                value(frozenset({*chosen, name})) - value(frozenset(chosen))
                for chosen in combinations(others, size)
            ]
            total += sum(effects) / comb(len(others), size)
        return RulePart(name, first.describe()[name], second.describe()[name], total / len(differing))

    parts = sorted((part(name) for name in differing), key=lambda item: -abs(item.difference))
    return Explanation(
        metric, first.name, second.name, value(frozenset()), value(frozenset(differing)), tuple(parts)
    )
