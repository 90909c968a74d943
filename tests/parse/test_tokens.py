"""What scalars without quotes mean, and open objects and arrays."""

import pytest

from callm.parse.tokens import MISSING, OpenArray, OpenObject, bare, block
from callm.parse.tree import Pairs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("null", None),
        ("True", "True"),
        ("5", 5),
        ("1.5", 1.5),
        ("inf", "inf"),
        ("x y", "x y"),
        ("", ""),
    ],
)
def test_a_bare_text_is_a_constant_a_number_or_itself(text, value):
    assert bare(text) == value


@pytest.mark.parametrize(
    ("mark", "text", "value"),
    [
        ('"""', "\n  a\n    b\n", "a\n  b"),
        ('"""', "a", "a"),
        ("```", "js\n x\n", "x"),
        ("```", "one line", "one line"),
    ],
)
def test_a_block_loses_its_indentation(mark, text, value):
    assert block(mark, text) == value


def test_an_object_takes_keys_and_values_in_turn():
    frame = OpenObject()
    assert frame.place == "key"
    frame.add(1)
    assert frame.place == "value"
    assert frame.value() == {}
    assert frame.value("open") == {"1": "open"}
    frame.add("x")
    assert frame.value() == {"1": "x"}


def test_a_key_that_came_twice_is_kept_twice():
    frame = OpenObject()
    for item in ("a", 1, "a", 2):
        frame.add(item)
    assert frame.value() == Pairs((("a", 1), ("a", 2)))


def test_an_array_takes_items():
    frame = OpenArray()
    frame.add(1)
    assert (frame.place, frame.value(MISSING), frame.value(2)) == ("item", [1], [1, 2])
