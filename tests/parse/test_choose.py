"""The cheapest reading wins."""

from typing import Any

from callm.parse.choose import pick_best
from callm.parse.found import Found, Miss
from callm.schema import ClassType, Field, ListType, StringType

TEXT = StringType()


def best(results, what, **options) -> Any:
    return pick_best(results, what, **options)


def test_one_result_is_it_whatever_it_is():
    miss = Miss("no")
    assert best([miss], "x") is miss


def test_when_nothing_fits_all_reasons_are_kept():
    result = best([Miss("a"), Miss("b")], "a number")
    assert isinstance(result, Miss)
    assert list(result.lines()) == ["a", "b"]


def test_the_cheapest_wins_and_the_earlier_of_two_equals():
    dear, cheap, same = Found("a", TEXT).note("substring"), Found("b", TEXT), Found("c", TEXT)
    assert best([dear, Miss("x"), cheap, same], "text", in_union=True).value == "b"


def test_a_real_list_beats_one_made_of_a_single_value():
    single = Found(None, ListType(TEXT), parts=[Found("a", TEXT)]).note("single_to_list")
    real = Found(None, ListType(TEXT), parts=[Found("a", TEXT).note("value_to_text").note("substring")], cost=40)
    assert best([single, real], "list").parts[0].repairs


def test_a_composite_beats_a_scalar_made_of_one():
    text = Found("{a: 1}", TEXT).note("value_to_text")
    value = Found(None, ListType(TEXT), parts=[Found("a", TEXT)], cost=50)
    assert best([text, value], "union", in_union=True) is value


def test_in_a_union_a_class_with_nothing_but_defaults_loses():
    kind = ClassType("A", (Field("x", TEXT, required=False),))
    empty = Found(None, kind, parts={"x": Found(None, None).note("default_for_missing_optional")}, cost=10)
    full = Found(None, kind, parts={"x": Found("a", TEXT)}, cost=30)
    assert best([empty, full], "union", in_union=True) is full
