"""What stands for a class while it comes."""

from typing import Any

from pydantic import BaseModel

from callm.parse.partial_value import partial_type
from callm.schema import from_python


class Model(BaseModel):
    a: int
    b: str = "x"


def test_a_partial_type_has_the_same_fields_and_each_may_be_none():
    schema = from_python(Model)
    declared: Any = schema.resolve(schema.root)
    kind = partial_type(declared)
    value = kind()
    assert (value.a, value.b) == (None, None)
    assert kind(a=1) == kind(a=1)
    assert "Partial" in repr(value)
    assert partial_type(declared) is kind
