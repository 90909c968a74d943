"""How reasons name types and values."""

import pytest

from callm.parse.reasons import described, name_of
from callm.schema import ClassType, EnumType, IntType, ListType, LiteralType, NullType, RefType, StringType, UnionType


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (StringType(), "text"),
        (IntType(), "a whole number"),
        (LiteralType("x"), "'x'"),
        (ListType(IntType()), "a list of a whole number"),
        (UnionType((IntType(), NullType())), "a whole number or null"),
        (ClassType("A", ()), "A"),
        (EnumType("E", ()), "E"),
        (RefType("R"), "R"),
    ],
)
def test_types_have_names(kind, name):
    assert name_of(kind) == name


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (None, "null"),
        ("a", "'a'"),
        ("x" * 100, "'" + "x" * 57 + "...'"),
        ({}, "an object"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
        (5, "5"),
    ],
)
def test_values_are_described(node, words):
    assert described(node) == words
