"""What a report says, before it is laid out: trackers side by side on each benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aiatrack.errors import DataError
from aiatrack.evaluation.benchmark import Benchmark
from aiatrack.evaluation.entry import Entry
from aiatrack.evaluation.intervals import PairedDifference, paired_difference
from aiatrack.evaluation.rules import RuleSet, select_rules
from aiatrack.evaluation.scoring import Score
from aiatrack.evaluation.wording import count_sequences, write_points

WORST_SEQUENCES = 10
"""How many sequences a report shows pictures of."""
UNLIKE_SEQUENCES = (
    "the trackers were scored over different sequences, so their numbers do not rank them and none is set "
    "off as the best; differences are over the sequences that both have"
)
"""The note on such a comparison."""


@dataclass(frozen=True)
class Comparison:
    """Trackers on one benchmark under one rule set, in the order in which they were given."""

    benchmark: Benchmark
    rules: RuleSet
    entries: tuple[Entry, ...]
    scores: tuple[Score, ...]

    @property
    def trackers(self) -> tuple[str, ...]:
        """Names of the trackers."""
        return tuple(entry.tracker for entry in self.entries)

    @cached_property
    def same_sequences(self) -> bool:
        """Whether all trackers were scored over the same sequences; only then do their numbers rank them."""
        return len({frozenset(score.sequence_names) for score in self.scores}) == 1

    def best(self, metric: str = "success_auc") -> frozenset[int]:
        """Which trackers have the highest number of a metric, which is the best of each of `METRICS`.

        All that tie in the digits that a table shows; none for a lone tracker, or over unlike sequences.
        """
        if len(self.scores) < 2 or not self.same_sequences:
            return frozenset()
        numbers = [write_points(score.overall(metric)) for score in self.scores]
        highest = max(numbers, key=float)
        return frozenset(index for index, number in enumerate(numbers) if number == highest)

    @cached_property
    def differences(self) -> dict[tuple[int, int], PairedDifference]:
        """Headline number of one tracker less another's, for every pair with the first given first."""
        return {
            (i, j): paired_difference(self.scores[i], self.scores[j])
            for i in range(len(self.scores))
            for j in range(i + 1, len(self.scores))
        }

    @cached_property
    def attributes(self) -> dict[str, tuple[Score | None, ...]]:
        """Parts of each tracker's score by challenge; None where none of its sequences has it."""
        parts = [
            entry.score_attributes(score) for entry, score in zip(self.entries, self.scores, strict=True)
        ]
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: tuple(part.get(name) for part in parts) for name in names}

    def notes_on(self, tracker: int) -> list[str]:
        """What readers must know of one tracker's numbers.

        Args:
            tracker: its place.
        """
        entry, score = self.entries[tracker], self.scores[tracker]
        notes = [*entry.results.notes, *score.notes]
        left_out = [problem.sequence for problem in entry.results.problems]
        if left_out:
            notes.append(f"{count_sequences(len(left_out))} left out: {', '.join(left_out)}")
        return notes

    @property
    def notes(self) -> list[str]:
        """What readers must know, with tracker and benchmark."""
        name = self.benchmark.name
        notes = [
            f"{tracker} on {name}: {note}"
            for index, tracker in enumerate(self.trackers)
            for note in self.notes_on(index)
        ]
        if not self.same_sequences:
            notes.append(f"{name}: {UNLIKE_SEQUENCES}")
        return notes

    def worst_sequences(self, count: int = WORST_SEQUENCES) -> list[tuple[str, float]]:
        """Sequences with the lowest headline numbers of the first tracker, and those; the worst first."""
        score = self.scores[0]
        values = score.values["success_auc"]
        return [
            (score.sequence_names[i], float(values[i])) for i in np.argsort(values, kind="stable")[:count]
        ]


@dataclass(frozen=True)
class Report:
    """All comparisons, one for each benchmark."""

    comparisons: tuple[Comparison, ...]

    @property
    def trackers(self) -> tuple[str, ...]:
        """Names of all trackers, in the order in which they were given."""
        return tuple(dict.fromkeys(name for comparison in self.comparisons for name in comparison.trackers))

    @property
    def notes(self) -> list[str]:
        """What readers must know, with tracker and benchmark."""
        return [note for comparison in self.comparisons for note in comparison.notes]


def build_report(entries: Sequence[Entry], rules: str | None = None) -> Report:
    """Group entries by benchmark and score them.

    Args:
        entries: trackers on benchmarks; the first of a benchmark is the one whose worst sequences are shown.
        rules: name of a rule set for all benchmarks; each benchmark's usual one if None.

    Raises:
        DataError: no entries, or two of the same tracker on the same benchmark.
        SettingsError: unknown rule set.
    """
    if not entries:
        raise DataError("a report needs the results of one tracker on one benchmark at least")
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        group = groups.setdefault(entry.benchmark.name, [])
        if entry.tracker in {other.tracker for other in group}:
            raise DataError(
                f"two results are called {entry.tracker!r} on {entry.benchmark.name}: name them apart, "
                "each as NAME=FOLDER (in Python, open_entry(tracker=...))"
            )
        group.append(entry)
    return Report(tuple(_compare(group, rules) for group in groups.values()))


def _compare(entries: list[Entry], rules: str | None) -> Comparison:
    benchmark = entries[0].benchmark
    chosen = select_rules(rules or benchmark.description.rules)
    return Comparison(benchmark, chosen, tuple(entries), tuple(entry.score(chosen) for entry in entries))
