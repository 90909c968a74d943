"""Typed values while they grow."""

import json
from itertools import pairwise
from time import process_time
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import callm
from callm.parse.output import Output


class Item(BaseModel):
    name: str
    count: int | None = None
    mood: Literal["good", "bad"] | None = None
    tags: list[str] = []


class Order(BaseModel):
    id: int
    items: list[Item]
    note: str | None = None
    by: dict[str, int] = {}


ITEMS = st.builds(
    Item,
    name=st.text(max_size=12),
    count=st.none() | st.integers(0, 10**6),
    mood=st.none() | st.sampled_from(["good", "bad"]),
    tags=st.lists(st.text(max_size=5), max_size=3),
)
ORDERS = st.builds(
    Order,
    id=st.integers(0, 10**6),
    items=st.lists(ITEMS, max_size=3),
    note=st.none() | st.text(max_size=20),
    by=st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=3), st.integers(0, 99), max_size=2),
)


def grows(before, after):
    """Return whether `after` may come after `before`."""
    if before is None:
        return True
    if isinstance(before, str) and isinstance(after, str):
        return after.startswith(before)
    if isinstance(before, list) and isinstance(after, list):
        return len(after) >= len(before) and all(grows(*pair) for pair in zip(before, after, strict=False))
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and grows(value, after[name]) for name, value in before.items())
    return before == after


def feed(output, text, size):
    partial = output.partial()
    values = [partial.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return [msgspec.to_builtins(value) for value in values if value is not None]


@given(ORDERS, st.integers(1, 9), st.sampled_from(["{}", "```json\n{}\n```", "Sure:\n{}\nBye"]))
@settings(max_examples=300)
def test_partials_only_grow_are_never_equal_and_end_as_the_whole(order, size, wrapping):
    text = wrapping.replace("{}", order.model_dump_json())
    values = feed(Output(Order), text, size)
    for before, after in pairwise(values):
        assert grows(before, after)
        assert before != after
    assert values[-1] == order.model_dump()


@given(st.text(alphabet='{}[]",:ab1 \n`\\<>', max_size=60), st.integers(1, 5))
def test_no_text_breaks_it(text, size):
    for annotation in (Order, list[Item], dict[str, int], int, Literal["a", "b"], list[int] | Item):
        feed(Output(annotation), text, size)


def test_partials_are_snapshots():
    partial = Output(Order).partial()
    values = [partial.feed(piece) for piece in ('{"items": [{"name": "a', 'b"}, {"name": "c"', "}], ", '"id": 5}')]
    shown = [json.dumps(msgspec.to_builtins(value)) for value in values if value is not None]
    assert len(set(shown)) == len(shown)
    assert json.loads(shown[0])["items"][0]["name"] == "a"


@pytest.mark.parametrize(
    ("annotation", "chunks", "values"),
    [
        (list[int], ['{"value": [1', ", 2", "]}"], [[], [1], [1, 2]]),
        (str, ["a", "b"], ["a", "ab"]),
        (Literal["yes", "no"], ['"ye', 's"'], ["yes"]),
        (dict[str, str], ['{"a": "x', 'y"}'], [{"a": "x"}, {"a": "xy"}]),
    ],
)
def test_other_roots(annotation, chunks, values):
    assert list(callm.parse_partial(annotation, chunks)) == values


def test_done_fields_appear_when_they_are_complete():
    class Report(BaseModel):
        title: Annotated[str, callm.Stream(done=True)]
        body: str = ""

    values = [value.title for value in callm.parse_partial(Report, ['{"title": "ab', 'c", "body": "x', 'y"}'])]
    assert values[-1] == "abc"
    assert "ab" not in values


def test_not_null_fields_bring_the_object_with_them():
    class Row(BaseModel):
        id: Annotated[int, callm.Stream(not_null=True)]
        text: str = ""

    values = list(callm.parse_partial(list[Row], ['[{"text": "a"', ', "id": 5', ', "x": 1}]']))
    assert all(row.id is not None for value in values for row in value)


def test_thoughts_and_brackets_in_prose_are_passed_over():
    text = '<think>{"id": 1}</think> See [1]:\n```json\n{"id": 7, "items": []}\n```'
    assert feed(Output(Order), text, 3)[-1]["id"] == 7


def test_the_cost_of_a_delta_does_not_follow_the_size():
    def seconds(count):
        text = Order(
            id=1, items=[Item(name=f"item {number}", tags=["a", "b"]) for number in range(count)]
        ).model_dump_json()
        partial = Output(Order).partial()
        begun = process_time()
        for at in range(0, len(text), 4):
            partial.feed(text[at : at + 4])
        return (process_time() - begun) / len(text)

    small = min(seconds(50) for _ in range(3))
    large = min(seconds(800) for _ in range(3))
    assert large < 3 * small
