"""What was found, as the declared objects."""

import dataclasses
import enum
import uuid
from datetime import date
from decimal import Decimal
from typing import Annotated, NamedTuple, TypedDict

import msgspec
import pytest
from pydantic import BaseModel, Field, field_validator

from callm.errors import OutputError
from callm.parse.output import Output


class Color(enum.IntEnum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: int = 2


class Named(NamedTuple):
    a: int
    b: str = "z"


class Typed(TypedDict):
    when: date


class Struct(msgspec.Struct):
    id: uuid.UUID


class Model(BaseModel):
    name: str = Field(alias="fullName")
    cost: Decimal
    points: list[Point] = []

    @field_validator("name")
    @classmethod
    def no_digits(cls, name: str) -> str:
        if any(character.isdigit() for character in name):
            raise ValueError("no digits please")
        return name


ID = uuid.uuid4()


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Point, "{x: 1}", Point(1, 2)),
        (Named, "{a: 1}", Named(1)),
        (Typed, "{when: 2026-01-02}", {"when": date(2026, 1, 2)}),
        (Struct, f"{{id: {ID}}}", Struct(ID)),
        (
            Model,
            "{fullName: Ada, cost: 1.50, points: [{x: 1}]}",
            Model(fullName="Ada", cost=Decimal("1.5"), points=[Point(1)]),
        ),
        (set[int], "[1, 1, 2,]", {1, 2}),
        (frozenset[str], "['a',]", frozenset({"a"})),
        (tuple[int, ...], "[1, 2,]", (1, 2)),
        (tuple[int, str], "[1, 'a',]", (1, "a")),
        (dict[str, Color], "{a: 1,}", {"a": Color.RED}),
    ],
)
def test_every_kind_of_class_is_built(annotation, text, value):
    found = Output(annotation).parse(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "problem"),
    [
        (Model, "{fullName: 'R2', cost: 1,}", "no digits please"),
        (Typed, "{when: tomorrow,}", "when"),
        (list[Annotated[int, Field(ge=1)]], "[1, 0,]", "[1]"),
        (Annotated[str, Field(pattern="^a")], "'b'", "pattern"),
    ],
)
def test_what_a_class_refuses_is_an_output_error_with_the_place(annotation, text, problem):
    with pytest.raises(OutputError) as raised:
        Output(annotation).parse(text)
    assert problem in str(raised.value)
