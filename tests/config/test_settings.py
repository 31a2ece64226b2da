"""Settings: frozen, checked when built, presets and benchmark tables by hand."""

import math

import pytest

from aiatrack.config import (
    AppearanceSettings,
    Backbone,
    DataSettings,
    ModelSettings,
    NetworkSettings,
    PasteSettings,
    SourceSettings,
    TrackingSettings,
    benchmark_tracking,
    load_preset,
    preset_names,
    read_yaml_settings,
)
from aiatrack.config.training import LogSettings, LossSettings, OptimizerSettings
from aiatrack.errors import SettingsError


def test_defaults_are_the_papers():
    network, tracking = NetworkSettings(), TrackingSettings()
    assert (network.backbone, network.crop_size, network.channels, network.heads) == (
        Backbone.RESNET50,
        320,
        256,
        4,
    )
    assert (network.encoder_layers, network.feed_forward_channels, network.inner_channels) == (3, 1024, 64)
    assert (network.grid_size, network.tokens) == (20, 400)
    assert (tracking.search_factor, tracking.memory_capacity, tracking.ensemble_size) == (5.0, 100, 3)
    assert (tracking.min_score_to_remember, tracking.clip_margin_px) == (0.7, 10.0)


def test_settings_cannot_be_changed_but_replaced():
    settings = TrackingSettings()
    with pytest.raises(ValueError, match="frozen"):
        settings.ensemble_size = 4
    assert settings.replace(ensemble_size=4) == TrackingSettings(ensemble_size=4)
    assert settings.ensemble_size == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_size": 100}, "crop_size.*multiple of 16.*got 100"),
        ({"crop_size": 0}, "crop_size"),
        ({"crop_size": 2048}, "crop_size"),
        ({"channels": 18}, "channels"),
        ({"heads": 3}, r"channels \(256\) must be a multiple of heads \(3\)"),
        ({"inner_channels": 6}, "inner_channels"),
        ({"encoder_layers": -1}, "encoder_layers"),
        ({"encoder_layers": 0, "refined_attention": "encoder"}, "encoder_layers is 0.*aia would be nowhere"),
        ({"dropout": 1.0}, "dropout"),
        ({"backbone": "vgg16"}, "backbone.*resnet50"),
        ({"refinement": "magic"}, "refinement.*cascade"),
        ({"marking": 3}, "marking"),
        ({"chanels": 64}, "chanels.*not permitted"),
    ],
)
def test_network_settings_that_cannot_be(change, message):
    for build in (lambda: NetworkSettings(**change), lambda: NetworkSettings().replace(**change)):
        with pytest.raises(SettingsError, match=message):
            build()


@pytest.mark.parametrize(
    "change",
    [
        {"search_factor": 1.0},
        {"memory_capacity": 1},
        {"ensemble_size": -1},
        {"min_score_to_remember": 1.5},
        {"clip_margin_px": 0},
        {"ensemble": 3},
    ],
)
def test_tracking_settings_that_cannot_be(change):
    with pytest.raises(SettingsError, match=next(iter(change))):
        TrackingSettings(**change)


def test_problems_inside_settings_are_named_in_full():
    with pytest.raises(SettingsError) as caught:
        ModelSettings.parse(
            {"network": {"heads": 7, "crop_size": 320}, "tracking": {"speed": 9}}, origin="my.yaml"
        )
    assert str(caught.value).startswith("my.yaml: network: channels (256) must be a multiple of heads (7)")
    assert "tracking.speed: Extra inputs are not permitted (got 9)" in str(caught.value)
    with pytest.raises(SettingsError, match=r"my\.yaml: .*valid dictionary"):
        ModelSettings.parse([1], origin="my.yaml")


def test_settings_survive_json():
    for name in preset_names():
        settings = load_preset(name)
        assert ModelSettings.model_validate_json(settings.model_dump_json()) == settings


