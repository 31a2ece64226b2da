"""Results as tables: pandas and Polars."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aiatrack.errors import MissingExtraError
from aiatrack.tracking import TargetId, TrackResult

if TYPE_CHECKING:
    import pandas
    import polars

FrameResults = TrackResult | Mapping[TargetId, TrackResult] | Iterable[TrackResult]
"""What a tracker says about one frame: `Tracker.update` gives a result, `MultiTracker.update` a mapping."""


def to_pandas(results: Iterable[FrameResults]) -> "pandas.DataFrame":
    """Turn the results of a run into a pandas table, one row for each target and frame.

    Args:
        results: of frame after frame, as `aiatrack.track` yields them, or `update` returns them.

    Returns:
        Columns `frame` and `id`; `x`, `y`, `w`, `h` in pixels; `score`; `predicted_iou`; `presence`, NaN
        where it is not judged; `state`; `remembered`. Ids are text as soon as one of them is.

    Raises:
        MissingExtraError: pandas is not installed.

    Example:
        >>> table = to_pandas(aiatrack.track("street.mp4", box=(120, 80, 64, 48)))  # doctest: +SKIP
        >>> table[table.state != "lost"].groupby("id").predicted_iou.mean()  # doctest: +SKIP
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError(
            "turning results into a table needs pandas: pip install 'aiatrack[tables]'"
        ) from error
    return pandas.DataFrame(_columns(results)).astype({"presence": "float64"})


def to_polars(results: Iterable[FrameResults]) -> "polars.DataFrame":
    """Turn the results of a run into a Polars table; see `to_pandas`. A presence not judged is null.

    Raises:
        MissingExtraError: Polars is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError(
            "turning results into a table needs Polars: pip install 'aiatrack[tables]'"
        ) from error
    columns = _columns(results)
    return polars.DataFrame(columns, schema_overrides={"presence": polars.Float64}, strict=False)


def results_of_frame(results: FrameResults) -> list[TrackResult]:
    """The results of one frame, in whatever form they come, as a list."""
    if isinstance(results, TrackResult):
        return [results]
    return list(results.values() if isinstance(results, Mapping) else results)


def _columns(results: Iterable[FrameResults]) -> dict[str, list[Any]]:
    rows = [result for frame in results for result in results_of_frame(frame)]
    # A column holds numbers or text, not both.
    has_names = any(isinstance(row.id, str) for row in rows)
    columns: dict[str, list[Any]] = {
        "frame": [row.frame_index for row in rows],
        "id": [str(row.id) if has_names else row.id for row in rows],
    }
    columns |= {side: [row.box_xywh[place] for row in rows] for place, side in enumerate("xywh")}
    return columns | {
        "score": [row.score for row in rows],
        "predicted_iou": [row.predicted_iou for row in rows],
        "presence": [row.presence for row in rows],
        "state": [row.state.value for row in rows],
        "remembered": [row.remembered for row in rows],
    }
