from typing import Any

import pytest

from callm.errors import ConfigError
from callm.schema import (
    AliasType,
    AnyType,
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

STRING, INT, NULL = StringType(), IntType(), NullType()
WORD, WHOLE, NIL = {"type": "string"}, {"type": "integer"}, {"type": "null"}


def obj(properties: dict[str, Any], required: list[str] | None = None, **more: Any) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False, **more}


def array(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def field(of: SchemaType, dialect: str, **more: Any) -> dict[str, Any] | None:
    """Write a class with one field, and return the field."""
    found = json_schema(Schema(RefType("C"), {"C": ClassType("C", (Field("x", of, **more),))}), dialect)
    return found and found["properties"]["x"]


def root(of: SchemaType, dialect: str, *definitions: Definition) -> dict[str, Any] | None:
    return json_schema(Schema(of, {one.name: one for one in definitions}), dialect)


def test_an_unknown_dialect_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no JSON Schema dialect 'gemini': it is one of json, openai, anthropic"):
        json_schema(Schema(INT), "gemini")


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (STRING, WORD),
        (INT, WHOLE),
        (FloatType(), {"type": "number"}),
        (BoolType(), {"type": "boolean"}),
        (NULL, NIL),
        (StringType(format="date"), WORD | {"format": "date"}),
        (LiteralType("a"), WORD | {"const": "a"}),
        (LiteralType(True), {"type": "boolean", "const": True}),
        (union(LiteralType("a"), LiteralType("b")), WORD | {"enum": ["a", "b"]}),
        (union(LiteralType("a"), NULL, LiteralType("b")), {"anyOf": [WORD | {"enum": ["a", "b"]}, NIL]}),
        (
            union(INT, LiteralType("a"), LiteralType(1), LiteralType(True)),
            {"anyOf": [WHOLE, WORD | {"const": "a"}, WHOLE | {"const": 1}, {"type": "boolean", "const": True}]},
        ),
        (union(INT, STRING), {"anyOf": [WHOLE, WORD]}),
        (optional(INT), {"anyOf": [WHOLE, NIL]}),
        (ListType(INT), array(WHOLE)),
        (ListType(ListType(INT)), array(array(WHOLE))),
        (IntType(description="stars"), WHOLE | {"description": "stars"}),
    ],
)
@pytest.mark.parametrize("dialect", ["json", "openai", "anthropic"])
def test_what_every_dialect_can_say(of: SchemaType, expected: dict[str, Any], dialect: str) -> None:
    assert field(of, dialect) == expected
    wrapped = expected if dialect == "json" else obj({"value": expected})
    assert json_schema(Schema(of), dialect) == wrapped


NUMBER = {"minimum": 1, "multipleOf": 2}
TEXT = {"minLength": 1, "maxLength": 9, "pattern": "^a"}
ITEMS = {"minItems": 1, "maxItems": 9}
DECIMAL = {"pattern": r"^-?\d+(\.\d+)?$"}


