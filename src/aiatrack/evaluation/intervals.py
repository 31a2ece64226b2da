"""How sure a number is: bootstrap over sequences, since frames of one sequence are not independent."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from aiatrack.errors import DataError, SettingsError
from aiatrack.evaluation.annotation import FloatArray
from aiatrack.evaluation.scoring import Score, check_metric
from aiatrack.evaluation.wording import write_points

RESAMPLES = 2000
"""Bootstrap samples drawn by default."""


@dataclass(frozen=True)
class Interval:
    """A percentile interval that covers a share `level` of the bootstrap samples."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True)
class PairedDifference:
    """One tracker less another on the same sequences."""

    difference: float
    interval: Interval | None
    """None over a single sequence: see `bootstrap_interval`."""
    p_value: float | None
    """Two-sided share of bootstrap samples on the other side of 0; never below 1 / (samples + 1).

    None without an interval.
    """

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0; never without one."""
        return self.interval is not None and (self.interval.low > 0 or self.interval.high < 0)


def bootstrap_interval(
    score: Score,
    metric: str = "success_auc",
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Interval of a benchmark's number under resampling of its sequences.

    None over a single sequence: drawn again it is always itself, which says nothing of others.

    Args:
        score: of one tracker.
        metric: one of `METRICS`.
        level: share of samples inside, (0, 1).
        resamples: number of bootstrap samples, at least 1.
        seed: of the random numbers, at least 0; the same seed gives the same interval.

    Raises:
        SettingsError: unknown metric, or a level, a number of samples or a seed out of range.
    """
    check_metric(metric)
    _check_settings(level, resamples, seed)
    if len(score.sequence_names) == 1:
        return None
    counts = _draw(len(score.sequence_names), resamples, seed)
    return _percentiles(_means(counts, score, metric), level)


def paired_difference(
    first: Score,
    second: Score,
    metric: str = "success_auc",
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Compare two trackers on the sequences that both were scored on, drawing the same sequences for both.

    Args:
        first: of one tracker.
        second: of another, on the same benchmark and rule set.
        metric: one of `METRICS`.
        level: share of samples inside the interval, (0, 1).
        resamples: number of bootstrap samples, at least 1.
        seed: of the random numbers, at least 0.

    Raises:
        SettingsError: unknown metric, or a level, a number of samples or a seed out of range.
        DataError: the scores have no sequence in common.
    """
    check_metric(metric)
    _check_settings(level, resamples, seed)
    common = set(first.sequence_names) & set(second.sequence_names)
    if not common:
        raise DataError(
            "two trackers without a common sequence cannot be compared: score them on the same benchmark"
        )
    first, second = (_ordered(score, sorted(common)) for score in (first, second))
    difference = first.overall(metric) - second.overall(metric)
    if len(common) == 1:
        return PairedDifference(difference, None, None)
    counts = _draw(len(common), resamples, seed)
    samples = _means(counts, first, metric) - _means(counts, second, metric)
    tail = min(int((samples <= 0).sum()), int((samples >= 0).sum()))
    p_value = min(1.0, 2 * (tail + 1) / (resamples + 1))
    return PairedDifference(difference, _percentiles(samples, level), p_value)


def write_interval(interval: Interval | None) -> str:
    """An interval of shares as tables show it, in points of a hundred; empty without one."""
    return "" if interval is None else f"{write_points(interval.low)} - {write_points(interval.high)}"


def _check_settings(level: float, resamples: int, seed: int) -> None:
    if not (isinstance(level, Real) and 0 < level < 1):
        raise SettingsError(f"the level of an interval lies between 0 and 1, such as 0.95; got {level!r}")
    for name, value, least in (("resamples", resamples, 1), ("seed", seed, 0)):
        if not (isinstance(value, Integral) and value >= least):
            raise SettingsError(f"{name} must be a whole number of at least {least}; got {value!r}")


def _ordered(score: Score, names: list[str]) -> Score:
    position = {name: index for index, name in enumerate(score.sequence_names)}
    return score.subset(np.array([position[name] for name in names]))


def _draw(sequences: int, resamples: int, seed: int) -> FloatArray:
    """How often each sequence occurs in each sample, `(resamples, S)`."""
    shares = np.full(sequences, 1 / sequences)
    return np.random.default_rng(seed).multinomial(sequences, shares, size=resamples).astype(np.float64)


def _means(counts: FloatArray, score: Score, metric: str) -> FloatArray:
    means: FloatArray = counts @ (score.values[metric] * score.weights) / (counts @ score.weights)
    return means


def _percentiles(samples: FloatArray, level: float) -> Interval:
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)
