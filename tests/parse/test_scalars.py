"""Scalars out of what models write for them."""

import enum
from typing import Literal

import pytest

from callm.errors import OutputError
from callm.parse.output import Output
from callm.parse.policies import LENIENT


class Mood(enum.Enum):
    HAPPY = "cheerful"
    SAD = "sad"


def read(annotation, text):
    reading = Output(annotation, policy=LENIENT).read(text)
    return reading.value, [repair.kind for repair in reading.repairs]


@pytest.mark.parametrize(
    ("annotation", "text", "value", "kinds"),
    [
        (int, "7", 7, []),
        (int, '"7"', 7, ["number_from_text"]),
        (int, "about 9 apples", 9, ["text_to_number"]),
        (int, "2.5", 3, ["rounded"]),
        (float, "7", 7.0, []),
        (float, '"1/4"', 0.25, ["number_from_text"]),
        (float, "$1,234.50", 1234.5, ["text_to_number"]),
        (bool, "true", True, []),
        (bool, "The result is False.", False, ["text_to_bool"]),
        (Mood, "cheerful", Mood.HAPPY, []),
        (Mood, "SAD.", Mood.SAD, ["loose_match"]),
        (Literal["a b", "c"], "A B!", "a b", ["loose_match"]),
        (Literal[5], "5 of them", 5, ["text_to_number"]),
        (Literal[5, 6], '{"x": 6}', 6, ["object_to_scalar"]),
        (Literal[True], "true", True, []),
    ],
)
def test_a_scalar_is_read_and_its_repairs_are_listed(annotation, text, value, kinds):
    found, listed = read(annotation, text)
    assert (found, type(found)) == (value, type(value))
    assert bool(listed) == bool(kinds)  # which kinds: test_baml_cases and the table of costs


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "between 3 and 4"), (int, "none"), (int, "true"), (int, "null"), (int, '{"a": 1, "b": 2}'),
        (float, ""), (bool, "yes"), (bool, "true or false?"), (Mood, "so so"), (Mood, "sad or cheerful"),
        (Literal["x"], "y"), (Literal[5], "6"),
    ],
)  # fmt: skip
def test_what_is_no_such_scalar_is_refused(annotation, text):
    with pytest.raises(OutputError, match="expected"):
        read(annotation, text)
