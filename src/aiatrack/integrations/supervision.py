"""Results as the `supervision` library takes them: its annotators, zones, line counters and smoothers."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from aiatrack.errors import MissingExtraError, SettingsError
from aiatrack.integrations.tables import FrameResults, results_of_frame
from aiatrack.tracking import AnyId, TargetId, TargetState, TrackResult

if TYPE_CHECKING:
    from supervision import Detections


def to_detections(
    results: FrameResults,
    *,
    numbers: Mapping[AnyId, int] | None = None,
    include_lost: bool = False,
) -> "Detections":
    """Turn the results of one frame into `supervision.Detections`.

    Args:
        results: what `update` of a `Tracker` or `MultiTracker` returned.
        numbers: `tracker_id` of targets, needed for those that are called by a name or by more than 64 bits.
        include_lost: keep targets that are lost, whose box is where they were last seen.

    Returns:
        For N targets, perhaps 0: `xyxy` `(N, 4)` in pixels; `confidence`, the presence, or the predicted
        overlap where presence is not judged; `tracker_id`, the target's number; `class_id` 0, as annotators
        ask for one; `data` with `id` (text), `state` (text) and `score`.

    Raises:
        SettingsError: a target needs a number that is not in `numbers`, or two targets have the same.
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
    of_frame = results_of_frame(results)
    numbered = _number_targets([result.id for result in of_frame], numbers or {})
    shown = [result for result in of_frame if include_lost or result.state is not TargetState.LOST]
    boxes = np.array([result.box_xywh for result in shown], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        xyxy=boxes,
        confidence=np.array([_confidence(result) for result in shown], dtype=np.float32),
        class_id=np.zeros(len(shown), dtype=int),
        tracker_id=np.array([numbered[result.id] for result in shown], dtype=int),
        data={
            "id": np.array([str(result.id) for result in shown], dtype=str),
            "state": np.array([result.state.value for result in shown], dtype=str),
            "score": np.array([result.score for result in shown], dtype=np.float32),
        },
    )


def _confidence(result: TrackResult) -> float:
    return result.predicted_iou if result.presence is None else result.presence


def _number_targets(ids: Iterable[TargetId], given: Mapping[Any, int]) -> dict[TargetId, int]:
    """The `tracker_id` of each target of a frame, and of those that were given one for another frame."""
    numbered: dict[TargetId, int] = {}
    owners: dict[int, TargetId] = {}
    for target_id in (*given, *ids):
        number: Any = given.get(target_id, target_id)
        if not isinstance(number, int | np.integer) or not -(2**63) <= number < 2**63:
            raise SettingsError(
                f"tracker_id is a whole number of 64 bits; that of target {target_id!r} would be {number!r}: "
                f"call targets by such numbers, or give numbers={{{target_id!r}: 1, ...}}"
            )
        owner = owners.setdefault(int(number), target_id)
        if owner != target_id:
            raise SettingsError(
                f"targets {owner!r} and {target_id!r} would both have tracker_id {number}: give each one of "
                "its own in numbers"
            )
        numbered[target_id] = int(number)
    return numbered
