"""Settings are compared entry by entry, under the names that they are set by."""

from aiatrack.config import list_differences


def test_differences_are_named_as_settings_are_set():
    old = {"steps": 10, "data": {"sources": [{"path": "a"}, {"path": "b"}]}, "gone": 1}
    new = {"steps": 10, "data": {"sources": [{"path": "a"}, {"path": "c"}]}, "come": 2}
    assert list(list_differences(old, new)) == [
        ("data.sources.1.path", "b", "c"),
        ("gone", 1, None),
        ("come", None, 2),
    ]


def test_lists_of_other_lengths_differ_as_a_whole():
    assert list(list_differences({"a": [1, 2]}, {"a": [1]})) == [("a", [1, 2], [1])]


def test_a_name_that_one_side_lacks_differs_from_none_where_something_stands_for_it():
    assert list(list_differences({"a": None}, {})) == []
    assert list(list_differences({"a": None}, {}, absent="lacking")) == [("a", None, "lacking")]


def test_the_same_settings_differ_in_nothing():
    assert list(list_differences({"a": {"b": [1]}}, {"a": {"b": [1]}})) == []
