"""Values that YAML or Python cannot make anything of are errors of ours, wherever they are written."""

import pytest

from aiatrack.config import load_calibration
from aiatrack.config.recipes import load_recipe
from aiatrack.errors import SettingsError

# A month 13, more digits than Python reads, tags without a value of their kind, no end of lists.
NO_VALUES = ["2024-13-01", "1" * 5000, "!!int ''", "!!bool maybe", "!!timestamp x", "[" * 5000]


@pytest.mark.parametrize("value", NO_VALUES, ids=lambda value: value[:12])
def test_a_change_whose_value_cannot_be(value):
    with pytest.raises(SettingsError, match="is not YAML: quote it") as refused:
        load_recipe("nano", [f"name={value}"])
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", NO_VALUES, ids=lambda value: value[:12])
@pytest.mark.parametrize("load", [load_recipe, load_calibration])
def test_a_file_with_a_value_that_cannot_be(load, value, tmp_path):
    (tmp_path / "own.yaml").write_text(f"name: {value}\n")
    with pytest.raises(SettingsError, match=r"own\.yaml is not a YAML settings file"):
        load(str(tmp_path / "own.yaml"))


@pytest.mark.parametrize("place", ["²", "1" * 5000, "-1", "one", "99"])
def test_a_place_in_a_list_that_cannot_be(place):
    with pytest.raises(SettingsError, match="expected a number below"):
        load_recipe("nano", [f"data.sources.{place}=1"])


def test_a_recipe_may_lie_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "own.yaml").write_text("name: at home\n")
    assert load_recipe("~/own.yaml", ["data.sources=[{path: clips}]"]).name == "at home"


def test_a_calibration_may_lie_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.yaml").write_text("bias: 1\nweights: {}\n")
    assert load_calibration("~/own.yaml").bias == 1
