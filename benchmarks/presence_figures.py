"""Numbers and pictures that tell what a probability is worth."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_SIZE, _MARGIN = 320, 44


def area_under_roc(scores: FloatArray, hits: BoolArray) -> float:
    """How likely a hit scores higher than a miss, ties counting half; NaN without both."""
    order = np.argsort(scores, kind="stable")
    values, first, counts = np.unique(scores[order], return_index=True, return_counts=True)
    mean_rank = first + (counts + 1) / 2
    ranks = mean_rank[np.searchsorted(values, scores)]
    positives, negatives = int(hits.sum()), int((~hits).sum())
    if not positives or not negatives:
        return float("nan")
    return float((ranks[hits].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def reliability(presence: FloatArray, hits: BoolArray, bins: int = 10) -> list[tuple[float, float, int]]:
    """For each tenth of [0, 1] that occurs: mean probability, share of hits, count."""
    places = np.minimum((presence * bins).astype(int), bins - 1)
    return [
        (float(presence[places == place].mean()), float(hits[places == place].mean()), int(count))
        for place, count in enumerate(np.bincount(places, minlength=bins))
        if count
    ]


def calibration_error(presence: FloatArray, hits: BoolArray) -> float:
    """Expected calibration error: distance of probability and share of hits in ten bins, by their counts."""
    parts = reliability(presence, hits)
    return sum(count * abs(mean - share) for mean, share, count in parts) / len(presence)


def write_reliability(path: Path, curves: dict[str, list[tuple[float, float, int]]]) -> None:
    """Draw reliability diagrams over one another as SVG; the area of a dot is its share of the frames."""
    colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
    height = _SIZE + 18 * len(curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{_SIZE}" height="{height}" fill="white"/>',
        _line((0, 0), (1, 1), "#999", dash="4 3"),
        _line((0, 0), (1, 0), "#333"),
        _line((0, 0), (0, 1), "#333"),
        f'<text x="{_SIZE / 2}" y="{_SIZE - 6}" text-anchor="middle">presence</text>',
        f'<text transform="translate(12 {_SIZE / 2}) rotate(-90)" text-anchor="middle">share right</text>',
    ]
    for tick in (0, 0.5, 1):
        (x, y), (left, bottom) = _place(tick, tick), _place(0, 0)
        parts.append(f'<text x="{x}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>')
        parts.append(f'<text x="{left - 5}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    for row, (colour, (name, points)) in enumerate(zip(colours, curves.items(), strict=False)):
        total = sum(count for _, _, count in points)
        places = [(*_place(mean, share), 14 * (count / total) ** 0.5 + 1.5) for mean, share, count in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.6"/>'
            for x, y, radius in places
        ]
        parts.append(f'<text x="{_MARGIN}" y="{_SIZE + 10 + 18 * row}" fill="{colour}">{name}</text>')
    path.write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")


def _place(x: float, y: float) -> tuple[float, float]:
    span = _SIZE - 1.5 * _MARGIN
    return _MARGIN + x * span, _MARGIN / 2 + (1 - y) * span


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, dash: str = "") -> str:
    (x0, y0), (x1, y1) = _place(*start), _place(*end)
    return f'<line x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}" stroke="{colour}" stroke-dasharray="{dash}"/>'
