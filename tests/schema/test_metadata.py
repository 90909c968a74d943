import re
from decimal import Decimal
from typing import Any

import annotated_types
import msgspec
import pytest
import typing_extensions
from pydantic import Field, StringConstraints

from callm.schema import (
    Constraint,
    FloatType,
    IntType,
    ListType,
    MapType,
    NullType,
    RefType,
    SchemaType,
    Stream,
    StringType,
    TupleType,
    optional,
    union,
)
from callm.schema.metadata import Notes, noted, read_notes

CHECK = Constraint("check", "this > 0", "positive")


class Odd:
    """Metadata of somebody else's, whose attributes only look like ours."""

    ge = True
    description = 5
    pattern = ("a",)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((), Notes()),
        (("a note",), Notes("a note")),
        (("a note", "a better one"), Notes("a better one")),
        ((typing_extensions.Doc("a note"),), Notes("a note")),
        ((msgspec.Meta(description="a note", max_length=9),), Notes("a note", None, {"max_length": 9})),
        ((Field(description="a note", alias="x", ge=1),), Notes("a note", "x", {"ge": 1})),
        ((Field(alias="x", validation_alias="y"),), Notes(alias="y")),
        ((annotated_types.Interval(ge=1, lt=5),), Notes(limits={"ge": 1, "lt": 5})),
        ((annotated_types.Len(1, 9), annotated_types.MultipleOf(2)), (
            Notes(limits={"min_length": 1, "max_length": 9, "multiple_of": 2})
        )),
        ((StringConstraints(pattern=re.compile("^a"), min_length=1),), Notes(limits={"pattern": "^a", "min_length": 1})),
        ((StringConstraints(pattern="^a"),), Notes(limits={"pattern": "^a"})),
        ((Field(pattern="^a", le=Decimal("1.5")),), Notes(limits={"pattern": "^a", "le": 1.5})),
        ((annotated_types.Ge(Decimal(2)),), Notes(limits={"ge": 2})),
        ((annotated_types.Ge(1), annotated_types.Ge(2)), Notes(limits={"ge": 2})),
        ((CHECK, Constraint("assert", "this")), Notes(constraints=(CHECK, Constraint("assert", "this")))),
        ((Stream(done=True), "a note"), Notes("a note", stream=Stream(done=True))),
        ((Odd(), Odd, 5, None), Notes()),
    ],
)  # fmt: skip
def test_metadata_says(metadata: tuple[Any, ...], expected: Notes) -> None:
    assert read_notes(metadata) == expected


LIMITS = {"ge": 1, "gt": 0, "le": 9, "lt": 10, "multiple_of": 2, "min_length": 1, "max_length": 9, "pattern": "^a"}
NUMBER = {"minimum": 1, "exclusiveMinimum": 0, "maximum": 9, "exclusiveMaximum": 10, "multipleOf": 2}
ITEMS = {"minItems": 1, "maxItems": 9}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (IntType(), NUMBER),
        (FloatType(), NUMBER),
        (StringType(), {"minLength": 1, "maxLength": 9, "pattern": "^a"}),
        (StringType(format="decimal"), NUMBER),
        (ListType(IntType()), ITEMS),
        (TupleType(()), ITEMS),
        (MapType(StringType(), IntType()), {"minProperties": 1, "maxProperties": 9}),
        (NullType(), {}),
        (RefType("A"), {}),
    ],
)
def test_a_type_takes_the_limits_that_apply_to_it(of: SchemaType, expected: dict[str, Any]) -> None:
    assert noted(of, Notes(limits=LIMITS)).limits == expected


def test_limits_are_added_and_reach_the_members_of_a_union() -> None:
    of = noted(optional(IntType(limits={"minimum": 5, "maximum": 9})), Notes(limits={"ge": 1}))
    assert of == union(IntType(limits={"minimum": 1, "maximum": 9}), NullType())


def test_constraints_are_added_and_stream_rules_replaced() -> None:
    first = Constraint("assert", "this", None)
    of = noted(IntType(constraints=(first,), stream=Stream(done=True)), Notes(constraints=(CHECK,)))
    assert of == IntType(constraints=(first, CHECK), stream=Stream(done=True))
    assert noted(of, Notes(stream=Stream(not_null=True))).stream == Stream(not_null=True)


def test_a_type_without_notes_is_the_same_object() -> None:
    of = IntType()
    assert noted(of, read_notes(("a note",))) is of
