"""One native pass for what is right as it stands."""

import dataclasses
from typing import Annotated, TypedDict

import pytest
from pydantic import BaseModel, Field

from callm.parse.fast import has_limits, strict_decoder
from callm.schema import from_python


class Model(BaseModel):
    x: int


@dataclasses.dataclass
class Data:
    x: int


class Typed(TypedDict):
    x: int


class Mixed(TypedDict):
    model: Model


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Model, '{"x": 1}', Model(x=1)),
        (list[Data], '[{"x": 1}]', [Data(1)]),
        (Typed, '{"x": 1}', {"x": 1}),
        (int | None, "null", None),
        (Annotated[int, Field(ge=1)], "1", 1),
    ],
)
def test_json_of_the_type_is_decoded(annotation, text, value):
    assert strict_decoder(annotation, from_python(annotation))(text) == value


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Model, '{"x": "1"}'),
        (Data, '{"x": 1.5}'),
        (Annotated[int, Field(ge=1)], "0"),
        (Mixed, '{"model": {"x": 1}}'),
        (Typed, "nonsense"),
    ],
)
def test_what_needs_a_closer_look_is_refused(annotation, text):
    with pytest.raises(ValueError):  # pydantic's and msgspec's are both ValueErrors
        strict_decoder(annotation, from_python(annotation))(text)


def test_limits_are_seen_anywhere():
    assert has_limits(from_python(dict[str, list[Annotated[int, Field(le=5)]]]))
    assert not has_limits(from_python(list[int]))
