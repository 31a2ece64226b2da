"""Charts as inline SVG: no script, no font, no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from aiatrack.evaluation.annotation import FloatArray

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000")
"""Colours of trackers in order, told apart by colour-blind readers too (Okabe and Ito)."""

_WIDTH, _HEIGHT = 460, 330
_BAR_HEIGHT = 12
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 14, 12, 42
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_LEGEND_LETTERS = 42
"""As many fit beside a curve's key and number."""


@dataclass(frozen=True)
class Line:
    """One tracker's curve."""

    name: str
    values: FloatArray
    """`(K,)`, 0 to 1."""
    score: float
    """What the legend shows, 0 to 1."""


def colour_of(index: int) -> str:
    """Colour of a tracker by its place; it starts over after eight."""
    return COLOURS[index % len(COLOURS)]


def number_trackers(trackers: Sequence[str]) -> list[str]:
    """Names for keys; numbered where colours start over, to be found by the numbers beside the bars."""
    if len(trackers) <= len(COLOURS):
        return list(trackers)
    return [f"({number}) {tracker}" for number, tracker in enumerate(trackers, start=1)]


def draw_curves(
    lines: Sequence[Line], thresholds: FloatArray, *, title: str, axis: str, ranked: bool = True
) -> str:
    """Draw curves over thresholds, each with its number in the legend.

    Args:
        lines: one a tracker, in the order of their colours.
        thresholds: `(K,)` from 0 up.
        title: what the curves show.
        axis: what the thresholds are.
        ranked: list the best first in the legend, instead of in the given order.
    """
    stop = float(thresholds[-1])
    paths = [_path(index, line, thresholds / stop) for index, line in enumerate(lines)]
    ticks = [f"{stop * i / 5:g}" for i in range(6)]
    legend = _legend(lines, ranked=ranked)
    height = _HEIGHT + 18 * len(lines)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{_axes(ticks, axis)}{''.join(paths)}{legend}</svg>"
    )


def draw_bars(groups: Sequence[tuple[str, Sequence[float | None]]], trackers: Sequence[str]) -> str:
    """Draw horizontal bars, a group for each label with a bar for each tracker; values 0 to 1 or None."""
    numbered = len(trackers) > len(COLOURS)
    bar, gap, left, width = _BAR_HEIGHT, 12, 240, 690
    step = bar * len(trackers) + gap
    height = step * len(groups) + 24
    parts = []
    for row, (label, values) in enumerate(groups):
        top = row * step + gap / 2
        middle = top + bar * len(trackers) / 2 + 4
        parts.append(f'<text x="{left - 8}" y="{middle:.1f}" text-anchor="end">{escape(label)}</text>')
        for index, value in enumerate(values):
            if value is not None:
                text = f"{100 * value:.1f}" + (f" ({index + 1})" if numbered else "")
                parts.append(_bar(left, top + index * bar, 400 * value, text, colour_of(index)))
    baseline = f'<line x1="{left}" y1="0" x2="{left}" y2="{height - 20}" class="axis"/>'
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="success by challenge">'
        f"{baseline}{''.join(parts)}</svg>"
    )


def _bar(left: int, top: float, length: float, text: str, colour: str) -> str:
    return (
        f'<rect x="{left}" y="{top:.1f}" width="{length:.1f}" height="{_BAR_HEIGHT - 2}" fill="{colour}"/>'
        f'<text x="{left + length + 5:.1f}" y="{top + _BAR_HEIGHT - 3:.1f}" class="small">{text}</text>'
    )


def _place(x: float, y: float) -> tuple[float, float]:
    """From shares of the plot, origin at the lower left, to SVG units."""
    return (
        _LEFT + x * (_WIDTH - _LEFT - _RIGHT),
        _TOP + (1 - y) * (_HEIGHT - _TOP - _BOTTOM),
    )


def _path(index: int, line: Line, shares: FloatArray) -> str:
    points = (_place(x, y) for x, y in zip(shares.tolist(), line.values.tolist(), strict=True))
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = _DASHES[index // len(COLOURS) % len(_DASHES)]
    return (
        f'<polyline points="{text}" fill="none" stroke="{colour_of(index)}" stroke-width="2" '
        f'stroke-dasharray="{dash}"><title>{escape(line.name)}</title></polyline>'
    )


def _axes(ticks: Sequence[str], axis: str) -> str:
    parts = []
    for step in range(6):
        x0, y = _place(0, step / 5)
        x1, _ = _place(1, step / 5)
        parts.append(f'<line x1="{x0}" y1="{y:.1f}" x2="{x1}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end" class="small">{step * 20}</text>')
        x, bottom = _place(step / 5, 0)
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 15:.1f}" text-anchor="middle" class="small">{ticks[step]}</text>'
        )
    middle, bottom = _place(0.5, 0)
    parts.append(f'<text x="{middle:.1f}" y="{bottom + 32:.1f}" text-anchor="middle">{escape(axis)}</text>')
    return "".join(parts)


def _legend(lines: Sequence[Line], *, ranked: bool) -> str:
    order = list(range(len(lines)))
    if ranked:
        order.sort(key=lambda index: -lines[index].score)
    parts = []
    for row, index in enumerate(order):
        y = _HEIGHT + 10 + 18 * row
        dash = _DASHES[index // len(COLOURS) % len(_DASHES)]
        parts.append(
            f'<line x1="{_LEFT}" y1="{y - 4}" x2="{_LEFT + 26}" y2="{y - 4}" stroke="{colour_of(index)}" '
            f'stroke-width="3" stroke-dasharray="{dash}"/>'
            f'<text x="{_LEFT + 34}" y="{y}"><title>{escape(lines[index].name)}</title>'
            f"{100 * lines[index].score:.1f}  {escape(_shorten(lines[index].name))}</text>"
        )
    return "".join(parts)


def _shorten(name: str) -> str:
    """A name that fits into the legend; SVG neither wraps text nor says that it was cut."""
    return name if len(name) <= _LEGEND_LETTERS else f"{name[: _LEGEND_LETTERS - 1]}…"
