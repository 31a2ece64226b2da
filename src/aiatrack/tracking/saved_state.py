"""A tracker between two frames, as plain arrays and numbers: to be pickled, and to go on from elsewhere."""

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from aiatrack.config import TrackingSettings, list_differences
from aiatrack.crop import Color, Image
from aiatrack.errors import TrackingError
from aiatrack.tracking.memory import ReferenceMemory
from aiatrack.tracking.network import Arrays, Network, SavingNetwork
from aiatrack.tracking.target import FloatArray, Target, TargetId, TrackResult, Watch

_PROBE_TOLERANCE = 0.1
"""Relative difference of probes. Runtimes and precisions of the shipped weights are up to 0.04 apart, weights
and what they became after a few hundred more steps of training 0.2 and more."""


_ANSWERS_NOTHING = ("batch_size", "calibration", "max_shift_ahead")
"""Settings that decide nothing of what is saved: of calibrations, it is the content that counts."""


class _Absent:
    """Stands for a setting that this version of the package, or that of the state, does not have."""

    def __repr__(self) -> str:
        return "(no such setting)"


@dataclass(frozen=True, slots=True, eq=False)
class SavedTarget:
    """One target: its references as arrays, and what is known of it.

    Attributes:
        box_xywh: `(4,)` last box, px of the frame.
        appearance: `(P, C)` in frame 0.
        long_term: of frame 0.
        short_term: of every reference in memory, oldest first.
        watch: what its presence is judged by.
        latest: its last result.
    """

    box_xywh: FloatArray
    appearance: npt.NDArray[np.float32]
    long_term: Arrays
    short_term: tuple[Arrays, ...]
    watch: Watch
    latest: TrackResult

    @property
    def nbytes(self) -> int:
        """Bytes of its references, the bulk of what a tracker keeps of a target."""
        return sum(array.nbytes for arrays in (self.long_term, *self.short_term) for array in arrays)


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState:
    """All that a tracker knows between two frames.

    Attributes:
        settings: of the tracker.
        color: channel order of its frames.
        frame_shape: of its frames; empty before the first.
        frame_index: of the last frame.
        next_id: for the next target without an id of its own.
        probe: `(P, C)` what the network makes of a fixed picture: tells weights apart, whatever they run on.
        targets: in the order in which they were added.
        calibration: fingerprint of what presence is judged by; empty where it is not.
    """

    settings: TrackingSettings
    color: Color
    frame_shape: tuple[int, ...]
    frame_index: int
    next_id: int
    probe: npt.NDArray[np.float32]
    targets: dict[TargetId, SavedTarget]
    calibration: str

    def check(
        self, settings: TrackingSettings, color: Color, probe: npt.NDArray[np.float32], calibration: str
    ) -> None:
        """Make sure that a tracker can go on from here.

        Settings that decide no answer may differ, such as where the calibration lies.

        Raises:
            TrackingError: it has other weights, settings, calibration or channel order.
        """
        if not _are_close(self.probe, probe):
            raise TrackingError(
                "the state was saved with other weights: load the model it was saved with, and resume there"
            )
        differences = list_differences(dict(self.settings), dict(settings), absent=_Absent())
        changed = [
            f"{name}={saved!r} not {ours!r}"
            for name, saved, ours in differences
            if name not in _ANSWERS_NOTHING
        ]
        if self.calibration != calibration:
            changed.append("another calibration of presence")
        if self.color != color:
            changed.append(f"color={self.color!r} not {color!r}")
        if changed:
            raise TrackingError(
                f"the state was saved with other settings ({', '.join(changed)}): give the tracker the same"
            )


def check_saving(network: Network) -> SavingNetwork:
    """Return a network that can save its references.

    Raises:
        TrackingError: it cannot.
    """
    if not isinstance(network, SavingNetwork):
        raise TrackingError(
            f"{type(network).__name__} cannot save its references: use a runtime that can, such as eager"
        )
    return network


def check_state(state: object) -> None:
    """Make sure that something is a tracker's state.

    Raises:
        TrackingError: it is not, or comes from a version of this package that kept less.
    """
    if not isinstance(state, TrackerState):
        raise TrackingError(f"a tracker resumes what `state()` returned; got {type(state).__name__}")
    # Pickled, a state is its values in order: what an earlier version did not have is not there.
    lacking = [field.name for field in fields(state) if not hasattr(state, field.name)]
    if lacking:
        raise TrackingError(
            f"the state was saved by an earlier version of this package (it lacks {', '.join(lacking)}): "
            "resume it there, or mark the targets anew"
        )


def probe_network(network: Network) -> npt.NDArray[np.float32]:
    """What a network makes of a fixed picture: `(P, C)`."""
    side = network.crop_size
    ramp = np.arange(side * side * 3, dtype=np.int64).reshape(1, side, side, 3)
    picture: Image = (ramp * 7919 % 251).astype(np.uint8)
    memory = network.encode(picture, np.zeros((1, side, side), np.bool_))
    box = np.array([[0.25, 0.25, 0.5, 0.5]], np.float32)
    return network.remember(memory, [0], box)[0].embedding


def save_target(target: Target, latest: TrackResult, network: SavingNetwork) -> SavedTarget:
    """Turn a target's references into arrays."""
    memory = target.memory
    return SavedTarget(
        target.box_xywh,
        memory.appearance,
        network.to_arrays(memory.long_term),
        tuple(network.to_arrays(entry) for entry in memory.entries),
        replace(target.watch),
        latest,
    )


def restore_target(saved: SavedTarget, settings: TrackingSettings, network: SavingNetwork) -> Target:
    """Turn arrays back into a target."""
    memory = ReferenceMemory(
        network.from_arrays(saved.long_term),
        [network.from_arrays(entry) for entry in saved.short_term],
        saved.appearance,
        capacity=settings.memory_capacity,
        ensemble_size=settings.ensemble_size,
    )
    return Target(saved.box_xywh, memory, replace(saved.watch))


def _are_close(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> bool:
    if a.shape != b.shape:
        return False
    return bool(np.linalg.norm(a - b) <= _PROBE_TOLERANCE * np.linalg.norm(a))


def only_target(state: TrackerState) -> TargetId:
    """Id of a state's only target.

    Raises:
        TrackingError: it is no state, or has no target, or several.
    """
    check_state(state)
    if len(state.targets) != 1:
        raise TrackingError(
            f"a Tracker follows one target; the state has {len(state.targets)}: resume it with a MultiTracker"
        )
    (id,) = state.targets
    return id
