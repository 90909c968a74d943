"""Where in a stream the value begins, and what is shown of it."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from callm.parse.output import Output


class Point(BaseModel):
    x: int
    y: str = ""


def last(annotation: Any, text: str, size: int = 1) -> Any:
    partial = Output(annotation).partial()
    values = [partial.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return next((value for value in reversed(values) if value is not None), None)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "text",
    [
        '{"x": 1, "y": "a"}',
        'Sure!\n```json\n{"x": 1, "y": "a"}\n```\nBye',
        'Sure!\r\n```json\r\n{"x": 1, "y": "a"}\r\n```\r\n',
        '<think>{"x": 9}</think>{"x": 1, "y": "a"}',
        'See [1]: {"x": 1, "y": "a"} and more',
        '```json\n{"x": 1, "y": "a"}',
    ],
)
def test_the_value_is_found_wherever_it_begins(text, size):
    value = last(Point, text, size)
    assert (value.x, value.y) == (1, "a")


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "any text", "any text"),
        (bool, "true", True),
        (int, "12", None),
        (Literal["a", "b"], '"a"', "a"),
        (list[int], "[1, 2", [1]),
        (Point, "no object at all", None),
        (Point, "", None),
    ],
)
def test_scalars_appear_when_they_are_complete_and_text_at_once(annotation, text, value):
    assert last(annotation, text) == value
