"""Tables of a report, and the three text formats for them."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiatrack.evaluation.intervals import bootstrap_interval, write_interval
from aiatrack.evaluation.report.comparison import UNLIKE_SEQUENCES, Comparison, Report
from aiatrack.evaluation.wording import METRIC_COLUMNS, write_points


@dataclass(frozen=True)
class ReportTable:
    """Plain text in rows; numbers are already written out."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best_cells: frozenset[tuple[int, int]] = frozenset()
    """Row and column of each cell to be set off: the best numbers of their columns, and who leads."""
    notes: tuple[str, ...] = ()
    """What readers must know of these numbers."""


def tabulate_scores(comparison: Comparison) -> ReportTable:
    """Every tracker's numbers with the headline's 95 % interval and speed.

    Set off are the best of each metric, and the names of those that are best in the headline. Speeds are not
    ranked: they may have been taken on different machines.
    """
    rows = []
    for entry, score in zip(comparison.entries, comparison.scores, strict=True):
        speed = entry.results.frames_per_second
        rows.append(
            (
                entry.tracker,
                *(write_points(score.overall(metric)) for metric in METRIC_COLUMNS),
                write_interval(bootstrap_interval(score)),
                str(len(score.sequence_names)),
                "" if speed is None else f"{speed:.1f}",
            )
        )
    title = f"{comparison.benchmark.description.title}, rules: {comparison.rules.name}"
    header = ("tracker", *METRIC_COLUMNS.values(), "AUC, 95 % interval", "sequences", "frames/s")
    columns = enumerate(("success_auc", *METRIC_COLUMNS))
    best = frozenset((row, column) for column, metric in columns for row in comparison.best(metric))
    return ReportTable(title, header, tuple(rows), best, tuple(comparison.notes))


def tabulate_differences(comparison: Comparison) -> ReportTable:
    """Paired differences of the headline number, every pair of trackers."""
    rows = []
    for (first, second), found in comparison.differences.items():
        interval = found.interval
        rows.append(
            (
                comparison.trackers[first],
                comparison.trackers[second],
                f"{100 * found.difference:+.2f}",
                "" if interval is None else f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}",
                "" if found.p_value is None else f"{found.p_value:.4f}",
                "yes" if found.significant else "no",
            )
        )
    header = ("tracker", "less", "AUC points", "95 % interval", "p", "significant")
    title = f"Differences on {comparison.benchmark.description.title}, paired bootstrap over sequences"
    return ReportTable(title, header, tuple(rows))


def tabulate_attributes(comparison: Comparison) -> ReportTable:
    """Headline number by challenge; numbers of sequences tracker by tracker where those are not the same."""
    rows = []
    for name, parts in comparison.attributes.items():
        counts = [str(0 if part is None else len(part.sequence_names)) for part in parts]
        cells = ("" if part is None else write_points(part.overall()) for part in parts)
        rows.append((name, counts[0] if comparison.same_sequences else " / ".join(counts), *cells))
    header = ("challenge", "sequences", *comparison.trackers)
    return ReportTable(f"AUC by challenge on {comparison.benchmark.description.title}", header, tuple(rows))


def all_tables(report: Report) -> list[ReportTable]:
    """Every table of a report in reading order, empty ones left out."""
    makers: tuple[Callable[[Comparison], ReportTable], ...] = (
        tabulate_scores,
        tabulate_differences,
        tabulate_attributes,
    )
    tables = [make(comparison) for comparison in report.comparisons for make in makers]
    return [table for table in tables if table.rows]


def to_markdown(report: Report) -> str:
    """The tables as Markdown, the best numbers in bold, notes below."""
    parts = ["# Tracking report\n"]
    for table in all_tables(report):
        parts.append(f"## {table.title}\n")
        parts.append(_markdown_row([_markdown_text(cell) for cell in table.header]))
        parts.append(_markdown_row(["---"] + ["---:"] * (len(table.header) - 1)))
        parts += [_markdown_row(row) for row in _set_off(table, _markdown_text, "**{}**")]
        parts.append("")
    parts += [f"- {_markdown_text(note)}" for note in report.notes]
    return "\n".join(parts).rstrip() + "\n"


def to_csv(report: Report) -> str:
    """Every number in full precision, a row for each benchmark, tracker, sequence (or `all`) and metric.

    Notes stand in the last column of the `all` rows, so that every line stays one row of the same table.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("benchmark", "rules", "tracker", "sequence", "metric", "value", "low", "high", "notes"))
    for comparison in report.comparisons:
        shared = [] if comparison.same_sequences else [UNLIKE_SEQUENCES]
        for index, (tracker, score) in enumerate(zip(comparison.trackers, comparison.scores, strict=True)):
            start = (comparison.benchmark.name, comparison.rules.name, tracker)
            notes = "; ".join([*comparison.notes_on(index), *shared])
            for metric in METRIC_COLUMNS:
                interval = bootstrap_interval(score, metric)
                span = ("", "") if interval is None else (interval.low, interval.high)
                values = (score.overall(metric), *span)
                writer.writerow((*start, "all", metric, *values, notes))
                for name, value in zip(score.sequence_names, score.values[metric].tolist(), strict=True):
                    writer.writerow((*start, name, metric, value, "", "", ""))
    return stream.getvalue()


def to_latex(report: Report) -> str:
    """The tables as LaTeX with `booktabs`, the best numbers in bold, notes below and as comments on top."""
    parts = ["% Needs \\usepackage{booktabs}"]
    parts += [f"% Note: {' '.join(note.splitlines())}" for note in report.notes]
    for table in all_tables(report):
        columns = "l" + "r" * (len(table.header) - 1)
        parts += ["\\begin{table}", "\\centering", f"\\caption{{{_latex_text(table.title)}}}"]
        parts += [f"\\begin{{tabular}}{{{columns}}}", "\\toprule"]
        parts += [_latex_row([_latex_text(cell) for cell in table.header]), "\\midrule"]
        parts += [_latex_row(row) for row in _set_off(table, _latex_text, "\\textbf{{{}}}")]
        parts += ["\\bottomrule", "\\end{tabular}"]
        if table.notes:
            notes = _latex_text("; ".join(table.notes))
            parts.append(f"\\par\\smallskip\\parbox{{\\linewidth}}{{\\footnotesize {notes}.}}")
        parts += ["\\end{table}", ""]
    return "\n".join(parts)


def _set_off(table: ReportTable, escape: Callable[[str], str], bold: str) -> list[list[str]]:
    """The cells of every row, escaped, those to be set off inside the pattern `bold`."""
    return [
        [
            bold.format(escape(cell)) if (row, column) in table.best_cells else escape(cell)
            for column, cell in enumerate(cells)
        ]
        for row, cells in enumerate(table.rows)
    ]


def _markdown_text(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _latex_text(text: str) -> str:
    escapes = {mark: f"\\{mark}" for mark in "&%$#_{}"} | {
        "\\": "\\textbackslash{}",
        "~": "\\textasciitilde{}",
        "^": "\\textasciicircum{}",
        "<": "\\textless{}",
        ">": "\\textgreater{}",
        "|": "\\textbar{}",
        '"': "\\char34{}",  # \textquotedbl needs another font encoding than the default
        "\n": " ",
    }
    return "".join(escapes.get(mark, mark) for mark in text)


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + " \\\\"
