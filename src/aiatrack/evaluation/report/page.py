"""The report as one HTML page that holds everything it shows."""

from html import escape

from aiatrack.evaluation.report.charts import Line, colour_of, draw_bars, draw_curves, number_trackers
from aiatrack.evaluation.report.comparison import Comparison, Report
from aiatrack.evaluation.report.film_strips import build_film_strip
from aiatrack.evaluation.report.tables import (
    ReportTable,
    tabulate_attributes,
    tabulate_differences,
    tabulate_scores,
)
from aiatrack.evaluation.scoring import curve_thresholds
from aiatrack.evaluation.wording import write_points

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --text: #1b1f24; --page: #fff; --dim: #667; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --page: #14171a; --dim: #9aa3ad; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 1180px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.3rem; margin: 2.6rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p, li { max-width: 75ch; } .dim { color: var(--dim); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } td.best { font-weight: 650; }
th { font-weight: 600; color: var(--dim); font-size: .88rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 1.2rem; }
figure { margin: 0; } figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .3rem; }
svg { width: 100%; height: auto; max-width: 760px; }
svg text { font: 13px system-ui, sans-serif; fill: currentColor; white-space: pre; }
svg text.small { font-size: 11px; fill: var(--dim); }
svg .grid { stroke: var(--line); } svg .axis { stroke: var(--dim); }
.key { display: inline-block; width: .9em; height: .9em; margin: 0 .35em 0 .9em; vertical-align: -.1em; }
.strip { margin: .8rem 0 1.1rem; } .strip img { max-width: 100%; display: block; border-radius: 3px; }
"""


def to_html(report: Report) -> str:
    """The page: tables, curves, bars, worst sequences, notes; no reference leaves it."""
    sections = "".join(_section(comparison) for comparison in report.comparisons)
    summary = _summary(report) if len(report.comparisons) > 1 else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Tracking report: {escape(', '.join(report.trackers))}</title>"
        f"<style>{_STYLE}</style></head><body>"
        f"<h1>Tracking report</h1><p>{_count(report)}</p>{summary}{sections}"
        + (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "")
        + "</body></html>\n"
    )


def _count(report: Report) -> str:
    names = ", ".join(comparison.benchmark.description.title for comparison in report.comparisons)
    trackers = "1 tracker" if len(report.trackers) == 1 else f"{len(report.trackers)} trackers"
    return escape(f"{trackers} ({', '.join(report.trackers)}) on {names}.")


def _summary(report: Report) -> str:
    """Headline numbers of all trackers on all benchmarks."""
    rows = []
    for tracker in report.trackers:
        cells = []
        for comparison in report.comparisons:
            scores = dict(zip(comparison.trackers, comparison.scores, strict=True))
            cells.append(write_points(scores[tracker].overall()) if tracker in scores else "")
        rows.append((tracker, *cells))
    header = ("tracker", *(comparison.benchmark.name for comparison in report.comparisons))
    return _table(ReportTable("AUC on every benchmark", header, tuple(rows)))


def _section(comparison: Comparison) -> str:
    rules = comparison.rules
    words = "; ".join(f"{name.replace('_', ' ')}: {rule}" for name, rule in rules.describe().items())
    parts = [
        f"<h2>{escape(comparison.benchmark.description.title)}</h2>",
        _table(tabulate_scores(comparison)),
        f'<p class="dim">Rules of {escape(rules.source)}: {escape(words)}. '
        "Intervals: bootstrap over sequences.</p>",
        _charts(comparison),
    ]
    if len(comparison.entries) > 1:
        parts.append(_table(tabulate_differences(comparison)))
    if comparison.attributes:
        parts += [_attributes(comparison), _table(tabulate_attributes(comparison))]
    return "".join([*parts, _worst(comparison)])


def _charts(comparison: Comparison) -> str:
    rules = comparison.rules
    kinds = (
        ("Success", "success_curves", "success_auc", rules.success, "overlap threshold"),
        ("Precision", "precision_curves", "precision", rules.precision, "centre error threshold, px"),
        (
            "Normalised precision",
            "normalised_precision_curves",
            "normalised_precision",
            rules.normalised_precision,
            "normalised centre error threshold",
        ),
    )
    figures = []
    for title, curves, metric, curve, axis in kinds:
        lines = [
            Line(tracker, score.overall_curve(getattr(score, curves)), score.overall(metric))
            for tracker, score in zip(comparison.trackers, comparison.scores, strict=True)
        ]
        thresholds = curve_thresholds(curve)
        chart = draw_curves(lines, thresholds, title=title, axis=axis, ranked=comparison.same_sequences)
        figures.append(f"<figure><figcaption>{title}, % of frames</figcaption>{chart}</figure>")
    return f'<div class="charts">{"".join(figures)}</div>'


def _attributes(comparison: Comparison) -> str:
    groups = [
        (name, [None if part is None else part.overall() for part in parts])
        for name, parts in comparison.attributes.items()
    ]
    bars = draw_bars(groups, comparison.trackers)
    return f"<h3>AUC by challenge</h3><p>{_keys(comparison)}</p><figure>{bars}</figure>"


def _worst(comparison: Comparison) -> str:
    worst = comparison.worst_sequences()
    parts = [f"<h3>Worst {len(worst)} sequences of {escape(comparison.trackers[0])}</h3>"]
    strips = {name: build_film_strip(comparison.entries, name) for name, _ in worst}
    if any(strips.values()):
        white = '<span class="key" style="background:#fff;outline:1px solid #888"></span>annotation'
        parts.append(f"<p>{white}{_keys(comparison)}</p>")
    for name, _ in worst:
        numbers = ", ".join(_sequence_numbers(comparison, name))
        picture = strips[name]
        image = f'<img src="{picture}" alt="frames of {escape(name, quote=True)}">' if picture else ""
        parts.append(
            f'<div class="strip"><b>{escape(name)}</b> <span class="dim">{numbers}</span>{image}</div>'
        )
    return "".join(parts)


def _sequence_numbers(comparison: Comparison, sequence: str) -> list[str]:
    numbers = []
    for tracker, score in zip(comparison.trackers, comparison.scores, strict=True):
        if sequence in score.sequence_names:
            value = score.values["success_auc"][score.sequence_names.index(sequence)]
            numbers.append(f"{escape(tracker)} {100 * value:.1f}")
    return numbers


def _keys(comparison: Comparison) -> str:
    return "".join(
        f'<span class="key" style="background:{colour_of(index)}"></span>{escape(tracker)}'
        for index, tracker in enumerate(number_trackers(comparison.trackers))
    )


def _table(table: ReportTable) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = []
    for row, cells in enumerate(table.rows):
        kinds = [' class="best"' if (row, column) in table.best_cells else "" for column in range(len(cells))]
        written = (f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, cells, strict=True))
        rows.append(f"<tr>{''.join(written)}</tr>")
    return (
        f'<h3>{escape(table.title)}</h3><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
