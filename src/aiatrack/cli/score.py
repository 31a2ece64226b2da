"""`aiatrack score`: one tracker's results on one benchmark, by a rule set that is stated."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from aiatrack.cli.results_options import Partial
from aiatrack.cli.terminal import console, print_line, print_table
from aiatrack.cli.tracker_names import name_trackers
from aiatrack.evaluation.benchmark import open_benchmark
from aiatrack.evaluation.entry import Entry, open_entry, tabulate_entry
from aiatrack.evaluation.explanation import Explanation, explain_difference
from aiatrack.evaluation.intervals import bootstrap_interval, write_interval
from aiatrack.evaluation.results import read_annotations
from aiatrack.evaluation.rules import RULE_SETS, AbsentErrors, RuleSet, select_rules
from aiatrack.evaluation.scoring import METRICS, Score, check_metric
from aiatrack.evaluation.wording import METRIC_COLUMNS, METRIC_TITLES, count_sequences, write_points


class AbsentHits(str, Enum):
    """In which precisions frames without target count as hits."""

    NONE = "none"
    NORMALISED = "normalised"
    BOTH = "both"


_ABSENT_ERRORS = {
    AbsentHits.NONE: AbsentErrors.MISS,
    AbsentHits.NORMALISED: AbsentErrors.NORMALISED,
    AbsentHits.BOTH: AbsentErrors.BOTH,
}

_Rules = Annotated[
    str | None, typer.Option(help=f"One of {', '.join(RULE_SETS)}; the benchmark's usual ones if not given.")
]
_Explain = Annotated[
    bool, typer.Option("--explain", help="Score by every rule set and say what makes the differences.")
]
_ExplainTo = Annotated[
    list[str] | None, typer.Option(help="Explain only the difference from --rules to this rule set.")
]
_Metric = Annotated[str, typer.Option(help=f"What to explain: one of {', '.join(METRICS)}.")]
_AbsentHits = Annotated[
    AbsentHits, typer.Option(help="Reproduce scorers whose precisions count frames without target as hits.")
]


def score(
    results: Annotated[Path, typer.Argument(help="Folder with one text file of boxes a sequence.")],
    *,
    benchmark: Annotated[
        str, typer.Option("--benchmark", "-b", help="Name, as in `aiatrack benchmarks list`.")
    ],
    root: Annotated[Path, typer.Option(help="Folder of the benchmark, or of flat files NAME.txt.")],
    rules: _Rules = None,
    explain: _Explain = False,
    explain_to: _ExplainTo = None,
    metric: _Metric = "success_auc",
    absent_hits: _AbsentHits = AbsentHits.NONE,
    per_sequence: Annotated[bool, typer.Option("--sequences", help="Also list every sequence.")] = False,
    partial: Partial = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Score a tracker's result files, saying by which rules.

    ```
    # By the benchmark's usual rules
    aiatrack score results/lite -b otb100 --root /data/OTB100
    # By every rule set, with reasons
    aiatrack score results/lite -b lasot --root annotations/lasot --explain
    # One difference, as JSON
    aiatrack score results/lite -b uav123 --root anno --explain-to stark --json
    ```
    """
    check_metric(metric)
    opened = open_benchmark(benchmark, root)
    absent = _ABSENT_ERRORS[absent_hits]
    chosen = select_rules(rules or opened.description.rules, absent)
    others = [select_rules(name, absent) for name in explain_to or (RULE_SETS if explain else ())]
    (tracker,) = name_trackers([(None, results)], opened.name)
    annotations = read_annotations(opened, partial=partial)
    entry = open_entry(results, opened, annotations, tracker=tracker, partial=partial)
    scored = entry.score(chosen)
    explanations = [
        explain_difference(entry.table, chosen, other, metric)
        for other in others
        if other.name != chosen.name
    ]
    if as_json:
        content = tabulate_entry(entry, scored, explanations)
        if explain:
            content["every_rule_set"] = {name: _overall(entry.score(other)) for name, other in _all(absent)}
        typer.echo(json.dumps(content, indent=2))
        return
    _print_score(entry, scored, per_sequence=per_sequence)
    if explain:
        _print_rule_sets([entry.score(other) for _, other in _all(absent)])
    for explanation in explanations:
        _print_explanation(explanation)


def _all(absent: AbsentErrors) -> list[tuple[str, RuleSet]]:
    return [(name, select_rules(name, absent)) for name in RULE_SETS]


def _overall(scored: Score) -> dict[str, float]:
    return {metric: scored.overall(metric) for metric in METRICS}


def _print_score(entry: Entry, scored: Score, *, per_sequence: bool) -> None:
    count = count_sequences(len(scored.sequence_names))
    title = f"{entry.tracker} on {entry.benchmark.description.title}, {count}"
    table = Table("", "score", "95 % interval", title=Text(title))
    for metric, words in METRIC_TITLES.items():
        interval = write_interval(bootstrap_interval(scored, metric))
        table.add_row(words, write_points(scored.overall(metric)), interval)
    classes = entry.object_classes()
    if classes is not None:
        table.add_row("mean overlap, classes balanced", write_points(scored.class_balanced(classes)), "")
    print_table(table)
    _print_rules(scored)
    _print_parts(entry, scored)
    if per_sequence:
        _print_sequences(scored)
    for note in (*entry.results.notes, *scored.notes):
        console.print("[yellow]note:[/yellow]", Text(note))
    if entry.results.problems:
        console.print(f"[yellow]left out:[/yellow] {count_sequences(len(entry.results.problems))}")
        for item in entry.results.problems:
            print_line(f"- {item.sequence}: {item.problem}")


def _print_rules(scored: Score) -> None:
    console.print(f"rules: [bold]{scored.rules.name}[/bold] ({scored.rules.source})")
    words = [f"{name.replace('_', ' ')}: {rule}" for name, rule in scored.rules.describe().items()]
    console.print("; ".join(words), style="dim", highlight=False)


def _print_parts(entry: Entry, scored: Score) -> None:
    parts = entry.score_attributes(scored)
    if not parts:
        return
    table = Table("challenge", "sequences", "success")
    for attribute, part in parts.items():
        table.add_row(Text(attribute), str(len(part.sequence_names)), write_points(part.overall()))
    print_table(table)


def _print_sequences(scored: Score) -> None:
    table = Table("sequence", *METRIC_COLUMNS.values())
    for index, name in enumerate(scored.sequence_names):
        table.add_row(
            Text(name), *(write_points(float(scored.values[metric][index])) for metric in METRIC_COLUMNS)
        )
    print_table(table)


def _print_rule_sets(scores: list[Score]) -> None:
    table = Table("rules", *METRIC_COLUMNS.values(), title="the same boxes by every rule set")
    table.columns[0].no_wrap = True
    for scored in scores:
        table.add_row(scored.rules.name, *(write_points(scored.overall(metric)) for metric in METRIC_COLUMNS))
    print_table(table)


def _print_explanation(explanation: Explanation) -> None:
    title = (
        f"{METRIC_TITLES[explanation.metric]}: {explanation.first} {write_points(explanation.before)} -> "
        f"{explanation.second} {write_points(explanation.after)}"
    )
    caption = "each rule's effect, averaged over every order in which the rules could be changed"
    table = Table("rule", "before", "after", "points", title=title, caption=caption, show_footer=True)
    table.columns[0].footer = "sum"
    table.columns[3].footer = f"{100 * explanation.difference:+.3f}"
    for part in explanation.parts:
        table.add_row(part.rule.replace("_", " "), part.before, part.after, f"{100 * part.difference:+.3f}")
    print_table(table)
