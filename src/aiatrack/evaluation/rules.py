"""Rule sets: everything on which published scorers of the same boxes disagree, declared and named.

A rule set is data. The scorer reads its fields and knows none of their names, so a new published scorer is a
new entry in `RULE_SETS`, and the difference between two of them can be taken apart field by field.
"""

from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from aiatrack.errors import SettingsError
from aiatrack.evaluation.checks import check_choice


class Rounding(str, Enum):
    """What happens to boxes before they are compared."""

    NONE = "none"
    TRUNCATE_PREDICTIONS = "truncate predictions"
    ROUND_BOTH = "round predictions and annotation"


class FirstFrame(str, Enum):
    """What becomes of frame 0, whose box was given to the tracker."""

    GIVEN = "given: equals the annotation"
    DROPPED = "dropped"


class Passed(str, Enum):
    """Which frames reach the scorer at all."""

    ALL = "all"
    UNFLAGGED = "those that the benchmark does not flag as absent"


class Denominator(str, Enum):
    """What the number of hits is divided by."""

    PASSED = "all frames"
    COUNTED = "counted frames"


class ThresholdTest(str, Enum):
    """When an overlap reaches a threshold."""

    ABOVE = ">"
    AT_LEAST = ">="


class Reading(str, Enum):
    """How a curve becomes one number."""

    MEAN = "mean of the curve"
    AREA = "area by trapezoid, over the range of thresholds"
    VALUE = "value at one threshold"
    MEAN_OVERLAP = "mean overlap, no curve"


class Pooling(str, Enum):
    """How sequences become a benchmark."""

    SEQUENCES = "mean over sequences"
    FRAMES = "all frames pooled"


class AbsentErrors(str, Enum):
    """Whether frames without target are hits in the centre-error curves, as some scorers have it."""

    MISS = "never a hit"
    NORMALISED = "a hit in normalised precision"
    BOTH = "a hit in both precisions"


@dataclass(frozen=True)
class FrameTest:
    """Which annotated frames count. A frame without a finite box never does."""

    positive_size: bool = False
    """Width and height above 0."""
    positive_corner: bool = False
    """x and y above 0 too: boxes that touch the left or upper border drop out."""
    visible: bool = False
    """The target is not marked absent."""

    def __str__(self) -> str:
        sides = "x, y, w, h > 0" if self.positive_corner else "w, h > 0"
        tests = [sides] * (self.positive_size or self.positive_corner) + ["visible"] * self.visible
        return " and ".join(tests) or "finite annotation"


@dataclass(frozen=True)
class Curve:
    """Thresholds from 0 to `stop`, and how the curve over them is read."""

    stop: float
    points: int
    reading: Reading
    at: float | None = None
    """The threshold, for `Reading.VALUE`."""

    def __str__(self) -> str:
        if self.reading is Reading.VALUE:
            return f"share at {self.at:g}"
        if self.reading is Reading.MEAN_OVERLAP:
            return str(self.reading.value)
        return f"{self.reading.value}, {self.points} thresholds to {self.stop:g}"


@dataclass(frozen=True)
class RuleSet:
    """One published way from boxes to numbers."""

    name: str
    source: str
    """Whose scorer follows these rules."""
    rounding: Rounding = Rounding.NONE
    first_frame: FirstFrame = FirstFrame.GIVEN
    clip_to_image: bool = False
    """Boxes are clipped to the image before they are compared, where its size is known."""
    passed_in: Passed = Passed.ALL
    counted: FrameTest = FrameTest(positive_size=True, visible=True)
    denominator: Denominator = Denominator.PASSED
    test: ThresholdTest = ThresholdTest.ABOVE
    success: Curve = Curve(1.0, 21, Reading.MEAN)
    precision: Curve = Curve(50.0, 51, Reading.VALUE, 20.0)
    """Over the centre error in pixels."""
    normalised_precision: Curve = Curve(0.5, 51, Reading.VALUE, 0.2)
    """Over the centre error divided by the annotated width and height."""
    least_normaliser_px: float = 0.0
    """Annotated sides below this are taken for it when errors are normalised."""
    pooling: Pooling = Pooling.SEQUENCES
    absent_errors: AbsentErrors = AbsentErrors.MISS

    def describe(self) -> dict[str, str]:
        """Every rule in words, by the name of its field."""
        return {field: _in_words(getattr(self, field)) for field in RULE_FIELDS}


def _in_words(rule: Any) -> str:
    if isinstance(rule, Enum):
        return str(rule.value)
    if isinstance(rule, bool):
        return "yes" if rule else "no"
    return str(rule)


RULE_FIELDS = tuple(field.name for field in fields(RuleSet) if field.name not in ("name", "source"))
"""Names of the fields on which rule sets can differ, in the order in which a scorer meets them."""

_STARK = RuleSet(name="stark", source="STARK, OSTrack, MixFormer, SMAT")
_PYTRACKING = replace(
    _STARK,
    name="pytracking",
    source="PyTracking",
    counted=FrameTest(True, positive_corner=True, visible=True),
)

RULE_SETS: dict[str, RuleSet] = {
    rules.name: rules
    for rules in (
        replace(
            _STARK,
            name="aiatrack",
            source="the paper's authors, for OTB, UAV123 and NfS",
            denominator=Denominator.COUNTED,
        ),
        replace(_STARK, name="lasot", source="the LaSOT toolkit", counted=FrameTest(visible=True)),
        _STARK,
        _PYTRACKING,
        replace(
            _PYTRACKING,
            name="pytracking_integer",
            source="PyTracking, after its result files have cut boxes to integers",
            rounding=Rounding.TRUNCATE_PREDICTIONS,
        ),
        replace(
            _STARK,
            name="pysot",
            source="PySOT",
            passed_in=Passed.UNFLAGGED,
            counted=FrameTest(positive_size=True),
        ),
        RuleSet(
            name="got10k_otb",
            source="the got10k toolkit on OTB and LaSOT",
            counted=FrameTest(),
            denominator=Denominator.COUNTED,
            normalised_precision=Curve(0.5, 51, Reading.MEAN),
            least_normaliser_px=1.0,
        ),
        RuleSet(
            name="got10k",
            source="GOT-10k",
            first_frame=FirstFrame.DROPPED,
            clip_to_image=True,
            counted=FrameTest(visible=True),
            denominator=Denominator.COUNTED,
            success=Curve(1.0, 101, Reading.MEAN_OVERLAP),
            least_normaliser_px=1.0,
            pooling=Pooling.FRAMES,
        ),
        RuleSet(
            name="trackingnet",
            source="the TrackingNet server",
            rounding=Rounding.ROUND_BOTH,
            counted=FrameTest(),
            test=ThresholdTest.AT_LEAST,
            success=Curve(1.0, 21, Reading.AREA),
            precision=Curve(50.0, 21, Reading.AREA),
            normalised_precision=Curve(0.5, 21, Reading.AREA),
        ),
    )
}
"""Every rule set that this package scores by, by name."""


def select_rules(name: str, absent_errors: AbsentErrors = AbsentErrors.MISS) -> RuleSet:
    """Return a rule set by name.

    Args:
        name: a key of `RULE_SETS`.
        absent_errors: reproduce scorers that count absent frames as hits in the precisions; the sane value
            is `MISS`.

    Raises:
        SettingsError: there is no such rule set; `vot` is left to the VOT toolkit.
    """
    if name == "vot":
        raise SettingsError(
            "VOT numbers come from the VOT toolkit itself, never from here: run it on a VOT workspace"
        )
    check_choice("rule set", name, RULE_SETS)
    return replace(RULE_SETS[name], absent_errors=absent_errors)
