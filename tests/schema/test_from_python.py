import dataclasses
import enum
import subprocess
import sys
import types
import typing
from collections import abc
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import msgspec
import pytest
from pydantic import BaseModel, EmailStr, Field, HttpUrl, RootModel
from typing_extensions import TypeAliasType

from callm.errors import ConfigError
from callm.schema import (
    AliasType,
    AnyType,
    BoolType,
    ClassType,
    Constraint,
    EnumType,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    MapType,
    NullType,
    RefType,
    SchemaType,
    Stream,
    StringType,
    TupleType,
    from_python,
    optional,
    union,
)
from callm.schema import Field as SchemaField

T = TypeVar("T")
STRING, INT, ANY = StringType(), IntType(), AnyType()

Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | float | bool | None")
Pair = TypeAliasType("Pair", tuple[T, T], type_params=(T,))
Ints = TypeAliasType("Ints", list[int])
Itself = TypeAliasType("Itself", "Itself | int")  # type: ignore[misc]  # that is the point
UserId = NewType("UserId", int)


class Colour(enum.Enum):
    RED = "red"


class Rating(enum.IntEnum):
    ONE = 1


class Node(BaseModel):
    """A node."""

    value: int
    kids: list["Node"] = []


class Tree(RootModel[list["Tree"]]):
    pass


class Box(BaseModel, Generic[T]):
    item: T


@dataclasses.dataclass
class DataBox(Generic[T]):
    item: T
    more: "list[DataBox[T]]"


class Point(NamedTuple):
    x: int
    y: int = 0


class Person(TypedDict):
    name: Annotated[str, "full name"]
    mother: NotRequired["Person"]


class Cell(msgspec.Struct):
    x: Annotated[int, msgspec.Meta(ge=1, description="across")]
    next: "Cell | None" = None


def root(annotation: Any) -> SchemaType:
    return from_python(annotation).root


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, STRING),
        (int, INT),
        (float, FloatType()),
        (bool, BoolType()),
        (None, NullType()),
        (type(None), NullType()),
        (Any, ANY),
        (object, ANY),
        (date, StringType(format="date", python=date)),
        (datetime, StringType(format="date-time", python=datetime)),
        (time, StringType(format="time", python=time)),
        (timedelta, StringType(format="duration", python=timedelta)),
        (UUID, StringType(format="uuid", python=UUID)),
        (Decimal, StringType(format="decimal", python=Decimal)),
        (Path, StringType(format="path", python=Path)),
        (IPv4Address, StringType(format="ipv4", python=IPv4Address)),
        (IPv6Address, StringType(format="ipv6", python=IPv6Address)),
        (HttpUrl, StringType(format="uri", python=HttpUrl, limits={"minLength": 1, "maxLength": 2083})),
        (UserId, INT),
        (Literal["a"], LiteralType("a")),
        (Literal["a", 1, None], union(LiteralType("a"), LiteralType(1), NullType())),  # noqa: PYI061  # the old spelling
        (int | str, union(INT, STRING)),
        (Union[int, str], union(INT, STRING)),  # noqa: UP007  # the old spelling
        (Optional[int], optional(INT)),  # noqa: UP045  # the old spelling
        (list[int], ListType(INT)),
        (list, ListType(ANY)),
        (typing.List[int], ListType(INT)),  # noqa: UP006  # the old spelling
        (typing.List, ListType(ANY)),  # noqa: UP006
        (abc.Sequence[int], ListType(INT)),
        (abc.MutableSequence, ListType(ANY)),
        (set[int], ListType(INT, "set")),
        (abc.Set[int], ListType(INT, "set")),
        (set, ListType(ANY, "set")),
        (frozenset[int], ListType(INT, "frozenset")),
        (frozenset, ListType(ANY, "frozenset")),
        (tuple[int, ...], ListType(INT, "tuple")),
        (tuple, ListType(ANY, "tuple")),
        (typing.Tuple, ListType(ANY, "tuple")),  # noqa: UP006
        (tuple[int, str], TupleType((INT, STRING))),
        (tuple[()], TupleType(())),
        (dict[str, int], MapType(STRING, INT)),
        (dict, MapType(STRING, ANY)),
        (typing.Dict, MapType(STRING, ANY)),  # noqa: UP006
        (abc.Mapping[str, int], MapType(STRING, INT)),
        (dict[Literal["a", "b"], int], MapType(union(LiteralType("a"), LiteralType("b")), INT)),
        (dict[UUID, int], MapType(StringType(format="uuid", python=UUID), INT)),
        (Annotated[int, "stars"], IntType(description="stars")),
        (Annotated[int, Field(ge=1, description="stars")], IntType(description="stars", limits={"minimum": 1})),
        (Annotated[int, 5], INT),
        (Annotated[int, Constraint("check", "this", "l")], IntType(constraints=(Constraint("check", "this", "l"),))),
        (Annotated[str, Stream(done=True)], StringType(stream=Stream(done=True))),
        (list[Annotated[int, Field(le=5)]], ListType(IntType(limits={"maximum": 5}))),
        (Ints, ListType(INT)),
        (Pair[int], TupleType((INT, INT))),
        (Pair[list[str]], TupleType((ListType(STRING), ListType(STRING)))),
        (RootModel[list[int]], ListType(INT)),
    ],
)
def test_an_annotation_is_read(annotation: Any, expected: SchemaType) -> None:
    assert from_python(annotation).root == expected
    assert from_python(annotation).definitions == {}


