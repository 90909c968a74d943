"""What is valid is never touched: any value's JSON, whatever is written around it, gives that value and no repair."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, TypeAdapter

from callm.parse.output import Output
from callm.parse.policies import FAITHFUL, LENIENT, STRICT, Policy
from tests.parse.documents import EITHER, MAPS, OBJECTS, WRAPPED, Record, Row, value

TYPES = [*OBJECTS, *WRAPPED, *MAPS, *EITHER]

LAYOUTS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {},
    {"indent": 2},
    {"indent": 1, "separators": (" , ", " : ")},
)
COMPACT, SPACED, INDENTED, LOOSE = LAYOUTS

WRAPPINGS: dict[str, tuple[dict[str, Any], str]] = {
    "bare": (COMPACT, "%s"),
    "spaced": (SPACED, "\n\n  %s \t\n"),
    "indented": (INDENTED, "%s\n"),
    "loose": (LOOSE, "%s"),
    "fence": (SPACED, "```\n%s\n```"),
    "label": (INDENTED, "```json\n%s\n```"),
    "prose before": (SPACED, "Here is the answer:\n%s"),
    "prose around": (INDENTED, "Sure, this is what you asked for.\n\n%s\n\nLet me know if it helps!"),
    "fence in prose": (INDENTED, "Sure, here it is:\n\n```json\n%s\n```\nHope that helps!"),
    "thinking before": (SPACED, "<think>The user wants JSON. Easy.</think>\n%s"),
    "thinking and a fence": (COMPACT, "<think>\nFirst this, then that.\n</think>\n\n```json\n%s\n```"),
    "carriage returns": (INDENTED, "Answer:\n```json\n%s\n```\n"),
    "fence not closed": (INDENTED, "```json\n%s"),
}


@cache
def _output(number: int) -> Output[Any]:
    return Output(TYPES[number])


@cache
def _strict(number: int) -> Callable[[str], Any]:
    """Return the decoder of another library for the same type."""
    annotation = TYPES[number]
    if annotation in (Record, Row):
        return msgspec.json.Decoder(annotation, dec_hook=lambda of, data: TypeAdapter(of).validate_python(data)).decode
    return TypeAdapter(annotation).validate_json


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, their scalars of one type too: 1, 1.0 and true are not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(part, other[key]) for key, part in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, BaseModel):
        return _same(dict(one), dict(other))
    if isinstance(one, msgspec.Struct):
        return _same(msgspec.structs.asdict(one), msgspec.structs.asdict(other))
    if dataclasses.is_dataclass(one):
        return all(_same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))
    return bool(one == other)


def _text(data: Any, random: Random, layout: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=random.random() < 0.5, **layout)


@pytest.mark.parametrize("number", range(len(TYPES)), ids=lambda number: str(TYPES[number]))
def test_ten_thousand_valid_documents_are_read_as_another_library_reads_them(number: int) -> None:
    output, random = _output(number), Random(number)
    for _ in range(10_000 // len(TYPES) + 1):
        data = value(output.schema, output.schema.root, random)
        text = _text(data, random, random.choice(LAYOUTS))
        reading = output.read(text)
        assert not reading.repairs, (text, reading.repairs)
        assert _same(reading.value, _strict(number)(text)), text
        assert _same(output.parse(text), reading.value), text


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_whatever_is_around_it_a_value_is_read_without_repair(wrapping: str) -> None:
    layout, around = WRAPPINGS[wrapping]
    for number in range(len(TYPES) - len(EITHER)):  # where any text is a value, prose may be meant
        output, random = _output(number), Random(number)
        for _ in range(40):
            data = value(output.schema, output.schema.root, random)
            if not isinstance(data, dict | list):
                continue  # a word or a number in prose may be anything
            text = _text(data, random, layout)
            wrapped = around.replace("%s", text)
            if wrapping == "carriage returns":
                wrapped = wrapped.replace("\n", "\r\n")
            reading = output.read(wrapped)
            assert not reading.repairs, (TYPES[number], wrapped, reading.repairs)
            assert _same(reading.value, output.read(text).value), (TYPES[number], wrapped)


@pytest.mark.parametrize("policy", [STRICT, FAITHFUL, LENIENT], ids=lambda policy: policy.name)
@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (dict[str, str], r'{"a": "\ud83d\ude00", "\u00e9": "\u0000\/"}', {"a": "\U0001f600", "é": "\0/"}),
        (list[str], r'["\"", "\\", "{", "]", "```", "<think>", "// no comment", "it\u0027s"]', None),
        (list[float], "[0, -0.0, 1e3, 1E-2, 1234567890123]", None),
        (dict[str, Any], '{"": null, " ": {"a:b": [[], {}, [[]]]}, "{}": "a, \\"b\\": c"}', None),
        (list[int], "[-9223372036854775808, 9223372036854775807]", None),
    ],
)
@pytest.mark.parametrize("around", ["%s", "```json\n%s\n```", "So:\n%s\nThat is all."])
def test_valid_json_with_trouble_in_it_is_no_repair(
    annotation: Any, text: str, value: Any, policy: Policy, around: str
) -> None:
    reading = Output(annotation, policy=policy).read(around.replace("%s", text))
    assert reading.repairs == ()
    assert reading.value == (json.loads(text) if value is None else value)


def test_what_stands_in_the_strings_of_valid_json_is_no_bracket() -> None:
    text = 'The list is ["a ] b", "[", {"c": "}"}] as you see.'
    assert Output(list[str | dict[str, str]]).read(text).value == ["a ] b", "[", {"c": "}"}]
