"""Results as tables: pandas and Polars."""

from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from aiatrack.errors import MissingExtraError, SettingsError
from aiatrack.tracking import TargetId, TrackResult

if TYPE_CHECKING:
    import pandas
    import polars

FrameResults = TrackResult | Mapping[Any, TrackResult] | Iterable[TrackResult]
"""What a tracker says about one frame: `Tracker.update` gives a result, `MultiTracker.update` a mapping."""

_TYPES = dict.fromkeys(("x", "y", "w", "h", "score", "predicted_iou", "presence"), float) | {
    "frame": int,
    "state": str,
    "remembered": bool,
}
"""Of columns, whether or not there are rows and values; ids are numbers or text."""


def to_pandas(results: FrameResults | Iterable[FrameResults]) -> "pandas.DataFrame":
    """Turn the results of a run into a pandas table, one row for each target and frame.

    Args:
        results: of frame after frame, as `aiatrack.track` yields them, or of one, as `update` returns them.

    Returns:
        Columns `frame` and `id`; `x`, `y`, `w`, `h` in pixels; `score`; `predicted_iou`; `presence`, NaN
        where it is not judged; `state`; `remembered`. Ids are text as soon as one of them is.

    Raises:
        SettingsError: of two targets that are called alike, one has a number, the other a name.
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
    columns = _columns(results)
    return pandas.DataFrame(columns).astype(_types_of(columns))


def to_polars(results: FrameResults | Iterable[FrameResults]) -> "polars.DataFrame":
    """Turn the results of a run into a Polars table; see `to_pandas`. A presence not judged is null.

    Raises:
        SettingsError: as `to_pandas`.
        MissingExtraError: Polars is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError(
            "turning results into a table needs Polars: pip install 'aiatrack[tables]'"
        ) from error
    columns = _columns(results)
    return polars.DataFrame(columns, schema_overrides=_types_of(columns), strict=False)


def results_of_frame(results: FrameResults) -> list[TrackResult]:
    """The results of one frame, in whatever form they come, as a list."""
    if isinstance(results, TrackResult):
        return [results]
    return list(results.values() if isinstance(results, Mapping) else results)


def _columns(results: FrameResults | Iterable[FrameResults]) -> dict[str, list[Any]]:
    frames = [results] if isinstance(results, TrackResult | Mapping) else results
    rows = [result for frame in frames for result in results_of_frame(frame)]
    # A column holds numbers or text, not both.
    has_names = any(isinstance(row.id, str) for row in rows)
    if has_names:
        _check_distinct({row.id for row in rows})
    columns: dict[str, list[Any]] = {
        "frame": [row.frame_index for row in rows],
        "id": [_as_text(row.id) if has_names else row.id for row in rows],
    }
    columns |= {side: [row.box_xywh[place] for row in rows] for place, side in enumerate("xywh")}
    return columns | {
        "score": [row.score for row in rows],
        "predicted_iou": [row.predicted_iou for row in rows],
        "presence": [row.presence for row in rows],
        "state": [row.state.value for row in rows],
        "remembered": [row.remembered for row in rows],
    }


def _as_text(id: TargetId) -> str:
    """Half letters, which Polars cannot hold, are written as files of boxes have them."""
    return str(id).encode(errors="backslashreplace").decode()


def _types_of(columns: Mapping[str, list[Any]]) -> dict[str, type]:
    """Where there is no id to tell, ids are numbers: joined to a table of numbers, they stay so."""
    return _TYPES if columns["id"] else _TYPES | {"id": int}


def _check_distinct(ids: Set[TargetId]) -> None:
    for id in ids:
        if isinstance(id, int) and str(id) in ids:
            raise SettingsError(
                f"targets {id!r} and {str(id)!r} cannot be told apart in a table with names, where ids are "
                "text: call one of them something else"
            )
