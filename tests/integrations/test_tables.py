"""Results as pandas and Polars tables: the columns, whatever form the results come in."""

import builtins
import math
from typing import Any

import pytest

from aiatrack.errors import MissingExtraError, SettingsError
from aiatrack.integrations.tables import to_pandas, to_polars
from aiatrack.tracking import TargetState, TrackResult

COLUMNS = ["frame", "id", "x", "y", "w", "h", "score", "predicted_iou", "presence", "state", "remembered"]


def result(
    frame: int, id: int | str, presence: float | None = None, state: TargetState = TargetState.TRACKED
):
    return TrackResult((1.0 + frame, 2.0, 3.0, 4.0), 0.5, frame, frame == 0, id, presence, state)


ALONE = [result(0, 1), result(1, 1)]
SEVERAL = [
    {"car": result(0, "car", 1.0)},
    {"car": result(1, "car", 0.25, TargetState.LOST), 7: result(1, 7, 0.875)},
    {},
]


def lists_of(table: Any) -> dict[str, list[Any]]:
    """A table of either library as plain lists."""
    return {name: table[name].to_list() for name in table.columns}


@pytest.fixture(params=["pandas", "polars"])
def convert(request: pytest.FixtureRequest):
    pytest.importorskip(request.param)
    return {"pandas": to_pandas, "polars": to_polars}[request.param]


def test_one_target(convert):
    table = lists_of(convert(iter(ALONE)))
    assert list(table) == COLUMNS
    presence = table.pop("presence")
    assert all(value is None or math.isnan(value) for value in presence)
    assert table == {
        "frame": [0, 1],
        "id": [1, 1],
        "x": [1.0, 2.0],
        "y": [2.0, 2.0],
        "w": [3.0, 3.0],
        "h": [4.0, 4.0],
        "score": [0.5, 0.5],
        "predicted_iou": [0.75, 0.75],
        "state": ["tracked", "tracked"],
        "remembered": [True, False],
    }


def test_several_targets(convert):
    table = lists_of(convert(SEVERAL))
    assert table["frame"] == [0, 1, 1]
    assert table["id"] == ["car", "car", "7"]
    assert table["presence"] == [1.0, 0.25, 0.875]
    assert table["state"] == ["tracked", "lost", "tracked"]


def test_numbers_stay_numbers_and_presence_may_come_late(convert):
    table = lists_of(convert([[result(0, 1), result(0, 2, 0.5)]]))
    assert table["id"] == [1, 2]
    assert table["presence"][1] == 0.5


def test_results_of_one_frame_are_taken_as_they_are(convert):
    assert lists_of(convert(SEVERAL[1]))["id"] == ["car", "7"]
    assert lists_of(convert(ALONE[1]))["frame"] == [1]


def test_a_number_and_a_name_that_reads_like_it_are_not_mixed_up(convert):
    with pytest.raises(SettingsError, match="1 and '1'"):
        convert([{1: result(0, 1)}, {"1": result(1, "1")}])


def test_half_letters_are_escaped(convert):
    assert lists_of(convert([result(0, "caf\udce9")]))["id"] == ["caf\\udce9"]


def test_no_results_are_a_table_of_the_same_columns(convert):
    table = convert([])
    assert list(table.columns) == COLUMNS
    assert len(table) == 0
    filled = convert([result(0, 1, 0.5)])
    assert [table[name].dtype for name in COLUMNS] == [filled[name].dtype for name in COLUMNS]


@pytest.mark.parametrize(("name", "call"), [("pandas", to_pandas), ("polars", to_polars)])
def test_the_extra_is_named_where_it_is_missing(name, call, monkeypatch):
    found = builtins.__import__

    def find(module: str, *rest: Any, **more: Any) -> Any:
        if module == name:
            raise ImportError(module)
        return found(module, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", find)
    with pytest.raises(MissingExtraError, match=r"pip install 'aiatrack\[tables\]'"):
        call(ALONE)
