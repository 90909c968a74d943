"""What a text was read as."""

import math

import pytest

from callm.parse.tree import Fenced, Fixed, Open, Pairs, Readings, is_open, pairs, show, show_float, unwrap


def test_wrappers_come_off():
    assert unwrap(Fixed(Fenced("json", Open({"a": 1})))) == {"a": 1}
    assert unwrap(Readings((Fixed(5), 6), "5 6")) == 5


def test_entries_come_from_objects_alone():
    assert list(pairs({"a": 1}) or ()) == [("a", 1)]
    assert list(pairs(Pairs((("a", 1), ("a", 2)))) or ()) == [("a", 1), ("a", 2)]
    assert pairs([1]) is None


def test_open_is_seen_through_wrappers():
    assert is_open(Fixed(Open("x")))
    assert not is_open(Fixed("x"))


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ("x", "x"),
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        (100.0, "100.0"),
        (7, "7"),
        ([1, "b"], "[1, b]"),
        ({"k": "v", "n": None}, "{k: v, n: null}"),
        (Readings((5,), "five 5"), "five 5"),
        (Open([Open("a")]), "[a]"),
    ],
)
def test_values_are_shown_as_text(node, text):
    assert show(node) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "NaN"), (1e20, "100000000000000000000.0"), (1e-7, "0.0000001")],
)
def test_floats_have_no_exponent(value, text):
    assert show_float(value) == text
