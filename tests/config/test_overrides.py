"""Settings changed on a command line."""

import pytest

from aiatrack.config import TrackingSettings, tracking_overrides
from aiatrack.errors import SettingsError


def test_values_are_yaml():
    changes = tracking_overrides(["ensemble_size=5", "search_factor=4.5", "calibration=nano"])
    assert changes == {"ensemble_size": 5, "search_factor": 4.5, "calibration": "nano"}


def test_a_later_value_counts():
    assert tracking_overrides(["ensemble_size=5", "ensemble_size=2"]) == {"ensemble_size": 2}
    assert tracking_overrides([]) == {}


@pytest.mark.parametrize(
    ("text", "expected"), [("on", "on"), ("off", "off"), ("judge", "judge"), ("'on'", "on")]
)
def test_on_and_off_are_words(text, expected):
    """YAML reads the bare words as true and false."""
    (value,) = tracking_overrides([f"presence={text}"]).values()
    assert value == expected
    assert TrackingSettings(presence=value == "on").presence in ("on", "off")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ensemble_size", "expected key=value, got 'ensemble_size': write, for example, ensemble_size=4"),
        ("=4", "expected key=value"),
        ("ensemble_sise=4", "there is no setting ensemble_sise: did you mean ensemble_size?"),
        ("x=4", "there is no setting x: expected one of search_factor, "),
        ("ensemble_size=-1", "ensemble_size: Input should be greater than or equal to 0"),
        ("ensemble_size={", "is not YAML: quote it"),
        ("presence=maybe", "presence: Input should be 'on', 'judge' or 'off'"),
        ("max_presence_to_lose=0.9", "must not lie above"),
    ],
)
def test_what_does_not_fit(text, words):
    with pytest.raises(SettingsError, match=words.replace("?", r"\?")):
        tracking_overrides([text])