def test_the_keys_of_a_map_may_be_an_enum_of_text() -> None:
    assert root(dict[Colour, int]) == MapType(RefType("Colour"), INT)


def test_enums_are_definitions() -> None:
    schema = from_python(tuple[Colour, Rating, Colour])
    assert schema.root == TupleType((RefType("Colour"), RefType("Rating"), RefType("Colour")))
    assert [type(one) for one in schema.definitions.values()] == [EnumType, EnumType]


def test_classes_are_definitions_that_know_what_they_build() -> None:
    schema = from_python(Node)
    assert schema.root == RefType("Node")
    kids = SchemaField("kids", ListType(RefType("Node")), required=False, default=[])
    fields = (SchemaField("value", INT), kids)
    assert schema.definitions == {"Node": ClassType("Node", fields, "A node.", Node, "pydantic")}


def test_every_kind_of_class_may_contain_itself() -> None:
    assert from_python(Person).definitions == {
        "Person": ClassType(
            "Person",
            (
                SchemaField("name", STRING, description="full name"),
                SchemaField("mother", RefType("Person"), required=False),
            ),
            python=Person,
            kind="typed_dict",
        )
    }
    assert from_python(Cell).definitions == {
        "Cell": ClassType(
            "Cell",
            (
                SchemaField("x", IntType(limits={"minimum": 1}), description="across"),
                SchemaField("next", optional(RefType("Cell")), required=False, default=None),
            ),
            python=Cell,
            kind="struct",
        )
    }
    point = (SchemaField("x", INT), SchemaField("y", INT, required=False, default=0))
    assert from_python(Point).definitions == {"Point": ClassType("Point", point, None, Point, "named_tuple")}


def test_an_alias_that_contains_itself_is_a_definition() -> None:
    schema = from_python(Json)
    json = RefType("Json")
    body = union(MapType(STRING, json), ListType(json), STRING, INT, FloatType(), BoolType(), NullType())
    assert (schema.root, schema.definitions) == (json, {"Json": AliasType("Json", body)})
    schema = from_python(list[Tree])
    assert schema.root == ListType(RefType("Tree"))
    assert schema.definitions == {"Tree": AliasType("Tree", ListType(RefType("Tree")))}


def test_generic_classes_are_a_definition_for_each_argument() -> None:
    schema = from_python(tuple[Box[int], Box[str], DataBox[int]])
    assert schema.root == TupleType((RefType("Box_int"), RefType("Box_str"), RefType("DataBox_int")))
    items = {name: one.fields[0].type for name, one in schema.definitions.items() if isinstance(one, ClassType)}
    assert items == {"Box_int": INT, "Box_str": STRING, "DataBox_int": INT}
    data = schema.definitions["DataBox_int"]
    assert isinstance(data, ClassType)
    assert data.fields[1].type == ListType(RefType("DataBox_int"))


def test_two_classes_of_one_name_are_two_definitions() -> None:
    def make(kind: type) -> type:
        return dataclasses.make_dataclass("Same", [("x", kind)])

    schema = from_python(tuple[make(int), make(str)])  # type: ignore[misc]  # types made at run time
    assert schema.root == TupleType((RefType("Same"), RefType("Same2")))


