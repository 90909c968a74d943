"""Generated types: their JSON Schemas keep the rules of each provider, and accept exactly the values of the type."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from callm.schema import (
    BoolType,
    ClassType,
    Definition,
    EnumType,
    EnumValue,
    Field,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    MapType,
    NullType,
    RefType,
    Schema,
    SchemaType,
    StringType,
    TupleType,
    json_schema,
    optional,
    union,
)
from callm.schema.dialects import DIALECTS

COLOUR = EnumType("Colour", (EnumValue("RED", "red", "like blood"), EnumValue("BLUE")))
RATING = EnumType("Rating", (EnumValue("ONE", 1), EnumValue("TWO", 2)))
POINT = ClassType(
    "Point",
    (Field("x", IntType(limits={"minimum": 0}), "X"), Field("label", StringType(), required=False, description="it")),
    "A point.",
)
NODE = ClassType("Node", (Field("kids", ListType(RefType("Node"))),))
DEFINITIONS: dict[str, Definition] = {one.name: one for one in (COLOUR, RATING, POINT, NODE)}

SCALARS: st.SearchStrategy[SchemaType] = st.sampled_from(
    [
        StringType(),
        StringType(limits={"minLength": 1, "pattern": "^a"}),
        IntType(),
        IntType(limits={"minimum": 1, "maximum": 9}),
        FloatType(),
        BoolType(),
        NullType(),
        LiteralType("a"),
        LiteralType(3),
        RefType("Colour"),
        RefType("Rating"),
        RefType("Point", description="where"),
        RefType("Node"),
    ]
)


def _larger(inner: st.SearchStrategy[SchemaType]) -> st.SearchStrategy[SchemaType]:
    lists = st.builds(ListType, inner, st.sampled_from(["list", "set"]))
    tuples = st.builds(lambda items: TupleType(tuple(items)), st.lists(inner, min_size=1, max_size=3))
    maps = st.builds(lambda value: MapType(StringType(), value), inner)
    unions = st.builds(lambda members: union(*members), st.lists(inner, min_size=1, max_size=3))
    return st.one_of(lists, tuples, maps, unions, st.builds(optional, inner))


TYPES: st.SearchStrategy[SchemaType] = st.recursive(SCALARS, _larger, max_leaves=6)


def values(of: SchemaType) -> st.SearchStrategy[Any]:
    """Return values of `of` as JSON."""
    match of:
        case StringType():
            return st.just("abc") if of.limits else st.text(max_size=5)
        case IntType():
            return st.integers(1, 9)
        case FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case BoolType():
            return st.booleans()
        case NullType():
            return st.none()
        case LiteralType():
            return st.just(of.value)
        case ListType():
            unique = repr if of.is_unique else None
            return st.lists(values(of.item), max_size=2, unique_by=unique)
        case TupleType():
            return st.tuples(*map(values, of.items)).map(list)
        case MapType():
            return st.dictionaries(st.text(max_size=3), values(of.value), max_size=2)
        case _:
            return _named_values(of)


def _named_values(of: Any) -> st.SearchStrategy[Any]:
    if not isinstance(of, RefType):
        return st.one_of(*map(values, of.members))
    if of.name == "Node":
        return st.sampled_from([{"kids": []}, {"kids": [{"kids": []}]}])
    if of.name == "Point":
        return st.fixed_dictionaries({"X": st.integers(0, 9)}, optional={"label": st.text(max_size=3)})
    enum = DEFINITIONS[of.name]
    assert isinstance(enum, EnumType)
    return st.sampled_from([value.wire for value in enum.values])


CASES = TYPES.flatmap(lambda of: st.tuples(st.just(of), values(of)))
quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(CASES)
@quick
def test_the_plain_schema_accepts_the_values_of_its_type(case: tuple[SchemaType, Any]) -> None:
    of, value = case
    schema = json_schema(Schema(of, DEFINITIONS), "json")
    assert schema is not None
    Draft202012Validator.check_schema(schema)
    if not _has_set_of_equals(value):
        Draft202012Validator(schema).validate(value)


def _has_set_of_equals(value: Any) -> bool:
    """Whether a list in `value` holds 0 and 0.0, which are one value in JSON Schema and two in our generator."""
    if isinstance(value, list):
        return any(one == other for at, one in enumerate(value) for other in value[:at]) or any(
            map(_has_set_of_equals, value)
        )
    return isinstance(value, dict) and any(map(_has_set_of_equals, value.values()))


@given(CASES)
@quick
def test_a_providers_schema_accepts_the_values_it_may_send(case: tuple[SchemaType, Any]) -> None:
    of, value = case
    for dialect in ("openai", "anthropic"):
        schema = json_schema(Schema(of, DEFINITIONS), dialect)
        if schema is not None:
            Draft202012Validator.check_schema(schema)
            wrapped = value if isinstance(of, RefType) and of.name in ("Point", "Node") else {"value": value}
            Draft202012Validator(schema).validate(_with_nulls(wrapped) if dialect == "openai" else wrapped)


def _with_nulls(value: Any) -> Any:
    """Write out what is missing, as OpenAI's models must."""
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    if isinstance(value, dict):
        filled = {key: _with_nulls(item) for key, item in value.items()}
        return {"label": None, **filled} if "X" in value else filled
    return value


@given(TYPES)
@quick
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_providers_schema_keeps_its_rules(dialect: str, of: SchemaType) -> None:
    rules = DIALECTS[dialect]
    schema = json_schema(Schema(of, DEFINITIONS), dialect)
    if schema is None:
        return
    assert schema["type"] == "object"
    allowed = {"type", "description", "enum", "const", "anyOf", "$ref", "$defs", "properties", "required", "items"}
    allowed |= {"additionalProperties", "format", *rules.keywords}
    for part in _parts(schema):
        assert part.keys() <= allowed
        assert "$ref" not in part or part.keys() == {"$ref"}
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert dialect != "openai" or list(part["properties"]) == part["required"]
        if part.get("type") == "array":
            assert "items" in part
            assert dialect != "anthropic" or part.get("minItems", 0) <= 1


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("anyOf", [])]
    for part in [*inner, *([schema["items"]] if "items" in schema else [])]:
        yield from _parts(part)


@given(TYPES)
@quick
def test_anthropic_never_gets_a_type_that_contains_itself(of: SchemaType) -> None:
    schema = json_schema(Schema(of, DEFINITIONS), "anthropic")
    assert schema is None or "Node" not in repr(schema)
