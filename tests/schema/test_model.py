import pickle

import pytest

from callm.schema import (
    AliasType,
    ClassType,
    Constraint,
    EnumType,
    EnumValue,
    Field,
    IntType,
    ListType,
    LiteralType,
    NullType,
    RefType,
    Schema,
    SchemaType,
    StringType,
    UnionType,
    optional,
    union,
)

INT, STRING, NULL = IntType(), StringType(), NullType()


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ((INT,), INT),
        ((INT, INT), INT),
        ((INT, STRING), UnionType((INT, STRING))),
        ((LiteralType(1), LiteralType(True)), UnionType((LiteralType(1), LiteralType(True)))),
        ((UnionType((INT, NULL)), STRING), UnionType((INT, NULL, STRING))),
        ((UnionType((INT, UnionType((STRING, NULL)))), STRING), UnionType((INT, STRING, NULL))),
    ],
)
def test_a_union_is_flat_and_holds_each_member_once(members: tuple[SchemaType, ...], expected: SchemaType) -> None:
    assert union(*members) == expected


def test_a_union_that_says_something_of_its_own_is_kept() -> None:
    described = UnionType((INT, STRING), description="a key")
    checked = UnionType((INT, STRING), constraints=(Constraint("check", "this", "l"),))
    assert union(described, NULL) == UnionType((described, NULL))
    assert union(checked, NULL) == UnionType((checked, NULL))


def test_an_optional_type_is_a_union_with_null() -> None:
    of = optional(INT)
    assert of == UnionType((INT, NULL))
    assert optional(of) == of
    assert isinstance(of, UnionType)
    assert of.is_nullable
    assert of.non_null == (INT,)
    assert not UnionType((INT, STRING)).is_nullable


def test_the_wire_has_the_alias_where_there_is_one() -> None:
    assert (Field("a", INT).wire, Field("a", INT, "b").wire, Field("a", INT, "").wire) == ("a", "b", "")
    assert (EnumValue("A").wire, EnumValue("A", "b").wire, EnumValue("A", 0).wire) == ("A", "b", 0)


def test_names_are_followed_to_what_they_stand_for() -> None:
    point = ClassType("Point", (Field("x", INT),))
    kind = EnumType("Kind", (EnumValue("A"),))
    schema = Schema(
        RefType("Outer"),
        {
            "Point": point,
            "Kind": kind,
            "Outer": AliasType("Outer", RefType("Inner")),
            "Inner": AliasType("Inner", RefType("Point")),
            "Ints": AliasType("Ints", ListType(INT)),
        },
    )
    assert schema.resolve(INT) == INT
    assert schema.resolve(schema.root) == point
    assert schema.resolve(RefType("Kind")) == kind
    assert schema.resolve(RefType("Ints")) == ListType(INT)
    assert schema.is_object
    assert not Schema(RefType("Ints"), schema.definitions).is_object


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        (STRING, True),
        (StringType(description="a note"), True),
        (StringType(format="date"), False),
        (StringType(python=bytes), False),
        (StringType(limits={"minLength": 3}), False),
        (INT, False),
        (optional(STRING), False),
    ],
)
def test_only_unlimited_text_is_the_answer_as_it_stands(root: SchemaType, *, expected: bool) -> None:
    assert Schema(root).is_text is expected


def test_sets_hold_each_value_once() -> None:
    kinds = {kind: ListType(INT, kind).is_unique for kind in ("list", "tuple", "set", "frozenset")}
    assert kinds == {"list": False, "tuple": False, "set": True, "frozenset": True}


def test_a_schema_compares_by_value_and_can_be_pickled() -> None:
    schema = Schema(RefType("A"), {"A": ClassType("A", (Field("x", LiteralType("y"), default=1),), python=ClassType)})
    assert pickle.loads(pickle.dumps(schema)) == schema
    assert schema != Schema(RefType("A"), {"A": ClassType("A", ())})


def test_what_is_printed_of_a_type_is_what_is_special_about_it() -> None:
    assert repr(StringType(format="date")) == "StringType(format='date')"
