"""Fit the coefficients of presence for a model, and write them as a calibration.

    python benchmarks/calibrate_presence.py lite --pack PACK -o src/aiatrack/config/calibrations/lite.yaml

Material: clips of the training pack out of which targets are painted, and films of the synthetic world of
seeds that nothing is reported on. The tracker runs over all of it twice: first with an earlier calibration,
then with the one fitted to the first run, since how a target is followed decides what there is to be judged.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml
from presence_figures import area_under_roc, calibration_error
from presence_material import Clip, pack_clips, synthetic_clips

from aiatrack.api import open_network
from aiatrack.boxes import box_iou, xywh_to_xyxy
from aiatrack.config import PresenceCalibration, TrackingSettings, load_calibration
from aiatrack.crop import CropWindow
from aiatrack.tracking import MultiTracker, Network
from aiatrack.tracking.evidence import FEATURES, measure_evidence
from aiatrack.tracking.following import Finding, Verdict, WatchfulFollowing, known_of
from aiatrack.tracking.network import LocatedTargets
from aiatrack.tracking.presence import CERTAIN, PresenceModel
from aiatrack.tracking.target import Target, TargetState

FloatArray = npt.NDArray[np.float64]

FIRST_SEED = 10_000
MOMENTA = (0.0, 0.3, 0.5, 0.7, 0.8)
_RIDGE = 1e-3
_LOST_SHARE = 0.25
"""What a region that was searched for a lost target counts beside the only one of a followed target."""


@dataclass
class Judged:
    """One target in one frame.

    Attributes:
        features: `(L, F)` of each look.
        boxes_xywh: `(L, 4)` what each look found, px.
        box_xywh: `(4,)` what was reported, px.
        used: which look spoke for the target: the best.
        was_lost: whether it was searched for.
        state: what came of it.
    """

    features: FloatArray
    boxes_xywh: FloatArray
    box_xywh: FloatArray
    used: int
    was_lost: bool
    state: TargetState


@dataclass
class Record:
    """Everything judged of one target, and the truth: `(T, 4)` px, NaN where it is absent."""

    truth_xywh: FloatArray
    frames: list[Judged] = field(default_factory=list)


class RecordingFollowing(WatchfulFollowing):
    """Keeps what it judges, by target."""

    def __init__(self, settings: TrackingSettings, crop_size: int, model: PresenceModel) -> None:
        super().__init__(settings, crop_size, model)
        self.judged: dict[int, list[Judged]] = {}
        self._features: dict[int, list[FloatArray]] = {}

    def weigh(
        self, targets: Sequence[Target], windows: Sequence[CropWindow], located: LocatedTargets
    ) -> FloatArray:
        """As it is, and kept."""
        known = [known_of(target, window) for target, window in zip(targets, windows, strict=True)]
        for target, row in zip(targets, measure_evidence(located, known), strict=True):
            self._features.setdefault(id(target), []).append(row)
        return super().weigh(targets, windows, located)

    def judge(self, target: Target, findings: Sequence[Finding]) -> Verdict:
        """As it is, and kept."""
        was_lost = target.watch.state is TargetState.LOST
        verdict = super().judge(target, findings)
        features = np.stack(self._features.pop(id(target)))
        boxes = np.stack([finding.box_xywh for finding in findings])
        recovered = [finding.box_xywh is verdict.box_xywh for finding in findings]
        best = int(np.argmax([finding.evidence for finding in findings]))
        used = recovered.index(True) if verdict.state is TargetState.RECOVERED else best
        judged = Judged(features, boxes, verdict.box_xywh, used, was_lost, verdict.state)
        self.judged.setdefault(id(target), []).append(judged)
        return verdict


def main() -> None:
    """Run, fit, write, and print what the fit is worth on the material itself."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="name of a shipped model, or a weights file")
    parser.add_argument("--pack", type=Path, help="training pack; without it, the synthetic world alone")
    parser.add_argument("--films", type=int, default=10, help="synthetic films of four targets")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--start", default="lite", help="calibration to begin with")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model_settings, network = open_network(options.model, precision="float32")
    settings = model_settings.tracking.replace(presence="on")
    calibration = load_calibration(options.start)
    records: list[Record] = []
    for turn in range(options.rounds):
        # Every round sees other films; the last one's are for the second regression.
        first = FIRST_SEED + turn * options.films
        films: Iterator[Clip] = synthetic_clips(range(first, first + options.films))
        clips = chain(films, pack_clips(options.pack) if options.pack else ())
        latest = [record for clip in clips for record in record_clip(clip, network, settings, calibration)]
        records += latest
        calibration = fit(records, latest)
        calibration = calibration.replace(origin=_describe(str(options.model), records))
        print(f"round {turn + 1}: {describe_fit(calibration, latest)}", flush=True)
    options.output.write_text(_as_yaml(calibration), encoding="utf-8")


def record_clip(
    clip: Clip, network: Network, settings: TrackingSettings, calibration: PresenceCalibration
) -> list[Record]:
    """Follow all targets of a clip."""
    following = RecordingFollowing(settings, network.crop_size, PresenceModel(calibration))
    tracker = MultiTracker(network, settings, following=following)
    for index, frame in enumerate(clip.frames()):
        if index == 0:
            for box in clip.boxes_xywh[0]:
                tracker.add(frame, box)
        else:
            tracker.update(frame)
    judged = list(following.judged.values())
    return [Record(clip.boxes_xywh[:, k], frames) for k, frames in enumerate(judged)]