def test_names_are_made_of_letters_digits_and_underscores() -> None:
    odd = types.new_class("Größe €", (BaseModel,), exec_body=lambda body: body.update(__annotations__={"x": int}))
    nameless = types.new_class("€", (BaseModel,))
    assert list(from_python(tuple[odd, nameless]).definitions) == ["Gr_e", "Type"]  # type: ignore[valid-type]  # as above


def test_classes_inside_a_function_may_refer_to_one_another() -> None:
    @dataclasses.dataclass
    class Local:
        other: "Local | None"

    local = from_python(Local).definitions["Local"]
    assert isinstance(local, ClassType)
    assert local.fields[0].type == optional(RefType("Local"))


class Item(BaseModel):
    price: Annotated[int, "euros"]
    data: bytes


class Invoice(BaseModel):
    items: list[Item]


class Plain:
    pass


class Holder(BaseModel, arbitrary_types_allowed=True):
    plain: Plain


class WithStruct(BaseModel, arbitrary_types_allowed=True):
    cell: Cell


@dataclasses.dataclass
class Twice:
    a: Annotated[int, Field(alias="x")]
    b: Annotated[int, Field(alias="x")]


@dataclasses.dataclass
class Maps:
    m: dict[str, tuple[int, list[complex]]]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (bytes, "return type of f: bytes can't come from JSON: use str"),
        (Plain, "return type of f: Plain can't come from JSON: make it a pydantic model, a dataclass or a TypedDict"),
        (Invoice, "return type of f: field Invoice.items[].data: bytes can't come from JSON"),
        (list[Invoice], "return type of f: field [].items[].data: bytes can't"),
        (Holder, "return type of f: field Holder.plain: Plain can't come from JSON"),
        (WithStruct, "return type of f: field WithStruct.cell: pydantic can't read the msgspec.Struct Cell: make it a"),
        (Maps, "return type of f: field Maps.m{}[1][]: complex can't come from JSON: use two floats"),
        (Twice, "return type of f: field Twice: two of its fields are called 'x' in JSON: change an alias"),
        (list["Nowhere"], "is only a name here: write the type itself"),  # type: ignore[name-defined]  # noqa: F821
        (Box, "return type of f: field Box.item: ~T is left open: write which type it is"),
        (dict[int, str], "the keys of JSON objects are text: use str, an enum of str or a Literal of str as key"),
        (dict[Rating, str], "the keys of JSON objects are text"),
        (dict[Literal["a", 1], str], "the keys of JSON objects are text"),
        (Itself, "the alias Itself stands for itself: put a list or dict between"),
        (abc.Iterable[int], "Iterable[int] can't come from JSON: use list[...]"),
        (Literal[b"a"], "can't come from JSON: use text"),
    ],
)
def test_what_json_cant_hold_is_refused_where_it_stands(annotation: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_python(annotation, "return type of f")
    assert message in str(caught.value)


def test_the_cause_of_a_name_that_cant_be_found_is_kept() -> None:
    class Lost(TypedDict):
        x: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  # that is the point

    with pytest.raises(ConfigError, match="output type: field Lost: its annotations can't be resolved") as caught:
        from_python(Lost)
    assert isinstance(caught.value.__cause__, NameError)


def test_a_type_whose_package_is_missing_says_which() -> None:
    pytest.importorskip("pydantic")
    if "email_validator" in sys.modules:
        pytest.skip("email-validator is installed")
    with pytest.raises(ConfigError, match=r"pydantic can't read EmailStr from JSON .*email-validator"):
        from_python(EmailStr)


def test_pydantic_is_not_imported_for_types_that_are_not_its_own() -> None:
    code = """
import dataclasses, enum, sys, typing, msgspec
from callm.schema import describe, from_python, json_schema
class E(enum.Enum):
    A = "a"
class D(typing.TypedDict):
    e: E
@dataclasses.dataclass
class C:
    d: list[D] | None
class S(msgspec.Struct):
    c: C
schema = from_python(dict[str, S | typing.Literal["x"]])
describe(schema), json_schema(schema, "json")
print([name for name in ("pydantic", "pydantic_core", "asyncio") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
