"""The probability that a target is there and well boxed, from evidence and the frames before."""

import math
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from aiatrack.config import PresenceCalibration
from aiatrack.errors import SettingsError
from aiatrack.tracking.appearance import Appearance
from aiatrack.tracking.evidence import FEATURES, Known, measure_evidence
from aiatrack.tracking.network import LocatedTargets

CERTAIN = 6.0
"""Largest evidence of one frame, as a logit: beyond it, frames should not outvote the ones to come."""


class PresenceModel:
    """Weighs evidence by a calibration; "well boxed" is an IoU above 0.5 with the true box.

    Args:
        calibration: the coefficients.

    Raises:
        SettingsError: the calibration names a feature that there is not, or a projection that cannot be read.
    """

    def __init__(self, calibration: PresenceCalibration) -> None:
        weighings = (calibration, calibration.recognition or calibration)
        unknown = {name for weighing in weighings for name in weighing.weights} - set(FEATURES)
        if unknown:
            raise SettingsError(
                f"the calibration weighs {', '.join(sorted(unknown))}, which is not measured: features are "
                f"{', '.join(FEATURES)}"
            )
        self._calibration = calibration
        self.appearance = Appearance(calibration.projection)
        self._biases = np.array([weighing.bias for weighing in weighings])
        self._weights = np.array(
            [[weighing.weights.get(name, 0.0) for weighing in weighings] for name in FEATURES]
        )

    @cached_property
    def fingerprint(self) -> str:
        """Of the calibration's content, whatever it is called and wherever it lies."""
        coefficients = self._calibration.model_dump_json(exclude={"origin", "projection"})
        return sha256(coefficients.encode() + self.appearance.to_bytes()).hexdigest()

    def weigh(self, located: LocatedTargets, known: Sequence[Known]) -> npt.NDArray[np.float64]:
        """What one frame says of each of B located targets: `(B, 2)` logits, evidence and recognition.

        The first is for a target that is followed: it is well boxed. The second is for one that was looked
        for anywhere, by frame 0 alone: it is the target.
        """
        logits = measure_evidence(located, known, self.appearance) @ self._weights + self._biases
        # A box without area has no inside to measure: not a number, and no target.
        return np.asarray(np.nan_to_num(logits, nan=-CERTAIN).clip(-CERTAIN, CERTAIN))

    def carry(self, carried: float, evidence: float) -> float:
        """Evidence to carry on to the next frame."""
        momentum = self._calibration.momentum
        return momentum * carried + (1 - momentum) * evidence

    def presence(self, evidence: float, carried: float, *, held: bool) -> float:
        """Probability that a target is there and well boxed.

        Args:
            evidence: of this frame.
            carried: from the frames before.
            held: whether the box is not this frame's finding, but the one held for a lost target.
        """
        parts = self._calibration
        logit = parts.presence_bias + parts.evidence_weight * evidence + parts.carried_weight * carried
        return logistic(logit + parts.held_weight * held)


def logistic(logit: float) -> float:
    """From a logit to a probability."""
    return 1 / (1 + math.exp(min(-logit, 700.0)))  # beyond 709, no float holds it
