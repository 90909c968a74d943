"""Declarations that can have no value."""

import pytest

from callm.baml.lower import read_types
from callm.baml.source import BamlError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class A {\n a A\n}", "A -> A"),
        ("class A {\n b B\n}\nclass B {\n a A\n}", "A -> B -> A"),
        ("type T = T", "T -> T"),
        ("type T = T | int", "T -> T"),
        ("type T = U?\ntype U = T", "T -> U -> T"),
        ("class A {\n t T\n}\ntype T = A", "A -> T -> A"),
    ],
)
def test_what_needs_itself_is_refused_once(text, words):
    with pytest.raises(BamlError) as raised:
        read_types(text)
    assert f"these declarations need each other: {words}" in str(raised.value)
    assert str(raised.value).count("need each other") == 1


@pytest.mark.parametrize(
    "text",
    [
        "class A {\n a A?\n}",
        "class A {\n a A[]\n}",
        "class A {\n a map<string, A>\n}",
        "class A {\n a A | int\n}",
        "type T = T[]",
        "type T = map<string, T> | int",
        "class A {\n b B\n c C\n}\nclass B {\n c C\n}\nclass C {\n x int\n}",
        "enum E {\n A\n}\nclass A {\n e E\n}",
    ],
)
def test_what_can_end_is_allowed(text):
    assert read_types(text).definitions