def test_presets():
    assert preset_names() == ["base", "lite", "nano"]
    base, lite, nano = (load_preset(name) for name in preset_names())
    assert base.network == NetworkSettings() and base.tracking == TrackingSettings()
    assert lite.network.backbone is nano.network.backbone is Backbone.EFFICIENTNET_LITE0
    assert base.network.crop_size > lite.network.crop_size > nano.network.crop_size
    assert all(load_preset(name).name == name for name in preset_names())


@pytest.mark.parametrize("name", ["huge", "", "Base", "../base", "base.yaml"])
def test_an_unknown_preset_is_refused(name):
    with pytest.raises(SettingsError, match="base, lite, nano"):
        load_preset(name)


@pytest.mark.parametrize(
    ("benchmark", "capacity", "ensemble", "threshold"),
    [
        ("otb100", 100, 3, 0.7),
        ("uav123", 100, 3, 0.7),
        ("lasot", 100, 4, 0.8),
        ("lasot_ext", 100, 6, 0.8),
        ("trackingnet", 100, 6, 0.7),
        ("got10k_test", 80, 4, 0.7),
        ("nfs30", 80, 3, 0.6),
    ],
)
def test_benchmark_settings_are_the_papers(benchmark, capacity, ensemble, threshold):
    settings = TrackingSettings().replace(**benchmark_tracking(benchmark))
    assert settings == TrackingSettings(
        memory_capacity=capacity, ensemble_size=ensemble, min_score_to_remember=threshold
    )


def test_an_unknown_benchmark_is_refused():
    with pytest.raises(SettingsError, match="otb100, uav123, lasot"):
        benchmark_tracking("mot17")


def test_yaml_files(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("a: 1\nb: [2, 3]\n")
    assert read_yaml_settings(path) == {"a": 1, "b": [2, 3]}
    path.write_text("a: [1\n")
    with pytest.raises(SettingsError, match="not a YAML"):
        read_yaml_settings(path)
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(SettingsError, match="not a YAML"):
        read_yaml_settings(path)
    with pytest.raises(SettingsError, match="cannot read settings"):
        read_yaml_settings(tmp_path / "nothing.yaml")
    path.write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(SettingsError, match="not a YAML"):
        read_yaml_settings(path)


@pytest.mark.parametrize(
    ("settings", "field", "good", "bad"),
    [
        (DataSettings, "region_size", (0.1, 1.5), [(0, 0.5), (-1, 0.5), (0.5, 0.1), (0.1, math.inf)]),
        (DataSettings, "box_share", (0, 1), [(-0.1, 0.5), (0.5, 1.5), (0.5, 0.1), (0.2, 0.2)]),
        (PasteSettings, "size_range", (0.5, 0.5), [(0, 0.5), (0.5, 0.1), (math.nan, 0.5)]),
        (PasteSettings, "occluded_share", (0, 1), [(-0.1, 0.5), (0.1, 1.1), (0.5, 0.1)]),
        (AppearanceSettings, "compression_quality", (1, 100), [(-50, 300), (0, 50), (10, 101), (70, 15)]),
    ],
)
def test_ranges_of_the_data_rise_within_what_can_be(settings, field, good, bad):
    assert getattr(settings(**{field: good}), field) == good
    for pair in bad:
        with pytest.raises(SettingsError, match=rf"{field}: must be two rising numbers"):
            settings(**{field: pair})


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (OptimizerSettings, "learning_rate"),
        (OptimizerSettings, "weight_decay"),
        (LossSettings, "largest"),
        (LogSettings, "checkpoint_every_minutes"),
        (DataSettings, "still_share"),
        (PasteSettings, "travel"),
        (TrackingSettings, "clip_margin_px"),
        (TrackingSettings, "recognition_to_switch"),
    ],
)
def test_settings_are_finite(settings, field, value):
    with pytest.raises(SettingsError, match=rf"{field}: Input should be"):
        settings(**{field: value})


def test_weights_of_sources_are_finite():
    with pytest.raises(SettingsError, match=r"weights\.own: Input should be a finite number"):
        SourceSettings(path="own", weights={"own": math.inf})
