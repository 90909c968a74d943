"""Values of the wrong type count as absent."""

from __future__ import annotations

import pytest

from callm.wire.anthropic.untyped import as_list, as_object, count, text


@pytest.mark.parametrize("value", [None, 1, "a", True, 1.5])
def test_what_is_of_another_type_is_absent(value: object) -> None:
    assert as_object(value) is None
    assert as_list(value) is None
    assert text({"name": [value]}, "name") == ""
    assert count({"name": [value]}, "name") is None


def test_what_is_of_the_type_is_given() -> None:
    assert as_object({"a": 1}) == {"a": 1}
    assert as_list([1]) == [1]
    assert text({"name": "a"}, "name") == "a"
    assert text({}, "name") == ""
    assert count({"name": 0}, "name") == 0
    assert count({"name": -1}, "name") is None
    assert count({"name": False}, "name") is None
