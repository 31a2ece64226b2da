"""What the synthetic world is made of: outlines, textures, bends, motion, schedules."""

import numpy as np
import pytest

from aiatrack.data.synthetic import SyntheticWorld, SyntheticWorldSettings
from aiatrack.data.synthetic.backdrop import paint_backdrop
from aiatrack.data.synthetic.motion import Camera, Drift, transform_points, translation, turn_and_scale
from aiatrack.data.synthetic.outlines import OUTLINES, capsule_outline, cover_outline
from aiatrack.data.synthetic.rendering import Moment, exposures
from aiatrack.data.synthetic.routes import AbsencePlan, distance_out
from aiatrack.data.synthetic.sprites import outline_coverage, paint_sprite
from aiatrack.data.synthetic.textures import PATTERNS, fractal_noise, paint_surface, random_look
from aiatrack.data.synthetic.things import Bend, build_thing, random_kind
from aiatrack.data.synthetic.windows import bounding_window, overlap


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def area(outline: np.ndarray) -> float:
    x, y = outline.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


@pytest.mark.parametrize("build", [*OUTLINES, capsule_outline, lambda _: cover_outline()])
def test_outlines_fill_the_unit_square(build: object) -> None:
    for seed in range(20):
        outline = build(rng(seed))  # type: ignore[operator]
        assert np.isfinite(outline).all()
        assert np.abs(outline).max() == pytest.approx(1, abs=1e-2)
        assert 0.1 < area(outline) <= 4
        steps = np.hypot(*(outline - np.roll(outline, 1, axis=0)).T)
        assert steps.max() < 0.2, "the line has no gaps"


def test_a_cover_covers_a_disc() -> None:
    assert np.hypot(*cover_outline().T).min() > 0.97


def test_coverage_has_the_outlines_area() -> None:
    for seed in range(5):
        outline = OUTLINES[seed](rng(seed))
        coverage = outline_coverage(outline, 128)
        pixel = (2 * 1.08 / 128) ** 2
        assert coverage.sum() * pixel == pytest.approx(area(outline), rel=0.02)


def test_bending_keeps_areas_and_can_be_undone() -> None:
    outline = OUTLINES[0](rng(3))
    bend = Bend(0.12, 0.1, 3.0, 0.4, 1.1)
    bent = bend.apply(outline)
    assert area(bent) == pytest.approx(area(outline), rel=2e-3)
    y = bent[:, 1] - bend.amplitude_y * np.sin(bend.rate * bent[:, 0] + bend.phase_y)
    x = bent[:, 0] - bend.amplitude_x * np.sin(bend.rate * y + bend.phase_x)
    np.testing.assert_allclose(np.stack([x, y], axis=1), outline, atol=1e-12)


@pytest.mark.parametrize("exponent", [0.6, 1.0, 1.8])
def test_noise_falls_with_frequency_as_asked(exponent: float) -> None:
    noise = fractal_noise(rng(), (256, 256), exponent)
    assert noise.mean() == pytest.approx(0, abs=1e-4)
    assert noise.std() == pytest.approx(1, abs=1e-4)
    assert spectral_slope(noise) == pytest.approx(-exponent, abs=0.1)


def spectral_slope(picture: np.ndarray) -> float:
    """Exponent of amplitude over frequency."""
    size = picture.shape[0]
    amplitude = np.abs(np.fft.fft2(picture))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    middle = (frequency > 4 / size) & (frequency < 0.3)
    return float(np.polyfit(np.log(frequency[middle]), np.log(amplitude[middle] + 1e-9), 1)[0])


def test_backdrops_have_the_spectrum_of_natural_images() -> None:
    slopes = []
    for seed in range(8):
        grey = paint_backdrop(rng(seed), 256, 256).mean(axis=2)
        assert grey.std() > 8
        # A window, so that the borders, which do not match, do not count as edges.
        slopes.append(spectral_slope((grey - grey.mean()) * np.outer(np.hanning(256), np.hanning(256))))
    assert -1.6 < np.mean(slopes) < -0.7


def test_every_pattern_paints() -> None:
    surfaces = []
    for pattern in PATTERNS:
        look = random_look(rng(5))
        look = type(look)(**{**look.__dict__, "pattern": pattern})
        surfaces.append(paint_surface(look, rng(1), 64))
        assert surfaces[-1].shape == (64, 64, 3)
        assert 0 <= surfaces[-1].min() <= surfaces[-1].max() <= 1
    differences = [np.abs(a - b).max() for i, a in enumerate(surfaces) for b in surfaces[:i]]
    assert min(differences) > 0.05


def test_small_renderings_take_small_pictures() -> None:
    look = random_look(rng())
    sprite = paint_sprite(OUTLINES[0](rng()), look, rng(), side=128, roundness=0.5, light=0.0)
    assert [picture.shape[0] for picture in sprite.pictures] == [128, 64, 32, 16]
    assert sprite.picture_for(59).shape[0] == 128
    assert sprite.picture_for(29).shape[0] == 64
    assert sprite.picture_for(2).shape[0] == 16
    assert sprite.picture_for(500).shape[0] == 128


@pytest.mark.parametrize("seed", range(12))
def test_no_point_of_a_thing_is_farther_than_its_reach(seed: int) -> None:
    thing = build_thing(random_kind(rng(seed)), rng(seed), side=32, deformation=1.0, light=0.0)
    for seconds in np.linspace(0, 7, 15):
        farthest = max(np.hypot(*line.T).max() for line in thing.outlines(np.eye(3), float(seconds)))
        assert farthest <= thing.reach


