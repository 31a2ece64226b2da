"""What presence is worth: probability, recovery of lost targets, and what it costs where none is lost.

    python benchmarks/presence.py lite --sequences SEQUENCES --diagram docs/images/presence_lite.svg

Prints three tables: presence as a probability (synthetic world; sequences with targets painted out), recovery
after an absence (synthetic world), and tracking of the sequences as they are, with presence on and off.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from presence_figures import area_under_roc, calibration_error, reliability, write_reliability
from presence_material import (
    Clip,
    PaintedClip,
    follow,
    recovery_clips,
    sequence_clips,
    synthetic_clips,
)

from aiatrack.api import open_network
from aiatrack.config import TrackingSettings
from aiatrack.crop import Image
from aiatrack.evaluation.running import validate_tracker
from aiatrack.tracking import MultiTracker, Network, Tracker

FloatArray = npt.NDArray[np.float64]
PARTS = ("absence", "painted", "recovery", "harm")
_FRAMES_TO_RECOVER = 15


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="name of a shipped model, or a weights file")
    parser.add_argument("--sequences", type=Path, help="folder of NAME/img and NAME/groundtruth.txt")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--precision", default="float32", help="of the arithmetic")
    parser.add_argument("--films", type=int, default=12, help="synthetic films of four targets")
    parser.add_argument("--calibration", help="another than the model's own")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="tracking settings")
    parser.add_argument("--diagram", type=Path, help="SVG file of reliability diagrams")
    options = parser.parse_args()
    model_settings, network = open_network(options.model, precision=options.precision)
    changes = {name: _read_value(value) for name, value in (text.split("=") for text in options.set)}
    if options.calibration:
        changes["calibration"] = options.calibration
    settings = model_settings.tracking.replace(**({"presence": "on"} | changes))
    curves = {}
    if "absence" in options.parts:
        for lookalikes, name in ((0, "synthetic world"), (1, "with a look-alike")):
            films = synthetic_clips(range(options.films), distractors=lookalikes)
            curves[name] = report_absence(name, films, network, settings)
    if "painted" in options.parts and options.sequences:
        clips = sequence_clips(options.sequences, painted=True)
        curves["painted out"] = report_absence("painted out", clips, network, settings)
    if "recovery" in options.parts:
        for lookalikes in (0, 1):
            report_recovery(options.films, lookalikes, network, settings)
    if "harm" in options.parts and options.sequences:
        report_harm(sequence_clips(options.sequences, painted=False), network, settings)
    if options.diagram and curves:
        write_reliability(options.diagram, curves)


def _read_value(text: str) -> float | str:
    """A number where it is one; YAML would take `on` and `off` for truth values."""
    try:
        return float(text)
    except ValueError:
        return text


def report_absence(
    name: str, clips: Sequence[Clip] | Iterator[Clip], network: Network, settings: TrackingSettings
) -> list[tuple[float, float, int]]:
    """Print how well presence tells right boxes from wrong ones; returns the reliability curve."""
    followed = [target for clip in clips for target in follow(clip, MultiTracker(network, settings))]
    presence = np.concatenate([target.presence for target in followed])
    right = np.concatenate([target.right for target in followed])
    absent = np.concatenate([target.absent for target in followed])
    lost = np.concatenate([target.lost for target in followed])
    decided = right | absent
    print(
        f"{name}: {len(followed)} targets, {len(right)} frames, {absent.mean():.1%} absent, "
        f"{right[~absent].mean():.1%} of the others well boxed\n"
        f"  AUROC of there and well boxed {area_under_roc(presence, right):.3f}, "
        f"of well boxed against absent {area_under_roc(presence[decided], right[decided]):.3f}, "
        f"of present against absent {area_under_roc(presence, ~absent):.3f}\n"
        f"  expected calibration error {calibration_error(presence, right):.3f}\n"
        f"  absent frames called lost {lost[absent].mean():.1%}, present ones {lost[~absent].mean():.1%}",
        flush=True,
    )
    return reliability(presence, right)


def report_recovery(films: int, lookalikes: int, network: Network, settings: TrackingSettings) -> None:
    """Print how often a target that comes back elsewhere is found again, with presence on and off."""
    print(f"recovery after 30 frames of absence and a jump, {lookalikes} lookalike(s) about:")
    for presence in ("on", "off"):
        cases = []
        false = 0
        for clip in recovery_clips(range(films), lookalikes):
            tracker = MultiTracker(network, settings.replace(presence=presence))
            for k, target in enumerate(follow(clip, tracker)):
                gone, back = clip.absence_of(k)
                if not target.right[: gone - 1].any() or not clip.has_jumped(k):
                    continue
                wrong = target.recovered & ~(target.overlap > 0.1)
                false += int(wrong[gone - 1 :].any())
                found = target.right[back - 1 :] & ~target.lost[back - 1 :]
                cases.append(int(found.argmax()) if found.any() else len(found) + 1000)
        times = np.array(cases)
        print(
            f"  {presence}: {len(cases)} cases, found within {_FRAMES_TO_RECOVER} frames "
            f"{(times < _FRAMES_TO_RECOVER).mean():.1%}, within 30 {(times < 30).mean():.1%}; false "
            f"recoveries in {false / len(cases):.1%} of the cases",
            flush=True,
        )


@dataclass(frozen=True)
class _OneTarget:
    """A clip of one target as the validation wants it."""

    clip: PaintedClip

    @property
    def name(self) -> str:
        """Of the clip."""
        return self.clip.name

    @property
    def boxes_xywh(self) -> FloatArray:
        """`(T, 4)` px."""
        return self.clip.boxes_xywh[:, 0]

    def frames(self) -> Iterator[Image]:
        """One by one."""
        return self.clip.frames()


def report_harm(clips: Sequence[PaintedClip], network: Network, settings: TrackingSettings) -> None:
    """Print the success AUC of clips without absence, with presence on and off."""
    trackers = {name: Tracker(network, settings.replace(presence=name)) for name in ("on", "off")}
    scores: dict[str, list[float]] = {name: [] for name in trackers}
    for clip in clips:
        for name, tracker in trackers.items():
            scores[name].append(validate_tracker(lambda one=tracker: one, [_OneTarget(clip)]).success_auc)
        row = "".join(f" {name} {values[-1]:.3f}" for name, values in scores.items())
        print(f"  {clip.name:24s}{row}", flush=True)
    on, off = (float(np.mean(scores[name])) for name in ("on", "off"))
    print(f"success AUC of {len(clips)} sequences: on {on:.4f}, off {off:.4f}, difference {on - off:+.4f}")


if __name__ == "__main__":
    main()