@pytest.mark.parametrize(
    ("of", "json", "openai", "anthropic"),
    [
        (
            IntType(limits=NUMBER),
            WHOLE | NUMBER,
            WHOLE | NUMBER,
            WHOLE | {"description": "at least 1, a multiple of 2"},
        ),
        (
            IntType(limits={"maximum": 5}, description="stars"),
            WHOLE | {"maximum": 5, "description": "stars"},
            WHOLE | {"maximum": 5, "description": "stars"},
            WHOLE | {"description": "stars (at most 5)"},
        ),
        (
            StringType(limits=TEXT),
            WORD | TEXT,
            WORD | {"pattern": "^a", "description": "at least 1 characters, at most 9 characters"},
            WORD | {"description": "at least 1 characters, at most 9 characters, matching the regular expression ^a"},
        ),
        (
            StringType(limits={"pattern": "a(?=b)"}),
            WORD | {"pattern": "a(?=b)"},
            WORD | {"description": "matching the regular expression a(?=b)"},
            WORD | {"description": "matching the regular expression a(?=b)"},
        ),
        (
            StringType(format="path"),
            WORD | {"format": "path"},
            WORD | {"description": "path"},
            WORD | {"description": "path"},
        ),
        (
            StringType(format="uri"),
            WORD | {"format": "uri"},
            WORD | {"description": "URL"},
            WORD | {"format": "uri"},
        ),
        (
            StringType(format="decimal", limits={"minimum": 0}),
            WORD | DECIMAL | {"description": "at least 0"},
            WORD | DECIMAL | {"description": "at least 0"},
            WORD | {"description": "decimal number, at least 0"},
        ),
        (ListType(INT, limits=ITEMS), array(WHOLE) | ITEMS, array(WHOLE) | ITEMS, (
            array(WHOLE, minItems=1, description="at most 9 items")
        )),
        (ListType(INT, limits={"minItems": 2}), array(WHOLE, minItems=2), array(WHOLE, minItems=2), (
            array(WHOLE, description="at least 2 items")
        )),
        (
            ListType(INT, "set"),
            array(WHOLE, uniqueItems=True),
            array(WHOLE, description="no duplicates"),
            array(WHOLE, description="no duplicates"),
        ),
        (
            TupleType((INT, STRING)),
            {"type": "array", "prefixItems": [WHOLE, WORD], "items": False, "minItems": 2, "maxItems": 2},
            array({"anyOf": [WHOLE, WORD]}, minItems=2, maxItems=2, description="exactly 2 items, in order"),
            array({"anyOf": [WHOLE, WORD]}, description="exactly 2 items, in order"),
        ),
        (
            TupleType((INT, INT)),
            {"type": "array", "prefixItems": [WHOLE, WHOLE], "items": False, "minItems": 2, "maxItems": 2},
            array(WHOLE, minItems=2, maxItems=2, description="exactly 2 items, in order"),
            array(WHOLE, description="exactly 2 items, in order"),
        ),
        (TupleType(()), {"type": "array", "items": False, "minItems": 0, "maxItems": 0}, None, None),
        (AnyType(), {}, None, None),
        (MapType(STRING, INT), {"type": "object", "additionalProperties": WHOLE}, None, None),
        (
            MapType(STRING, INT, limits={"minProperties": 1}),
            {"type": "object", "additionalProperties": WHOLE, "minProperties": 1},
            None,
            None,
        ),
        (
            MapType(LiteralType("a"), INT),
            {"type": "object", "additionalProperties": WHOLE, "propertyNames": WORD | {"const": "a"}},
            None,
            None,
        ),
    ],
)  # fmt: skip
def test_what_a_dialect_cant_say_goes_into_the_description_or_gives_none(
    of: SchemaType, json: dict[str, Any] | None, openai: dict[str, Any] | None, anthropic: dict[str, Any] | None
) -> None:
    assert [field(of, dialect) for dialect in ("json", "openai", "anthropic")] == [json, openai, anthropic]


def test_a_field_that_may_be_missing() -> None:
    assert field(INT, "json", required=False) == WHOLE
    assert field(INT, "json", required=False, default=5) == WHOLE | {"default": 5}
    assert field(optional(INT), "json", required=False, default=None) == {"anyOf": [WHOLE, NIL], "default": None}
    assert field(INT, "json", required=False, default=INT) == WHOLE
    assert field(INT, "openai", required=False, default=5) == {"anyOf": [WHOLE, NIL]}
    assert field(INT, "anthropic", required=False, default=5) == WHOLE
    fields = (Field("x", INT, required=False), Field("y", INT, "why"))
    required = {
        dialect: (json_schema(Schema(RefType("C"), {"C": ClassType("C", fields)}), dialect) or {})["required"]
        for dialect in ("json", "openai", "anthropic")
    }
    assert required == {"json": ["why"], "openai": ["x", "why"], "anthropic": ["why"]}


def test_a_class_says_what_it_is() -> None:
    point = ClassType("Point", (Field("x", IntType(description="int"), description="across"),), "A point.")
    assert root(RefType("Point"), "openai", point) == obj(
        {"x": WHOLE | {"description": "across\nint"}}, description="A point."
    )


def test_a_class_that_keeps_other_keys_says_so_where_that_can_be_said() -> None:
    definition = ClassType("C", (), is_open=True)
    assert root(RefType("C"), "json", definition) == {"type": "object", "properties": {}, "required": []}
    assert root(RefType("C"), "openai", definition) == obj({})


def test_an_enum_explains_its_values() -> None:
    plain = EnumType("E", (EnumValue("A"), EnumValue("B", "b")))
    assert root(RefType("E"), "json", plain) == WORD | {"enum": ["A", "b"]}
    described = EnumType("E", (EnumValue("A", description="first"), EnumValue("B")), description="The e.")
    assert root(RefType("E"), "json", described) == WORD | {"enum": ["A", "B"], "description": "The e.\nA: first"}
    numbers = EnumType("E", (EnumValue("A", 1), EnumValue("B", 2.5)))
    assert root(RefType("E"), "json", numbers) == {
        "anyOf": [WHOLE | {"const": 1}, {"type": "number", "const": 2.5}],
        "description": "1: A\n2.5: B",
    }


INNER = ClassType("Inner", (Field("x", INT),), "inner")


