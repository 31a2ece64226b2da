"""The sheet of an observation: what was found, and where one token looks.

Legend: G grid side, N = G^2 tokens, H heads.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aiatrack.errors import SettingsError
from aiatrack.runtimes.watched import Attention, Observation, WatchedReference
from aiatrack.tracking import TrackResult
from aiatrack.visualization import Panel, draw_panels

_LEAST_COLUMNS = 4  # of the first row
Array = npt.NDArray[np.float32]


def draw_sheet(
    result: TrackResult, seen: Observation, point: Sequence[float], first_frame: int
) -> npt.NDArray[np.uint8]:
    """Draw what `AttentionView.draw` describes; arguments and errors as there."""
    token = _token_at(point, seen)
    # The ensemble's members are fewer at first, and counted; a film's pictures have one size.
    columns = len(seen.encoder) + sum(reference.count for reference in seen.references)
    rows = [
        _first_row(result, seen, token, first_frame),
        _attention_row(seen, token, first_frame, refined=True),
    ]
    if any(attention.is_refined for attention in [*seen.encoder, *(r.attention for r in seen.references)]):
        rows.append(_attention_row(seen, token, first_frame, refined=False))
    return draw_panels(rows, columns=max(columns, _LEAST_COLUMNS))


def _token_at(point: Sequence[float], seen: Observation) -> int:
    """The token at a point of the box that was found, or the nearest in the search region."""
    try:
        shares = np.asarray(point, dtype=np.float64)
    except (TypeError, ValueError):
        shares = np.full(2, np.nan)
    if shares.shape != (2,) or not np.isfinite(shares).all():
        raise SettingsError(f"a point is two finite numbers, shares of the box; got {point!r}")
    grid = seen.grid_size
    place = (seen.box_xywh[:2] + shares * seen.box_xywh[2:]) * grid
    column, row = np.clip(place, 0, grid - 1).astype(int).tolist()
    return int(row * grid + column)


def _mark_of(token: int, grid: int) -> tuple[float, float]:
    """The middle of a token's cell, as shares of the search region."""
    row, column = divmod(token, grid)
    return (column + 0.5) / grid, (row + 0.5) / grid


def _first_row(result: TrackResult, seen: Observation, token: int, first_frame: int) -> list[Panel]:
    title = f"frame {first_frame + result.frame_index}, predicted overlap {result.predicted_iou:.2f}"
    row = [
        Panel(seen.crop, title, box_xywh=seen.box_xywh, mark_xy=_mark_of(token, seen.grid_size)),
        Panel(seen.crop, "corners", seen.corner_probabilities.sum(axis=0), box_xywh=seen.box_xywh),
    ]
    long_term, short_term = seen.references[:1], seen.references[1:]
    for references, frames in ((long_term, f"frame {first_frame}"), (short_term, "later frames")):
        if references:
            drawn = np.sum([_drawn_from_target(reference) for reference in references], axis=0)
            heat = drawn.reshape(seen.grid_size, seen.grid_size)
            row.append(Panel(seen.crop, f"attention to the target, {frames}", heat, box_xywh=seen.box_xywh))
    return row


def _attention_row(seen: Observation, token: int, first_frame: int, *, refined: bool) -> list[Panel]:
    """Where the token looks, in its own region by each layer and in each reference."""
    mark, row = _mark_of(token, seen.grid_size), []
    for number, layer in enumerate(seen.encoder, start=1):
        name = f"encoder {number}" if len(seen.encoder) > 1 else "encoder"
        looks = layer.of_token(token, refined=refined)
        row.append(
            Panel(seen.crop, f"{name}{_way(layer, refined)}", looks, _highest(layer, token), mark_xy=mark)
        )
    for reference in seen.references:
        name = f"frame {first_frame + reference.frame_number}" + (
            f" x{reference.count}" if reference.count > 1 else ""
        )
        looks = reference.attention.of_token(token, refined=refined)
        caption = f"{name}{_way(reference.attention, refined)}: {looks[reference.target].sum():.0%} on target"
        highest = _highest(reference.attention, token)
        row.append(Panel(reference.crop, caption, looks, highest, box_xywh=reference.box_xywh))
    return row


def _way(attention: Attention, refined: bool) -> str:
    if not attention.is_refined:
        return ""
    return ", refined" if refined else ", unrefined"


def _highest(attention: Attention, token: int) -> float:
    """Of both ways, so that their pictures can be compared."""
    return max(float(attention.of_token(token, refined=refined).max()) for refined in (True, False))


def _drawn_from_target(reference: WatchedReference) -> Array:
    """`(N,)`, how much each token of the search region draws from the target, mean over heads."""
    drawn: Array = reference.attention.refined.mean(axis=0)[reference.target.ravel()].sum(axis=0)
    return drawn
