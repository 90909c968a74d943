"""What has its type already is never altered."""

import json

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from callm.parse.output import Output
from callm.parse.policies import STRICT


class Item(BaseModel):
    name: str
    count: int
    score: float
    tags: list[str]
    on: bool | None
    by: dict[str, int]


ITEMS = st.builds(
    Item,
    name=st.text(max_size=20),
    count=st.integers(-(2**53), 2**53),
    score=st.floats(allow_nan=False, allow_infinity=False),
    tags=st.lists(st.text(max_size=8), max_size=3),
    on=st.none() | st.booleans(),
    by=st.dictionaries(st.text(max_size=4), st.integers(0, 9), max_size=3),
)


@given(st.lists(ITEMS, max_size=3))
def test_valid_json_is_read_with_no_repair_by_the_slow_way_too(items):
    text = json.dumps([item.model_dump() for item in items])
    reading = Output(list[Item], policy=STRICT).read(text)
    assert reading.value == items
    assert reading.repairs == ()
    assert Output(list[Item]).parse(text) == items
