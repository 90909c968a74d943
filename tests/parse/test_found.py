"""Values with the story of how they were read."""

from typing import get_args

import pytest

from callm.parse.found import COSTS, SILENT, Found, Kind, Miss, is_composite, joined
from callm.parse.policies import ALL, FAITHFUL, LENIENT, LOSSY, STRICT
from callm.schema import StringType


def test_every_kind_of_repair_has_a_cost():
    assert set(COSTS) == set(get_args(Kind)) == set(ALL)
    assert all(cost >= 0 for cost in COSTS.values())
    assert set(SILENT) < set(COSTS)


def test_the_policies_allow_none_what_loses_nothing_and_all():
    assert STRICT.allowed == frozenset()
    assert FAITHFUL.allowed == ALL - LOSSY
    assert LENIENT.allowed == ALL - {"constant"}
    assert FAITHFUL.allowed >= SILENT


def test_a_note_adds_its_cost():
    found = Found("x", StringType()).note("substring", detail="x y").note("dropped_item", 3)
    assert found.cost == COSTS["substring"] + COSTS["dropped_item"] + 3
    assert found.has("substring")
    assert not found.has("rounded")


def test_a_walk_names_every_place():
    inner = Found("x", StringType())
    tree = Found(None, None, parts={"a": Found(None, None, parts=[inner, inner])})
    assert [path for path, _ in tree.walk()] == ["", "a", "a[0]", "a[1]"]
    assert is_composite(tree)
    assert not is_composite(inner)


def test_a_miss_tells_its_deepest_reasons():
    miss = Miss("outer", (Miss("bad", path="a"), Miss("list", (Miss("worse", path="[2]"),), path="b")))
    assert list(miss.lines()) == ["a: bad", "b[2]: worse"]
    assert list(Miss("alone").lines()) == ["alone"]


@pytest.mark.parametrize(("path", "step", "result"), [("", "a", "a"), ("a", "b", "a.b"), ("a", "[0]", "a[0]")])
def test_paths_join(path, step, result):
    assert joined(path, step) == result
