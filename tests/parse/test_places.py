"""What a type lets stand at a place while it comes."""

from typing import Any

import pytest

from callm.baml.lower import read_types
from callm.parse.places import Places
from callm.schema import RefType

TYPES = read_types(
    "class A {\n x int\n t string[]\n d string @stream.done\n n int @stream.not_null\n}\nenum E {\n B\n}"
)


@pytest.mark.parametrize(
    ("kind", "grows"),
    [
        ("string", True),
        ("string?", True),
        ("int | string", True),
        ("int", False),
        ("E", False),
        ('"a" | string', False),
    ],
)
def test_only_text_may_be_shown_unfinished(kind, grows):
    schema = TYPES.schema(kind)
    assert Places(schema).of(schema.root).grows is grows


def test_a_class_begins_with_empty_lists_and_nothing_else():
    schema = TYPES.schema("A")
    kind: Any = schema.resolve(RefType("A"))
    shape = Places(schema).shape(kind)
    assert shape.begin() == {"x": None, "t": [], "d": None, "n": None}
    assert shape.needed == {"n"}
    assert (shape.find("X") or ("",))[0] == "x"
    assert shape.find("nope") is None


def test_a_field_that_is_shown_when_done_waits():
    schema = TYPES.schema("A")
    places = Places(schema)
    kind: Any = schema.resolve(schema.root)
    fields = {field.name: places.of_field(field) for field in kind.fields}
    assert [name for name, place in fields.items() if place.waits] == ["d"]
