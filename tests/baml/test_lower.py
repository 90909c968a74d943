"""Declarations to schemas."""

from typing import Any

import pytest

from callm.baml.lower import read_types
from callm.baml.source import BamlError, Source
from callm.schema import (
    AliasType,
    ClassType,
    EnumType,
    IntType,
    ListType,
    LiteralType,
    MapType,
    NullType,
    RefType,
    StringType,
    UnionType,
)
from callm.schema.model import Constraint, Stream


def problems(*sources):
    with pytest.raises(BamlError) as raised:
        read_types(*sources)
    return str(raised.value)


def test_a_class_becomes_its_fields():
    types = read_types(
        'class A {\n  x int\n  y string? @alias("why") @description(#"\n    two\n      lines\n  "#)\n'
        '  z (int | null)\n  s string? @skip\n  @@description("all")\n}'
    )
    kind: Any = types.definitions["A"]
    assert isinstance(kind, ClassType)
    assert kind.description == "all"
    assert [(field.name, field.wire, field.required, field.description) for field in kind.fields] == [
        ("x", "x", True, None),
        ("y", "why", False, "two\n  lines"),
        ("z", "z", False, None),
    ]


def test_an_enum_becomes_its_values_without_those_that_are_skipped():
    kind = read_types('enum E {\n A @alias("a a")\n B @description("b")\n C @skip\n @@alias(Eee)\n}').definitions["E"]
    assert isinstance(kind, EnumType)
    assert [(value.name, value.wire, value.description) for value in kind.values] == [
        ("A", "a a", None),
        ("B", "B", "b"),
    ]
    assert kind.alias == "Eee"


def test_types_of_every_kind():
    types = read_types("class P {\n x int\n}\ntype J = int | J[] | map<string, J>")
    assert isinstance(types.definitions["J"], AliasType)
    assert types.schema("P[]").root == ListType(RefType("P"))
    assert types.schema("int?").root == UnionType((IntType(), NullType()))
    assert types.schema('"a" | 1 | true').root == UnionType((LiteralType("a"), LiteralType(1), LiteralType(True)))
    assert types.schema("map<string, P>").root == MapType(StringType(), RefType("P"))


def test_attributes_of_streams_and_constraints_go_to_the_type():
    types = read_types(
        "class A {\n x int @stream.not_null @check(pos, {{ this > 0 }}) @assert({{ this < 9 }})\n"
        " y (string @stream.done)[]\n @@stream.done\n @@assert(ok, {{ this.x }})\n}"
    )
    kind: Any = types.definitions["A"]
    assert kind.stream == Stream(done=True)
    assert kind.constraints == (Constraint("assert", "this.x", "ok"),)
    x, y = kind.fields
    assert x.type.stream == Stream(not_null=True)
    assert x.type.constraints == (Constraint("check", "this > 0", "pos"), Constraint("assert", "this < 9"))
    assert y.type.item.stream == Stream(done=True)


def test_sources_share_one_namespace_in_any_order():
    types = read_types(Source("class A {\n b B\n}", "a.baml"), Source("class B {\n x int\n}", "b.baml"))
    assert list(types.definitions) == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class A {\n a Nope\n}", "the type 'Nope' does not exist"),
        ("class A {\n a strin\n}", "did you mean 'string'"),
        ("class A {\n a int\n a int\n}", "field 'a' is declared already on 'A'"),
        ("class A {\n}\nenum A {\n}", "'A' is declared already"),
        ("enum E {\n X\n X\n}", "value 'X' is declared already on 'E'"),
        ("class a {\n}", "'a' must begin with an upper-case letter"),
        ("enum E {\n x\n}", "the enum value 'x' must begin with an upper-case letter"),
        ("class A {\n _x int\n}", "'_x' can't be a field"),
        ("class A {\n x-y int\n}", "'x-y' can't be a field"),
        ("class A {\n a map<int, string>\n}", "the keys of a map are string, an enum, or literal strings"),
        ("class A {\n a map<string | 5, string>\n}", "the keys of a map are string, an enum, or literal strings"),
        ("class A {\n a int @bogus\n}", "the attribute 'bogus' is not known here"),
        ("class A {\n a int @stream.bogus\n}", "the attribute 'stream.bogus' is not known here"),
        ('class A {\n a int @alias("x") @alias("y")\n}', "@alias can be given once only"),
        ("class A {\n a int @alias\n}", "@alias takes one string"),
        ("class A {\n a int @description(5)\n}", "@description takes one string"),
        ("class A {\n a int @check({{ this }})\n}", "@check needs a label"),
        ('class A {\n a int @check("x")\n}', "@check takes a label and an expression"),
        ("class A {\n a int @assert\n}", "@assert takes a label and an expression"),
        ("class A {\n a int @skip\n}", "a class field with @skip must be optional"),
        ("class A {\n a image\n}", "image can't be what a model answers"),
    ],
)
def test_what_the_compiler_refuses_is_refused_with_its_place(text, words):
    message = problems(Source(text, "t.baml"))
    assert words in message
    assert message.startswith("t.baml:")


def test_a_wrong_type_is_refused():
    types = read_types("class A {\n x int\n}")
    for text in ("B", "A |", ""):
        with pytest.raises(BamlError):
            types.schema(text)