def test_individuals_share_their_kinds_shape() -> None:
    kind = random_kind(rng(2))
    one, other = (build_thing(kind, rng(seed), side=64, deformation=0.0, light=0.0) for seed in (1, 2))
    for mine, theirs in zip(one.parts, other.parts, strict=True):
        np.testing.assert_array_equal(mine.sprite.outline, theirs.sprite.outline)
        assert (mine.sprite.pictures[0] != theirs.sprite.pictures[0]).any()


def test_drifts_are_bounded_and_smooth() -> None:
    drift = Drift(rng(), 3, (1.0, 5.0))
    values = np.stack([drift.at(seconds) for seconds in np.arange(0, 200, 0.02)])
    assert values.shape[1] == 3
    assert np.abs(values).max() < 1
    assert np.abs(np.diff(values, axis=0)).max() < 0.3
    assert (np.ptp(values, axis=0) > 0.8).all()


def test_matrices_by_hand() -> None:
    quarter = translation(10, 20) @ turn_and_scale(np.pi / 2, 2, 3)
    moved = transform_points(quarter, np.array([[1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(moved, [[10, 22], [7, 20]], atol=1e-12)


def test_the_camera_looks_at_its_pan() -> None:
    camera = Camera(rng(1), (200, 100), motion=1.0, zoom=1.5, shake_px=3.0)
    pose = camera.at(2.0)
    seen = transform_points(camera.world_to_frame(pose), pose.pan[None])[0]
    np.testing.assert_allclose(seen, np.array([100, 50]) + pose.shake)


@pytest.mark.parametrize(
    ("heading", "expected"),
    [((1, 0), 80), ((-1, 0), 40), ((0, 1), 90), ((0.6, 0.8), 112.5)],
)
def test_the_way_out_by_hand(heading: tuple[float, float], expected: float) -> None:
    # A disc of radius 10 at (30, 20) in a frame of 100 x 100.
    way = distance_out(np.array([100.0, 100.0]), np.array([30.0, 20.0]), np.array(heading), 10.0)
    assert way == pytest.approx(expected)


def test_absences_by_hand() -> None:
    plan = AbsencePlan(period=100, length=20, first=0, place=0.625)
    first, second = plan.near(50), plan.near(150)
    assert first is not None
    assert second is not None
    assert (first.start, first.end, first.ramp) == (44, 64, 24)
    shares = [first.share_away(time) for time in (10, 20, 32, 44, 50, 64, 76, 88, 99)]
    assert shares == [0, 0, 0.25, 1, 1, 1, 0.25, 0, 0]
    assert plan.is_leaving(first)
    assert not plan.is_leaving(second)
    # It leaves in absences 0, 2, ...; each counts from its middle on.
    assert [plan.times_left(time) for time in (0, 53, 55, 199, 253, 255)] == [0, 0, 1, 1, 1, 2]
    hiding_first = AbsencePlan(period=100, length=20, first=1, place=0.625)
    assert [hiding_first.times_left(time) for time in (0, 55, 153, 155)] == [0, 0, 0, 1]
    assert AbsencePlan(period=np.inf, length=30, first=0).near(5) is None
    # The shutter of frame 0 opens before it: still the first absence, whose heading is drawn by its index.
    assert plan.near(-0.4).index == 0 and plan.near(-0.4).share_away(-0.4) == 0


@pytest.mark.parametrize(("path_px", "count"), [(0.0, 1), (1.0, 1), (3.0, 3), (6.0, 5), (100.0, 9)])
def test_exposures_are_spread_evenly(path_px: float, count: int) -> None:
    first, middle, last = (Moment(i / 10, translation(path_px * i / 2, 0)) for i in range(3))
    moments = exposures(first, middle, last, radius_px=1.0, spacing_px=1.5, most=9)
    assert len(moments) == count
    assert moments[count // 2] is middle
    steps = np.diff([moment.placed[0, 2] for moment in moments])
    np.testing.assert_allclose(steps, path_px / max(count - 1, 1), atol=1e-9)


def test_windows_by_hand() -> None:
    assert bounding_window(np.array([[1.2, 3.0], [7.9, 4.5]]), margin=1) == (0, 2, 9, 4)
    assert overlap((0, 0, 10, 10), (6, -2, 10, 5)) == (slice(0, 3), slice(6, 10), slice(2, 5), slice(0, 4))
    assert overlap((0, 0, 10, 10), (10, 0, 5, 5)) is None


@pytest.mark.parametrize("largest", [False, True])
def test_settings_at_their_limits_render(largest: bool) -> None:
    limits = {
        "targets": (1, 5),
        "target_size": (0.02, 0.3),
        "speed": (0, 8),
        "deformation": (0, 1),
        "distractors": (0, 5),
        "occluders": (0, 5),
        "clutter": (0, 5),
        "zoom": (1, 4),
        "camera_motion": (0, 4),
        "shake_px": (0, 32),
        "shutter": (0, 1),
        "defocus_px": (0, 8),
        "noise": (0, 64),
        "illumination": (0, 1),
        "absence": (0, 0.5),
    }
    chosen = {name: values[largest] for name, values in limits.items()}
    world = SyntheticWorld(SyntheticWorldSettings(width=48, height=32, frames=120, **chosen))
    for index in (0, 40, 80, 119):
        frame = world.frame(index)
        boxes = frame.boxes_xywh[np.isfinite(frame.boxes_xywh[:, 0])]
        assert (boxes[:, 2:] > 0).all()
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= [48 + 1e-9, 32 + 1e-9]).all()
        assert ((frame.visibility >= 0) & (frame.visibility <= 1)).all()
