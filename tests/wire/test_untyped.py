from __future__ import annotations

from typing import Any

import pytest

from callm.wire.untyped import as_list, as_object, count, objects, text

ODD: list[Any] = [None, True, 7, 1.5, "x"]


@pytest.mark.parametrize("value", ODD)
def test_what_is_of_another_type_counts_as_absent(value: Any) -> None:
    assert as_object(value) is None
    assert as_list(value) is None
    assert objects(value) == []


def test_objects_and_lists_are_returned() -> None:
    assert as_object({"a": 1}) == {"a": 1}
    assert as_list([1]) == [1]
    assert (as_object([1]), as_list({})) == (None, None)
    assert objects([{"a": 1}, 7, None, [], {}]) == [{"a": 1}, {}]


@pytest.mark.parametrize(
    ("value", "words", "number"),
    [("x", "x", None), (7, "", 7), (0, "", 0), (-1, "", None), (True, "", None), (None, "", None)],
)
def test_fields_are_read_by_type(value: Any, words: str, number: int | None) -> None:
    assert text({"a": value}, "a") == words
    assert count({"a": value}, "a") == number
    assert (text({}, "a"), count({}, "a")) == ("", None)