def fit(records: Sequence[Record], latest: Sequence[Record]) -> PresenceCalibration:
    """Fit what one frame says to all records, what the frames before add to the latest."""
    features, hits, shares = [], [], []
    for record in records:
        for truth, frame in zip(record.truth_xywh[1:], record.frames, strict=True):
            features.append(frame.features)
            hits.append(_is_hit(frame.boxes_xywh, truth))
            shares.append(np.full(len(frame.features), _LOST_SHARE if frame.was_lost else 1.0))
    bias, weights = fit_logistic(np.concatenate(features), np.concatenate(hits), np.concatenate(shares))
    fitted = PresenceCalibration(
        bias=round(bias, 4),
        weights={name: round(float(weight), 4) for name, weight in zip(FEATURES, weights, strict=True)},
    )
    candidates = [_fit_carried(fitted.replace(momentum=momentum), latest) for momentum in MOMENTA]
    return min(candidates, key=lambda candidate: candidate[0])[1]


def _fit_carried(
    calibration: PresenceCalibration, records: Sequence[Record]
) -> tuple[float, PresenceCalibration]:
    """Cross entropy and the calibration with its second regression fitted."""
    rows, hits = gather_carried(calibration, records)
    bias, (evidence, carried, held) = fit_logistic(rows, hits, np.ones(len(hits)))
    logits = bias + rows @ (evidence, carried, held)
    loss = float(np.mean(np.logaddexp(0, logits) - hits * logits))
    return loss, calibration.replace(
        presence_bias=round(bias, 4),
        evidence_weight=round(float(evidence), 4),
        carried_weight=round(float(carried), 4),
        held_weight=round(float(held), 4),
    )


def gather_carried(
    calibration: PresenceCalibration, records: Sequence[Record]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """For each frame evidence, what was carried, and whether the box was held; and whether it was right."""
    weights = np.array([calibration.weights[name] for name in FEATURES])
    model = PresenceModel(calibration)
    rows, hits = [], []
    for record in records:
        carried = CERTAIN
        for truth, frame in zip(record.truth_xywh[1:], record.frames, strict=True):
            logit = float(frame.features[frame.used] @ weights + calibration.bias)
            evidence = min(max(logit, -CERTAIN), CERTAIN)
            if frame.state is TargetState.RECOVERED:
                carried = evidence
            held = frame.was_lost and frame.state is TargetState.LOST
            rows.append((evidence, carried, float(held)))
            hits.append(bool(_is_hit(frame.box_xywh[None], truth)[0]))
            carried = model.carry(carried, evidence)
    return np.array(rows), np.array(hits)


def fit_logistic(
    rows: FloatArray, hits: npt.NDArray[np.bool_], shares: FloatArray
) -> tuple[float, FloatArray]:
    """Ridge-regularised logistic regression by Newton's method: bias and weights of the columns.

    Args:
        rows: `(N, F)`.
        hits: `(N,)`.
        shares: `(N,)`, what each row counts.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    inputs = np.concatenate((np.ones((len(rows), 1)), (rows - mean) / scale), axis=1)
    ridge = _RIDGE * np.diag([0.0, *np.ones(rows.shape[1])])
    weights = np.zeros(inputs.shape[1])
    for _ in range(30):
        probability = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (shares * (probability - hits)) / shares.sum() + ridge @ weights
        curvature = shares * probability * (1 - probability)
        hessian = (inputs * curvature[:, None]).T @ inputs / shares.sum() + ridge + 1e-9 * np.eye(len(ridge))
        weights = weights - np.linalg.solve(hessian, slope)
    raw = weights[1:] / scale
    return float(weights[0] - mean @ raw), raw


def describe_fit(calibration: PresenceCalibration, records: Sequence[Record]) -> str:
    """Say how well the calibration tells right boxes from wrong ones on records."""
    rows, hits = gather_carried(calibration, records)
    weights = (calibration.evidence_weight, calibration.carried_weight, calibration.held_weight)
    presence = 1 / (1 + np.exp(-calibration.presence_bias - rows @ weights))
    return (
        f"{len(hits)} frames, {hits.mean():.1%} right, {rows[:, 2].mean():.1%} held; AUROC "
        f"{area_under_roc(presence, hits):.3f}, calibration error {calibration_error(presence, hits):.3f}"
    )


def _is_hit(boxes_xywh: FloatArray, truth_xywh: FloatArray) -> npt.NDArray[np.bool_]:
    if not np.isfinite(truth_xywh).all():
        return np.zeros(len(boxes_xywh), dtype=np.bool_)
    return np.asarray(box_iou(xywh_to_xyxy(boxes_xywh), xywh_to_xyxy(truth_xywh[None])) > 0.5)


def _describe(model: str, records: Sequence[Record]) -> str:
    frames = sum(len(record.frames) for record in records)
    return f"{Path(model).stem}, {frames} frames of {len(records)} targets, benchmarks/calibrate_presence.py"


def _as_yaml(calibration: PresenceCalibration) -> str:
    return yaml.safe_dump(calibration.model_dump(), sort_keys=False, width=110)


if __name__ == "__main__":
    main()
