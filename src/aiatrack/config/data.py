"""Settings of the training data: which sources, how samples are drawn, how pictures are changed."""

from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import Self

from aiatrack.config.frozen import FrozenSettings

_Number = TypeVar("_Number", int, float)


def _rising(least: float, most: float, *, apart: bool = False) -> AfterValidator:
    """Refuse two numbers that do not rise, or leave [`least`, `most`]; `apart` refuses equal ones as well."""

    def check(pair: tuple[_Number, _Number]) -> tuple[_Number, _Number]:
        low, high = pair
        if not least <= low <= high <= most or (apart and low == high):
            raise ValueError(f"must be two rising numbers in [{least:g}, {most:g}], got {pair}")
        return pair

    return AfterValidator(check)


_LEAST_SIZE, _LARGEST_SIZE = 1e-3, 100.0
"""Sizes over an image's side are drawn by their logarithms, and so cannot be 0."""
_Bound = Annotated[float, Field(allow_inf_nan=True)]
"""One of two rising numbers: what is not finite is refused together with the other, by `_rising`."""


class Layout(str, Enum):
    """How a source's annotations lie on disk."""

    JSON_LINES = "json_lines"
    LASOT = "lasot"
    GOT10K = "got10k"
    TRACKINGNET = "trackingnet"
    COCO = "coco"
    YOLO = "yolo"
    MOT_CHALLENGE = "mot_challenge"


class SourceSettings(FrozenSettings):
    """One source of annotated images or video."""

    layout: Layout = Layout.JSON_LINES
    path: Path
    """File or folder; for `json_lines` a file, or a folder of which every `*.jsonl` becomes a source."""
    split: str | None = None
    """Which part of a published data set, in that data set's own words."""
    weight: float = Field(1.0, ge=0)
    """Share of samples of one kind (stills, clips, cut-outs, scenes), relative to the other sources that
    offer that kind."""
    weights: dict[str, float] = Field(default_factory=dict)
    """For a folder of sources: factors on the weight by name; 1 where not named, 0 leaves a source out."""
    without_identity: tuple[str, ...] = ()
    """For a folder of sources: names of those whose boxes do not follow one object through a video."""
    packed: bool = True
    """Decode every image once into one flat file; refuse this for data sets larger than the disk."""


class JitterSettings(FrozenSettings):
    """How far a crop is from being centred on its target and right in size."""

    centre: float = Field(1.4, ge=0, le=8)
    """Largest offset of the crop's centre, uniform, in units of sqrt(width x height)."""
    size: float = Field(0.25, ge=0, le=2)
    """Width and height are each multiplied by exp(size x N(0, 1))."""


class MotionSettings(FrozenSettings):
    """How a still image is set in motion: each crop sees it through its own transform."""

    rotation_degrees: float = Field(8.0, ge=0, le=90)
    """Standard deviation."""
    stretch: float = Field(0.12, ge=0, le=1)
    """Standard deviation of log(width ratio / height ratio)."""
    shear: float = Field(0.06, ge=0, le=1)
    """Standard deviation."""
    perspective: float = Field(0.08, ge=0, le=0.4)
    """Standard deviation of the change of scale across one target size."""
    perspective_probability: float = Field(0.3, ge=0, le=1)


class PasteSettings(FrozenSettings):
    """Cut-outs laid over scenes: as targets, as look-alikes of the target, as occluders."""

    size_range: Annotated[tuple[_Bound, _Bound], _rising(_LEAST_SIZE, _LARGEST_SIZE)] = (0.06, 0.55)
    """sqrt(width x height) of a pasted target over the scene's shorter side; drawn log-uniformly."""
    video_scene_probability: float = Field(0.4, ge=0, le=1)
    """Probability that the scene is three frames of a clip, not one still image."""
    colour: float = Field(0.2, ge=0, le=1)
    """Largest relative change of a pasted thing's brightness."""
    travel: float = Field(0.8, ge=0)
    """Standard deviation of a pasted target's movement between crops, in target sizes."""
    exit_probability: float = Field(0.12, ge=0, le=1)
    """Probability that a pasted target stands at the scene's border, partly out of it."""
    distractor_probability: float = Field(0.35, ge=0, le=1)
    """Probability that look-alikes of the target stand near it."""
    distractors_max: int = Field(3, ge=1, le=8)
    occluder_probability: float = Field(0.15, ge=0, le=1)
    """Probability, for each crop but the first reference, that something covers part of the target."""
    occluded_share: Annotated[tuple[_Bound, _Bound], _rising(0, 1)] = (0.1, 0.5)
    """Share of the target's box that an occluder is laid over."""