def test_a_class_used_once_stands_in_place_and_one_used_twice_in_defs() -> None:
    once = ClassType("C", (Field("a", RefType("Inner"), description="the a"),))
    inner = obj({"x": WHOLE}, description="the a\ninner")
    assert root(RefType("C"), "openai", once, INNER) == obj({"a": inner})
    twice = ClassType("C", (Field("a", RefType("Inner"), description="the a"), Field("b", ListType(RefType("Inner")))))
    ref, defs = {"$ref": "#/$defs/Inner"}, {"$defs": {"Inner": obj({"x": WHOLE}, description="inner")}}
    beside = obj({"a": ref | {"description": "the a"}, "b": array(ref)}) | defs
    apart = obj({"a": {"anyOf": [ref], "description": "the a"}, "b": array(ref)}) | defs
    assert root(RefType("C"), "json", twice, INNER) == beside
    assert root(RefType("C"), "openai", twice, INNER) == apart
    assert root(RefType("C"), "anthropic", twice, INNER) == apart


def test_what_contains_itself_refers_to_itself_where_that_is_allowed() -> None:
    node = ClassType("Node", (Field("kids", ListType(RefType("Node"))),))
    body = obj({"kids": array({"$ref": "#/$defs/Node"})})
    assert root(RefType("Node"), "json", node) == body | {"$defs": {"Node": body}}
    assert root(RefType("Node"), "openai", node) == body | {"$defs": {"Node": body}}
    assert root(RefType("Node"), "anthropic", node) is None
    assert root(INT, "anthropic", node) == obj({"value": WHOLE})


def test_aliases_stand_in_place_unless_they_contain_themselves() -> None:
    plain = AliasType("Ints", ListType(INT))
    assert root(RefType("Ints"), "json", plain) == array(WHOLE)
    tree = AliasType("Tree", union(INT, ListType(RefType("Tree"))))
    ref = {"$ref": "#/$defs/Tree"}
    assert root(RefType("Tree"), "openai", tree) == obj({"value": ref}) | {
        "$defs": {"Tree": {"anyOf": [WHOLE, array(ref)]}}
    }


def test_alternatives_are_rearranged_to_begin_differently_for_openai() -> None:
    cat = ClassType("Cat", (Field("name", STRING), Field("meow", INT)))
    dog = ClassType("Dog", (Field("name", STRING), Field("bark", INT)))
    of = union(RefType("Cat"), RefType("Dog"))

    def orders(dialect: str) -> list[list[str]]:
        found = root(of, dialect, cat, dog) or {}
        found = found.get("properties", {}).get("value", found)
        return [list(branch["properties"]) for branch in found["anyOf"]]

    assert orders("openai") == [["name", "meow"], ["bark", "name"]]
    assert orders("json") == orders("anthropic") == [["name", "meow"], ["name", "bark"]]
    same = ClassType("Same", (Field("name", STRING),))
    assert root(union(RefType("Same"), RefType("Other")), "openai", same, ClassType("Other", same.fields)) is None


def _nested(depth: int) -> list[ClassType]:
    inner = [ClassType(f"C{level}", (Field("x", RefType(f"C{level + 1}")),)) for level in range(depth - 1)]
    return [*inner, ClassType(f"C{depth - 1}", (Field("x", INT),))]


@pytest.mark.parametrize(
    ("fits", "too_large"),
    [
        ((RefType("C0"), *_nested(10)), (RefType("C0"), *_nested(11))),
        (
            (RefType("C"), ClassType("C", tuple(Field(f"f{n}", INT) for n in range(5000)))),
            (RefType("C"), ClassType("C", tuple(Field(f"f{n}", INT) for n in range(5001)))),
        ),
        (
            (RefType("E"), EnumType("E", tuple(EnumValue(f"V{n}") for n in range(1000)))),
            (RefType("E"), EnumType("E", tuple(EnumValue(f"V{n}") for n in range(1001)))),
        ),
    ],
)
def test_a_schema_beyond_openais_size_is_not_sent(fits: tuple[Any, ...], too_large: tuple[Any, ...]) -> None:
    assert root(*_with_dialect(fits)) is not None
    assert root(*_with_dialect(too_large)) is None


def _with_dialect(of: tuple[Any, ...]) -> tuple[Any, ...]:
    return (of[0], "openai", *of[1:])


def test_classes_shared_many_times_cost_no_more() -> None:
    """A chain in which each class has the next one twice: its paths double at every step."""
    last = ClassType("C9", (Field("x", INT),))
    chain = [ClassType(f"C{n}", (Field("a", RefType(f"C{n + 1}")), Field("b", RefType(f"C{n + 1}")))) for n in range(9)]
    found = root(RefType("C0"), "openai", *chain, last)
    assert found is not None
    assert len(found["$defs"]) == 9
