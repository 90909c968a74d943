"""Types, random values of them, the JSON a model writes for them, and what it writes around it. Seeds make all of it repeat."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
from collections.abc import Callable
from random import Random
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from callm.schema import Schema
from callm.schema.model import (
    AnyType,
    BoolType,
    ClassType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    MapType,
    StringType,
    TupleType,
    UnionType,
)


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"
    ODD = "odd"


class Address(BaseModel):
    street: str
    number: int
    zip: str | None = None


class Person(BaseModel):
    name: str
    age: int
    mood: Mood
    address: Address
    friends: list[Person] = []
    notes: dict[str, str] = {}


class Tree(BaseModel):
    value: int
    label: str | None
    children: list[Tree]


class Circle(BaseModel):
    kind: Literal["circle"] = "circle"
    radius: float
    label: str


class Square(BaseModel):
    kind: Literal["square"]
    side: float
    label: str
    tags: list[str]


class Drawing(BaseModel):
    title: str
    shapes: list[Circle | Square]
    last: Circle | Square | None = None


class Cat(BaseModel):
    meow: str
    lives: int


class Dog(BaseModel):
    bark: str
    good: bool
    owner: Address


class Zoo(BaseModel):
    pets: list[Cat | Dog]
    best: Dog | Cat
    mixed: list[int | str | bool | None]
    size: Literal["s", "m", "l"]
    count: int | float | str


@dataclasses.dataclass
class Event:
    at: dt.datetime
    day: dt.date
    what: str
    who: list[str]
    ok: bool = True


class Options(TypedDict, total=False):
    color: str
    width: int
    nested: dict[str, list[int]]


class Row(TypedDict):
    id: int
    options: Options
    name: str | None


class Record(msgspec.Struct):
    text: str
    rows: list[Row]
    places: dict[str, Address]
    pair: tuple[int, str]
    numbers: set[int]


class Loose(BaseModel):
    anything: Any
    entries: dict[str, Any]
    last: str


class Renamed(BaseModel):
    first: str = Field(alias="First Name")
    second: int = Field(alias="second-one")
    third: str = "default"
    fourth: list[int] = [1, 2]
    mood: Mood = Mood.ODD


OBJECTS: list[Any] = [Address, Person, Tree, Drawing, Zoo, Event, Row, Record, Loose, Renamed]
WRAPPED: list[Any] = [
    list[Address],
    list[str],
    list[list[str]],
    list[Circle | Square],
    list[Event],
    tuple[int, Address],
    Circle | Square,
    Cat | Dog,
    Address | None,
]
MAPS: list[Any] = [dict[str, Address], dict[str, list[int]]]
SCALARS: list[Any] = [int, Mood, Literal["x", "yy"], bool, dt.date]
EITHER: list[Any] = [str | Address, int | str]

_LETTERS = "abcdefgh "
_TROUBLE = "abc defg,:{}[]\"'\\/\n\té😀ñ`#-1."


def text(random: Random) -> str:
    """Return a text with whatever troubles a reader."""
    length = random.choice((0, 1, 3, 8, 20))
    return "".join(random.choice(_TROUBLE if random.random() < 0.3 else _LETTERS) for _ in range(length))


def value(schema: Schema, kind: Any, random: Random, depth: int = 0) -> Any:
    """Return the plain data of a value of `kind`, as JSON names it."""
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        is_deep = depth > 4 and resolved.is_nullable
        return None if is_deep else value(schema, random.choice(resolved.members), random, depth)
    make = _MAKERS.get(type(resolved))
    return None if make is None else make(schema, resolved, random, depth)


def _text(_: Schema, kind: StringType, random: Random, __: int) -> str:
    day = dt.datetime(2020, 1, 1) + dt.timedelta(seconds=random.randint(0, 10**8))  # noqa: DTZ001  # any will do
    return {"date": str(day.date()), "date-time": day.isoformat()}.get(kind.format or "") or text(random)


def _any(schema: Schema, kind: AnyType, random: Random, depth: int) -> Any:
    chance = random.random()
    if depth > 3 or chance < 0.6:
        return random.choice((None, True, 1, 2.5, text(random)))
    if chance < 0.8:
        return [_any(schema, kind, random, depth + 1) for _ in range(random.randint(0, 3))]
    return {text(random): _any(schema, kind, random, depth + 1) for _ in range(random.randint(0, 3))}


def _list(schema: Schema, kind: ListType, random: Random, depth: int) -> list[Any]:
    count = 0 if depth > 4 else random.choice((0, 1, 1, 2, 4))
    items = [value(schema, kind.item, random, depth + 1) for _ in range(count)]
    return list(dict.fromkeys(items)) if kind.is_unique else items


def _map(schema: Schema, kind: MapType, random: Random, depth: int) -> dict[str, Any]:
    count = 0 if depth > 4 else random.choice((0, 1, 2))
    return {text(random) or "k": value(schema, kind.value, random, depth + 1) for _ in range(count)}


def _class(schema: Schema, kind: ClassType, random: Random, depth: int) -> dict[str, Any]:
    fields = [field for field in kind.fields if field.required or random.random() < 0.6]
    if random.random() < 0.3:
        random.shuffle(fields)
    return {field.wire: value(schema, field.type, random, depth + 1) for field in fields}


_MAKERS: dict[type, Callable[[Schema, Any, Random, int], Any]] = {
    AnyType: _any,
    BoolType: lambda _, __, random, ___: random.random() < 0.5,
    ClassType: _class,
    EnumType: lambda _, kind, random, __: random.choice(kind.values).wire,
    FloatType: lambda _, __, random, ___: random.choice((0.5, 1.0, -2.25, 3, 1e21, 12.75)),
    IntType: lambda _, __, random, ___: random.choice((0, 1, -5, 12345, random.randint(-(10**6), 10**9))),
    ListType: _list,
    LiteralType: lambda _, kind, __, ___: kind.value,
    MapType: _map,
    StringType: _text,
    TupleType: lambda schema, kind, random, depth: [value(schema, item, random, depth + 1) for item in kind.items],
}

_LAYOUTS: list[dict[str, Any]] = [
    {},
    {"indent": 2},
    {"separators": (",", ":")},
    {"indent": 1, "separators": (" , ", " : ")},
]


def dump(data: Any, random: Random) -> str:
    """Return the JSON of `data` in one of several layouts."""
    return json.dumps(data, ensure_ascii=random.random() < 0.4, **random.choice(_LAYOUTS))


DRESSES = (
    "{}",
    "```json\n{}\n```",
    "```\n{}\n```",
    "```JSON\n{}",
    "Sure, here it is:\n\n```json\n{}\n```\nHope that helps!",
    "<think>Let me see: {{x}}, [1].\nOk.</think>\n{}",
    "<think>hm</think>Here:\n```json\n{}\n```",
    "Here you go: {}",
    "{}\nDone. (See {{a: 1}}.)",
    "Answer:\r\n```json\r\n{}\r\n```\r\n",
    "The keys are {{a, b}}:\n```json\n{}\n```\nNot {{c}}.",
)
"""What a model writes around its JSON."""


def pieces(whole: str, random: Random) -> list[str]:
    """Return `whole` cut into characters, into fours, or anywhere."""
    size = random.choice((1, 4, None))
    found: list[str] = []
    at = 0
    while at < len(whole):
        step = size or random.choice((1, 2, 3, 7, 20, 100))
        found.append(whole[at : at + step])
        at += step
    return found


def plain(of: Any) -> Any:
    """Return a value, partial or whole, as plain data by the names of its fields."""
    if isinstance(of, BaseModel):
        return {name: plain(getattr(of, name)) for name in type(of).model_fields}
    if isinstance(of, msgspec.Struct):
        return {name: plain(getattr(of, name)) for name in of.__struct_fields__}
    if dataclasses.is_dataclass(of) and not isinstance(of, type):
        return {field.name: plain(getattr(of, field.name)) for field in dataclasses.fields(of)}
    if isinstance(of, set | frozenset):
        return sorted(map(plain, of))
    if isinstance(of, list | tuple):
        return [plain(item) for item in of]
    if isinstance(of, dict):
        return {key: plain(item) for key, item in of.items()}
    return of