class AppearanceSettings(FrozenSettings):
    """Changes of colour and sharpness. Joint ones are the same for the three crops of a sample."""

    joint_grey: float = Field(0.08, ge=0, le=1)
    joint_infrared: float = Field(0.04, ge=0, le=1)
    """Probability of the look of a thermal camera: grey, stretched contrast, often inverted."""
    joint_flip: float = Field(0.5, ge=0, le=1)
    crop_flip: float = Field(0.1, ge=0, le=1)
    """Probability that one crop alone is flipped."""
    brightness: float = Field(0.2, ge=0, le=1)
    """Each crop's values are multiplied by a number uniform in 1 +- this."""
    contrast: float = Field(0.2, ge=0, le=1)
    saturation: float = Field(0.3, ge=0, le=1)
    colour_cast: float = Field(0.06, ge=0, le=1)
    """Each channel's values are multiplied by a number uniform in 1 +- this."""
    motion_blur: float = Field(0.15, ge=0, le=1)
    """Probability, per crop."""
    motion_blur_max_px: int = Field(11, ge=3, le=31)
    defocus: float = Field(0.1, ge=0, le=1)
    """Probability, per crop, of a Gaussian blur."""
    defocus_max_sigma_px: float = Field(1.8, gt=0, le=5)
    noise: float = Field(0.15, ge=0, le=1)
    """Probability, per crop, of Gaussian noise."""
    noise_max_sigma: float = Field(14.0, ge=0, le=64)
    """In grey levels of 255."""
    compression: float = Field(0.15, ge=0, le=1)
    """Probability, per crop, of JPEG-like blocks."""
    compression_quality: Annotated[tuple[int, int], _rising(1, 100)] = (15, 70)
    smooth_shrinking: float = Field(0.5, ge=0, le=1)
    """Probability that a crop made much smaller is averaged, and not just sampled as the tracker does."""


class DataSettings(FrozenSettings):
    """Where training samples come from and what is done to them; the defaults suit a small, mixed corpus."""

    sources: tuple[SourceSettings, ...] = ()
    cache: Path | None = None
    """Folder of decoded images; the user's cache folder if not given."""
    workers: int = Field(0, ge=0)
    """Processes that prepare batches ahead, but no more than two or the machine's cores, whichever is more; 0
    prepares them inline. Batches are the same, however many there are."""
    prefetch: int = Field(4, ge=1)
    """Batches that each worker holds ready."""
    still_share: float = Field(0.30, ge=0)
    """Relative share of samples made of one image and one of its objects, set in motion."""
    clip_share: float = Field(0.30, ge=0)
    """Relative share of samples made of three frames of a clip."""
    pasted_share: float = Field(0.25, ge=0)
    """Relative share of samples with a cut-out moving over a scene."""
    region_share: float = Field(0.15, ge=0)
    """Relative share of samples whose target is a random region of an image."""
    region_size: Annotated[tuple[_Bound, _Bound], _rising(_LEAST_SIZE, _LARGEST_SIZE)] = (0.08, 0.5)
    """sqrt(width x height) of a random region over the image's shorter side; drawn log-uniformly."""
    region_detail: float = Field(4.0, ge=0)
    """Least mean gradient of a random region, grey levels: plain sky is no target."""
    balance: float = Field(0.5, ge=0, le=1)
    """Power of a source's size that its share grows with: 0 draws every source alike, 1 every image."""
    stills_from_clips: bool = True
    """Whether frames of clips also serve as still images."""
    max_gap: int = Field(200, ge=1, le=10**9)
    """Largest distance between the base frame and the earlier, or later, one, in frames."""
    reverse: float = Field(0.3, ge=0, le=1)
    """Probability that a clip is seen backwards."""
    min_clip_frames: int = Field(5, ge=1)
    """Clips with fewer frames are passed over."""
    min_visible_frames: int = Field(3, ge=1)
    """Clips with fewer frames in which the target is visible are passed over."""
    box_share: Annotated[tuple[_Bound, _Bound], _rising(0, 1, apart=True)] = (0.002, 0.45)
    """Boxes that cover less or more of their image are passed over."""
    min_box_px: float = Field(8.0, ge=1)
    """Boxes with a shorter side are passed over."""
    min_still_box_px: float = Field(0.0, ge=0)
    """Boxes of still images with a shorter side are passed over; the paper asks for more than 50."""
    validation_share: float = Field(0.05, ge=0, lt=1)
    """Share of still images kept from training."""
    validation_clip_share: float = Field(0.12, ge=0, lt=1)
    """Share of clips kept from training."""
    proposals: int = Field(16, ge=1)
    """Boxes near the target, per search region, on which the IoU head learns."""
    jitter: JitterSettings = JitterSettings()
    motion: MotionSettings = MotionSettings()
    still_motion: float = Field(1.0, ge=0, le=1)
    """Share of `motion` that still images are given; 0 repeats them unchanged."""
    clip_motion: float = Field(0.3, ge=0, le=1)
    """Share of `motion` that real clips and the scenes under pasted targets are given on top of their own."""
    paste: PasteSettings = PasteSettings()
    appearance: AppearanceSettings = AppearanceSettings()
    centre_in_image: bool = True
    """Shift no crop's centre out of its image; the paper does."""
    clip_to_crop: bool = True
    """Cut the search region's box at its border; the paper does not."""
    published_boxes: bool = False
    """Place boxes in crops as the published implementation does, and tracking with it: from the exact centre
    of the box that a crop was cut around, though crops lie on whole pixels, and half a pixel less."""

    @model_validator(mode="after")
    def _something_is_drawn(self) -> Self:
        if self.still_share + self.clip_share + self.pasted_share + self.region_share <= 0:
            raise ValueError(
                "at least one of still_share, clip_share, pasted_share, region_share must be positive"
            )
        return self
