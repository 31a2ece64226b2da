"""Fit the coefficients of presence for a model, and write them as a calibration.

    python benchmarks/calibrate_presence.py lite --pack PACK --projection lite.safetensors -o lite.yaml

Material: clips of the training pack out of which targets are painted, and films of the synthetic world of
seeds that nothing is reported on. In every round the tracker follows as the paper does, judged by the
calibration of the round before, since that decides what it takes for the target's looks. What a target found
elsewhere is recognised by is fitted to looks at all that could be taken for it while it is away, and at the
target itself once it is back. What a held box is worth is fitted last, to a run with presence on.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml
from presence_figures import area_under_roc, calibration_error
from presence_material import Clip, Followed, follow, pack_clips, recovery_clips, synthetic_clips
from recognition_material import look_for_candidates

from aiatrack.api import open_network
from aiatrack.config import PresenceCalibration, Recognition, TrackingSettings, load_calibration
from aiatrack.crop import CropWindow
from aiatrack.tracking import MultiTracker, Network
from aiatrack.tracking.appearance import Appearance
from aiatrack.tracking.evidence import FEATURES, measure_evidence
from aiatrack.tracking.following import JudgingFollowing, known_of
from aiatrack.tracking.network import LocatedTargets
from aiatrack.tracking.presence import CERTAIN, PresenceModel
from aiatrack.tracking.target import Target
from aiatrack.tracking.watchful import WatchfulFollowing

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Judged = tuple[FloatArray, Followed]

FIRST_SEED = 10_000
MOMENTA = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
_RIDGE = 1e-3
_SPEAKS_AGAINST = {"entropy", "spread", "disagreement", "size_change"}
SIGNS = np.array([-1 if name in _SPEAKS_AGAINST else 1 for name in FEATURES])
"""What is known of each weight before any fit. Features that nearly say the same, as the two similarities do,
would else get large weights against one another, which mean nothing elsewhere."""


class JudgingRecorder(JudgingFollowing):
    """Keeps the features of all targets, frame by frame; their number must not change."""

    def __init__(self, settings: TrackingSettings, crop_size: int, model: PresenceModel) -> None:
        super().__init__(settings, crop_size, model)
        self._appearance = model.appearance
        self.features: list[FloatArray] = []

    def weigh(
        self, targets: Sequence[Target], windows: Sequence[CropWindow], located: LocatedTargets
    ) -> FloatArray:
        """As it is, and kept."""
        known = [known_of(target, window) for target, window in zip(targets, windows, strict=True)]
        self.features.append(measure_evidence(located, known, self._appearance))
        return np.asarray(super().weigh(targets, windows, located), np.float64)


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
    parser.add_argument(
        "--projection", type=Path, help="safetensors file of learn_appearance.py; keep it beside OUTPUT"
    )
    parser.add_argument("--precision", default="float32", help="of the arithmetic")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model_settings, network = open_network(options.model, precision=options.precision)
    settings = model_settings.tracking
    painted: Sequence[Clip] = pack_clips(options.pack) if options.pack else ()
    seeds = range(FIRST_SEED, FIRST_SEED + options.films)
    returning = recovery_clips(seeds, lookalikes=0)
    projection = str(options.projection) if options.projection else None
    looks = chain(returning, painted)
    recognition = fit_recognition(looks, network, settings, Appearance(projection))
    calibration = load_calibration(options.start).replace(recognition=recognition, projection=projection)
    for turn in range(options.rounds):
        clips = chain(synthetic_clips(seeds), painted)
        records = [record for clip in clips for record in judge_clip(clip, network, settings, calibration)]
        calibration = fit(records).replace(recognition=recognition, projection=projection)
        print(f"round {turn + 1}: {describe_fit(calibration, records)}", flush=True)
    clips = chain(synthetic_clips(seeds), painted)
    held = [target for clip in clips for target in hold_clip(clip, network, settings, calibration)]
    calibration = calibration.replace(
        held_weight=fit_held(held),
        origin=_describe(str(options.model), records),
        projection=options.projection and options.projection.name,
    )
    options.output.write_text(_as_yaml(calibration), encoding="utf-8")


def judge_clip(
    clip: Clip, network: Network, settings: TrackingSettings, calibration: PresenceCalibration
) -> list[Judged]:
    """Follow all targets of a clip as the paper does: features `(T, F)` of each, and what came of it."""
    settings = settings.replace(presence="judge")
    recorder = JudgingRecorder(settings, network.crop_size, PresenceModel(calibration))
    followed = follow(clip, MultiTracker(network, settings, following=recorder))
    return list(zip(np.stack(recorder.features, axis=1), followed, strict=True))


def hold_clip(
    clip: Clip, network: Network, settings: TrackingSettings, calibration: PresenceCalibration
) -> list[Followed]:
    """Follow all targets of a clip as long as they are believed to be there; a held box counts nothing."""
    settings = settings.replace(presence="on")
    model = PresenceModel(calibration.replace(held_weight=0.0))
    following = WatchfulFollowing(settings, network.crop_size, model)
    return follow(clip, MultiTracker(network, settings, following=following))


def fit_recognition(
    clips: Iterator[Clip], network: Network, settings: TrackingSettings, appearance: Appearance
) -> Recognition:
    """Fit what tells a target that is found elsewhere from anything else."""
    looks = [look_for_candidates(clip, network, settings, appearance) for clip in clips]
    rows, hits = (np.concatenate(parts) for parts in zip(*looks, strict=True))
    bias, weights = fit_logistic(rows, hits, SIGNS)
    logits = bias + rows @ weights
    recall = np.mean(logits[hits] > np.quantile(logits[~hits], 0.97))
    print(
        f"recognition: {hits.sum()} looks at targets, {(~hits).sum()} at other things; AUROC "
        f"{area_under_roc(logits, hits):.3f}, {recall:.1%} recognised where 3 % of other things are",
        flush=True,
    )
    return Recognition(bias=round(bias, 4), weights=_by_feature(weights))


def fit(records: Sequence[Judged]) -> PresenceCalibration:
    """Fit what one frame says, and what the frames before add."""
    bias, weights = fit_logistic(
        np.concatenate([features for features, _ in records]),
        np.concatenate([followed.right for _, followed in records]),
        SIGNS,
    )
    fitted = PresenceCalibration(bias=round(bias, 4), weights=_by_feature(weights))
    candidates = [_fit_carried(fitted.replace(momentum=momentum), records) for momentum in MOMENTA]
    return min(candidates, key=lambda candidate: candidate[0])[1]


def _fit_carried(
    calibration: PresenceCalibration, records: Sequence[Judged]
) -> tuple[float, PresenceCalibration]:
    """Cross entropy and the calibration with its second regression fitted."""
    rows, hits = gather_carried(calibration, records)
    bias, (evidence, carried) = fit_logistic(rows, hits)
    logits = bias + rows @ (evidence, carried)
    loss = float(np.mean(np.logaddexp(0, logits) - hits * logits))
    return loss, calibration.replace(
        presence_bias=round(bias, 4),
        evidence_weight=round(float(evidence), 4),
        carried_weight=round(float(carried), 4),
    )


def gather_carried(
    calibration: PresenceCalibration, records: Sequence[Judged]
) -> tuple[FloatArray, BoolArray]:
    """For each frame evidence and what was carried, `(N, 2)`, and whether the box was right."""
    weights = np.array([calibration.weights[name] for name in FEATURES])
    model = PresenceModel(calibration)
    rows = []
    for features, _ in records:
        carried = CERTAIN
        for logit in features @ weights + calibration.bias:
            evidence = min(max(float(logit), -CERTAIN), CERTAIN)
            rows.append((evidence, carried))
            carried = model.carry(carried, evidence)
    return np.array(rows), np.concatenate([followed.right for _, followed in records])


def fit_held(targets: Sequence[Followed]) -> float:
    """What to add to the logit of presence while a box is held, so that on average it is right."""
    held = np.concatenate([target.lost for target in targets])
    if not held.any():
        return 0.0
    presence = np.concatenate([target.presence for target in targets])[held].clip(1e-6, 1 - 1e-6)
    hits = np.concatenate([target.right for target in targets])[held]
    right = (hits.sum() + 1) / (len(hits) + 2)  # never 0 or 1
    logits = np.log(presence / (1 - presence))
    low, high = -10.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(1 / (1 + np.exp(-logits - middle))) < right else (low, middle)
    return round(low, 4)


def fit_logistic(
    rows: FloatArray, hits: BoolArray, signs: npt.NDArray[np.int64] | None = None
) -> tuple[float, FloatArray]:
    """Ridge-regularised logistic regression: bias and weights of the columns.

    Args:
        rows: `(N, F)`.
        hits: `(N,)`.
        signs: `(F,)` of the weights; a column whose weight would have the other sign is left out.
    """
    used = np.ones(rows.shape[1], dtype=np.bool_)
    while True:
        bias, some = _fit_freely(rows[:, used], hits)
        weights = np.zeros(rows.shape[1])
        weights[used] = some
        wrong = weights * (0 if signs is None else signs) < 0
        if not wrong.any():
            return bias, weights
        # One at a time: without the worst, others may come right.
        used[np.argmax(np.where(wrong, np.abs(weights) * rows.std(axis=0), -1))] = False


def _fit_freely(rows: FloatArray, hits: BoolArray) -> tuple[float, FloatArray]:
    """Bias and weights of whatever sign, by Newton's method."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    inputs = np.concatenate((np.ones((len(rows), 1)), (rows - mean) / scale), axis=1)
    ridge = _RIDGE * np.diag([0.0, *np.ones(rows.shape[1])])
    weights = np.zeros(inputs.shape[1])
    for _ in range(30):
        probability = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (probability - hits) / len(rows) + ridge @ weights
        curvature = probability * (1 - probability)
        hessian = (inputs * curvature[:, None]).T @ inputs / len(rows) + ridge + 1e-9 * np.eye(len(ridge))
        weights = weights - np.linalg.solve(hessian, slope)
    raw = weights[1:] / scale
    return float(weights[0] - mean @ raw), raw


def describe_fit(calibration: PresenceCalibration, records: Sequence[Judged]) -> str:
    """Say how well the calibration tells right boxes from wrong ones on records."""
    rows, hits = gather_carried(calibration, records)
    weights = (calibration.evidence_weight, calibration.carried_weight)
    presence = 1 / (1 + np.exp(-calibration.presence_bias - rows @ weights))
    return (
        f"{len(hits)} frames, {hits.mean():.1%} right; AUROC {area_under_roc(presence, hits):.3f}, "
        f"calibration error {calibration_error(presence, hits):.3f}"
    )


def _by_feature(weights: FloatArray) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in zip(FEATURES, weights, strict=True)}


def _describe(model: str, records: Sequence[Judged]) -> str:
    frames = sum(len(features) for features, _ in records)
    return f"{Path(model).stem}, {frames} frames of {len(records)} targets, benchmarks/calibrate_presence.py"


def _as_yaml(calibration: PresenceCalibration) -> str:
    return yaml.safe_dump(calibration.model_dump(), sort_keys=False, width=110)


if __name__ == "__main__":
    main()
