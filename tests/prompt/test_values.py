import datetime as dt
import decimal
import enum
import ipaddress
import json
import pathlib
import types
import typing
import uuid
from collections import deque
from dataclasses import dataclass

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.prompt.roles import Marks
from callm.prompt.values import NULL, Reader, is_none, show, to_json
from callm.types import Image, Message, Secret, Text


class Mood(enum.Enum):
    GOOD = "good"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Address:
    street: str
    number: int | None = None


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    address: Address
    password: str = pydantic.Field(default="x", exclude=True)


class Names(pydantic.RootModel[list[str]]):
    pass


class Point(msgspec.Struct):
    x: int


class Pair(typing.NamedTuple):
    first: int
    second: str


class Degrees(float):
    __slots__ = ()


class Word(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def read(value: object) -> object:
    reader = Reader()
    reader.marks = Marks([])
    return reader.read(value, "x")


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("text", "text"),
        (Word("word"), "word"),
        (5, 5),
        (2.5, 2.5),
        (Degrees(2.5), 2.5),
        (True, True),
        (None, NULL),
        (2**200, str(2**200)),
        (Mood.GOOD, "good"),
        (Level.HIGH, 3),
        ([1, "a"], [1, "a"]),
        ((1, "a"), [1, "a"]),
        (deque([1]), [1]),
        (range(2), [0, 1]),
        ({"b", "a"}, ["a", "b"]),
        ({"k": [None]}, {"k": [NULL]}),
        ({Mood.GOOD: 1, 2: 3, None: 4}, {"good": 1, 2: 3, "null": 4}),
        (types.MappingProxyType({"k": 1}), {"k": 1}),
        (Address("a", 1), {"street": "a", "number": 1}),
        (Names(["a"]), ["a"]),
        (Point(1), {"x": 1}),
        (Pair(1, "b"), {"first": 1, "second": "b"}),
        (Text("t"), "t"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), "2026-01-02T03:00:00+00:00"),
        (dt.timedelta(hours=1), "1:00:00"),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (ipaddress.ip_address("::1"), "::1"),
        (pydantic.AnyUrl("https://example.com/a"), "https://example.com/a"),
        (pydantic.SecretStr("hunter2"), "**********"),
    ],
    ids=repr,
)
def test_a_value_becomes_plain_data(value, seen):
    assert read(value) == seen


def test_a_model_becomes_its_fields_and_extras_without_excluded_ones():
    person = Person(name="Ann", address=Address("a"), nickname="An")  # type: ignore[call-arg]  # an extra
    assert read(person) == {"name": "Ann", "address": {"street": "a", "number": NULL}, "nickname": "An"}


def test_messages_can_be_walked():
    assert read([Message.user("hi")]) == [{"role": "user", "parts": ["hi"], "name": NULL, "extra": {}}]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (b"bytes", "'x' of type bytes"),
        (object(), "'x' of type object"),
        (Address, "'x' of type type"),
        (Secret("sk-1"), "'x' of type Secret"),
        (print, "'x' of type builtin_function_or_method"),
        ((number for number in range(3)), "'x' of type generator"),
        ({"a": [1, Address("s", b"x")]}, r"'x\.a\[1\]\.number' of type bytes"),  # type: ignore[arg-type]  # on purpose
        ({(1, 2): 1}, r"'x\.\(1, 2\)' is a key of type tuple"),
    ],
)
def test_what_has_no_text_is_refused_by_its_place(value, path):
    with pytest.raises(ConfigError, match=path):
        read(value)


def test_a_value_that_contains_itself_is_refused():
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(ConfigError, match="nested more than 64 deep, or contains itself"):
        read(circle)


def test_containers_are_copied():
    value = {"a": [1]}
    seen = read(value)
    assert isinstance(seen, dict)
    seen["a"].append(2)
    assert value == {"a": [1]}


def test_every_string_is_noted():
    reader = Reader()
    reader.read({"key": ["one", Mood.GOOD, Address("street")]}, "x")
    assert sorted(reader.strings) == ["good", "key", "number", "one", "street", "street"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a & <b>", "a & <b>"),
        (True, "true"),
        (False, "false"),
        (NULL, "null"),
        (["a", 'b"c', True, NULL, 1.0, "é"], '["a", "b\\"c", true, null, 1.0, "é"]'),
        ({"k": 1}, '{"k": 1}'),
        ({"k": 1}.items(), '[["k", 1]]'),
        ({"k": 1}.keys(), '["k"]'),
        ((1, 2), "[1, 2]"),
        ({"k": {"a": 1}.values()}, '{"k": [1]}'),
    ],
    ids=repr,
)
def test_a_value_prints(value, text):
    assert show(value) == text


@pytest.mark.parametrize("value", [5, 2.5, None])
def test_numbers_and_undefined_are_left_to_the_engine(value):
    assert show(value) is NotImplemented


def test_printing_a_method_is_an_error():
    with pytest.raises(ConfigError, match="prints the method 'items': call it with"):
        show({}.items)
    with pytest.raises(ConfigError, match="type object"):
        to_json([object()])


def test_tojson_can_indent():
    assert to_json({"a": NULL}, indent=1) == '{\n "a": null\n}'


def test_media_print_as_marks_and_quoted_marks_inside_json():
    image = Image(url="https://example.com/a.png")
    reader = Reader()
    reader.marks = marks = Marks([])
    slot = reader.read(image, "x")
    text = f"{show(slot)} {show([slot])}"
    assert marks.split(text, "user") == (Message.user(image, "[", image, "]"),)


def test_null_is_false_and_none():
    assert not NULL
    assert is_none(NULL)
    assert is_none(None)
    assert not is_none(0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_json_data_prints_as_itself(value):
    assert json.loads(to_json(read([value]))) == [value]
