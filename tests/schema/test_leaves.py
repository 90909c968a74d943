import enum
from collections import OrderedDict, defaultdict, deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any, ClassVar, ForwardRef, TypeVar

import pytest
from pydantic import HttpUrl, SecretStr
from pydantic_core import core_schema

from callm.schema import EnumType, EnumValue, FloatType, IntType, LiteralType, NullType, StringType
from callm.schema.fields import UnsupportedType
from callm.schema.leaves import enum_type, foreign_type, instead_of, literal_type


class Colour(enum.Enum):
    """The colour.

    Of a car.
    """

    RED = "red"
    blue = "blue"


class Rating(enum.IntEnum):
    BAD = 1
    GOOD = 2


class Kind(enum.StrEnum):
    A = "a"


def test_an_enum_has_its_members_values_on_the_wire() -> None:
    assert enum_type(Colour, "C") == EnumType(
        "C", (EnumValue("RED", "red"), EnumValue("blue")), description="The colour.\n\nOf a car.", python=Colour
    )
    assert enum_type(Rating, "R") == EnumType("R", (EnumValue("BAD", 1), EnumValue("GOOD", 2)), python=Rating)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (enum.Flag("F", "A B"), "F is a Flag: use a list of a plain Enum"),
        (enum.Enum("Empty", []), "Empty has no members"),
        (enum.Enum("E", {"A": (1, 2)}), r"the value of E.A is of type tuple: give it a text or a number"),
        (enum.Enum("E", {"A": True}), "the value of E.A is of type bool"),
    ],
)
def test_an_enum_whose_values_json_cant_tell_is_refused(cls: type[enum.Enum], message: str) -> None:
    with pytest.raises(UnsupportedType, match=message):
        enum_type(cls, "E")


def test_literals_are_values_of_json() -> None:
    assert [literal_type(value) for value in ("a", 1, True)] == [LiteralType("a"), LiteralType(1), LiteralType(True)]
    assert literal_type(None) == NullType()
    found = literal_type(Kind.A)
    assert found == LiteralType("a", python=Kind.A)
    assert isinstance(found, LiteralType)
    assert type(found.value) is str


@pytest.mark.parametrize(
    ("value", "message"), [(Rating.BAD, "make the enum a StrEnum"), (b"a", "can't come from JSON: use text")]
)
def test_a_literal_that_json_cant_tell_is_refused(value: object, message: str) -> None:
    with pytest.raises(UnsupportedType, match=message):
        literal_type(value)


class Celsius(float):
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.float_schema(ge=-273))


class Steps(int):
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.int_schema(ge=0))


class Opaque:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(cls)


class Pair:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> core_schema.CoreSchema:
        return core_schema.list_schema()


def test_a_type_of_pydantics_own_is_read_by_its_schema() -> None:
    assert foreign_type(HttpUrl) == StringType(format="uri", python=HttpUrl, limits={"minLength": 1, "maxLength": 2083})
    assert foreign_type(SecretStr) == StringType(format="password", python=SecretStr)
    assert foreign_type(Steps) == IntType(python=Steps, limits={"minimum": 0})
    assert foreign_type(Celsius) == FloatType(python=Celsius, limits={"minimum": -273})


@pytest.mark.parametrize(
    ("annotation", "message"),
    [(Opaque, "pydantic can't read Opaque from JSON"), (Pair, "Pair can't come from JSON: make it a pydantic model")],
)
def test_a_type_of_pydantics_own_that_is_no_scalar_is_refused(annotation: Any, message: str) -> None:
    with pytest.raises(UnsupportedType, match=message):
        foreign_type(annotation)


T = TypeVar("T")


class Plain:
    pass


@pytest.mark.parametrize(
    ("annotation", "advice"),
    [
        (bytes, "bytes can't come from JSON: use str, with base64 text for data"),
        (complex, "complex can't come from JSON: use two floats"),
        (Callable[[int], str], "use an enum or a Literal of names"),
        (Callable, "use an enum or a Literal of names"),
        (type[int], "use an enum or a Literal of names"),
        (deque[int], "use list"),
        (Iterable[int], "use list"),
        (Collection[int], "use list"),
        (OrderedDict[str, int], "use dict"),
        (defaultdict, "use dict"),
        (AsyncIterator[int], "declare the value itself, for example list"),
        (AsyncGenerator[int, None], "declare the value itself, for example list"),
        (Iterator[int], "declare the value itself, for example list"),
        (Generator[int, None, None], "declare the value itself, for example list"),
        (Awaitable[int], "declare the value itself"),
        (Coroutine[Any, Any, int], "declare the value itself"),
        ("Point", "Point is only a name here: write the type itself"),
        (ForwardRef("Point"), "is only a name here: write the type itself"),
        (T, "~T is left open: write which type it is, as in Box"),
        (Plain, "Plain can't come from JSON: make it a pydantic model, a dataclass or a TypedDict"),
        (5, "5 can't come from JSON: use a type of values"),
        (ClassVar[int], "ClassVar[int] can't come from JSON: use a type of values"),
    ],
)
def test_the_advice_says_what_to_write_instead(annotation: Any, advice: str) -> None:
    assert advice in instead_of(annotation)
