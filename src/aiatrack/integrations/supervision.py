"""Results as the `supervision` library takes them: its annotators, zones, line counters and smoothers."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from aiatrack.errors import MissingExtraError, SettingsError
from aiatrack.integrations.tables import results_of_frame
from aiatrack.tracking import TargetId, TargetState, TrackResult

if TYPE_CHECKING:
    from supervision import Detections


def to_detections(
    results: TrackResult | Mapping[TargetId, TrackResult] | Iterable[TrackResult],
    *,
    numbers: Mapping[TargetId, int] | None = None,
    include_lost: bool = False,
) -> "Detections":
    """Turn the results of one frame into `supervision.Detections`.

    Args:
        results: what `update` of a `Tracker` or `MultiTracker` returned.
        numbers: `tracker_id` of targets, needed for those that are called by a name.
        include_lost: keep targets that are lost, whose box is where they were last seen.

    Returns:
        For N targets: `xyxy` `(N, 4)` in pixels; `confidence`, the presence, or the predicted overlap where
        presence is not judged; `tracker_id`, the target's number; `class_id` 0, as annotators ask for one;
        `data` with `id` (text), `state` (text) and `score`.

    Raises:
        SettingsError: a target is called by a name that is not in `numbers`.
        MissingExtraError: supervision is not installed.

    Example:
        >>> detections = to_detections(tracker.update(frame))  # doctest: +SKIP
        >>> picture = supervision.BoxAnnotator().annotate(frame.copy(), detections)  # doctest: +SKIP
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise MissingExtraError(
            "turning results into detections needs supervision: pip install 'aiatrack[supervision]'"
        ) from error
    shown = [r for r in results_of_frame(results) if include_lost or r.state is not TargetState.LOST]
    if not shown:
        return Detections.empty()
    boxes = np.array([result.box_xywh for result in shown], dtype=np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        xyxy=boxes,
        confidence=np.array([_confidence(result) for result in shown], dtype=np.float32),
        class_id=np.zeros(len(shown), dtype=int),
        tracker_id=np.array([_number(result.id, numbers or {}) for result in shown], dtype=int),
        data={
            "id": np.array([str(result.id) for result in shown]),
            "state": np.array([result.state.value for result in shown]),
            "score": np.array([result.score for result in shown], dtype=np.float32),
        },
    )


def _confidence(result: TrackResult) -> float:
    return result.predicted_iou if result.presence is None else result.presence


def _number(target_id: TargetId, numbers: Mapping[TargetId, int]) -> int:
    if target_id in numbers:
        return numbers[target_id]
    if isinstance(target_id, int):
        return target_id
    raise SettingsError(
        f"tracker_id is a number, and a target is called {target_id!r}: call targets by numbers, or give "
        f"numbers={{{target_id!r}: 1, ...}}"
    )
