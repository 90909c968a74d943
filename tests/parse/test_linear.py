"""Whatever the text, reading it costs a multiple of its length, and nothing but `OutputError` comes of it.

Work is counted in calls, of Python and of C, so that no clock is asked.
"""

from __future__ import annotations

import cProfile
import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from typing_extensions import TypeAliasType

from callm.errors import OutputError
from callm.parse.coerce import MAX_STEPS
from callm.parse.locate import MAX_TEXT
from callm.parse.output import Output
from callm.parse.policies import FAITHFUL, LENIENT, STRICT, Policy
from callm.parse.reader import Reader


class One(BaseModel):
    a: str


class Two(BaseModel):
    a: int
    b: list[str] = []


class Toy(BaseModel):
    kind: Literal["toy"]
    a: str


class Nest(BaseModel):
    a: list[Nest] | Nest | None = None


Json = TypeAliasType("Json", "bool | float | str | list[Json] | dict[str, Json] | None")

TYPES: tuple[Any, ...] = (Two, Two | Toy, Json, list[Two], int, dict[str, int], Any, Nest, list[One], int | str, str)

OPENINGS = ("", '{"a": ', '{"a": "', "[", '["', "```json\n", '```json\n{"a": [', "So: ", "<think>", "{a: x", "{'a': '")

UNITS = (
    *(
        "[",
        "{",
        "]",
        "}",
        "{}",
        "[]",
        "[]]",
        "{{}",
        "[[]",
        '{"a":',
        "[{",
        '{"a":[',
        '{"a":1}\n',
        '{"a":{"a":1},',
        "{x} ",
    ),
    *('"', "'", "`", '"""', "\\", '\\"', '"\\"', "\"'", '" ', '" "', '"\n', '"a" ', '"a",', '"a":', '{"a":"'),
    *("```", "```\n", "```json\n", "```json\n{", "```json\nx\n```\n", '```json\n{"a":1}\n```\n', "x```json\n", "\n```"),
    *("<think>", "</think>", "//", "//\n", "/*", "/*/", ",", ":", "a:", "x, ", "x,y ", "1,", "1 ", "{a:1,", "{x: y, "),
    *(" ", "\n", "\t", "\u00a0", "7", "-", ".", "1.", "e", "1/", "(", "\\u", "\\ud83d", "é", "null,", "true"),
)


@cache
def _output(number: int, policy: Policy = LENIENT) -> Output[Any]:
    return Output(TYPES[number], policy=policy)


def _read(output: Output[Any], text: str) -> None:
    with suppress(OutputError):
        output.read(text)


def _parse(output: Output[Any], text: str) -> None:
    with suppress(OutputError):
        output.parse(text)


def _stream(output: Output[Any], text: str, size: int = 4) -> None:
    partial = output.partial()
    for at in range(0, len(text), size):
        partial.feed(text[at : at + size])
    partial.close()


def _characters(output: Output[Any], text: str) -> None:
    _stream(output, text, 1)


def _calls(what: Callable[[Output[Any], str], None], output: Output[Any], text: str) -> int:
    profile = cProfile.Profile()
    profile.runcall(what, output, text)
    return sum(entry.callcount for entry in profile.getstats())


CASES = [(opening, unit) for opening in OPENINGS for unit in UNITS]


@pytest.mark.parametrize("what", [_read, _parse, _stream, _characters], ids=lambda what: what.__name__[1:])
def test_twice_the_text_is_at_most_a_little_more_than_twice_the_work(what: Callable[[Output[Any], str], None]) -> None:
    random = Random(what.__name__)
    for opening, unit in random.sample(CASES, 45):
        output = _output(random.randrange(len(TYPES)))
        _calls(what, output, opening + unit)  # what is worked out once
        short, long = (
            _calls(what, output, opening + unit * (size // len(unit))) for size in (2600, 5200)
        )  # deeper than is read
        assert long <= 2.3 * short + 500, (opening, unit, output)


@pytest.mark.parametrize("unit", [" ", "\u00a0", " \n", "\t"])
@pytest.mark.parametrize("opening", ['{"a": "x"', '{"a": "x" ', "{a: x y, ", '["x"', "{", "[1 "])
def test_space_behind_which_the_answer_is_decided_is_not_copied_at_every_delta(opening: str, unit: str) -> None:
    reader = Reader()
    reader.feed(opening)
    for _ in range(1000):
        reader.feed(unit)
    assert len(reader._buffer) < 100  # copied at every delta
    reader.feed("}")
    assert reader.close() == _whole(opening + unit * 1000 + "}")


def _whole(text: str) -> list[Any]:
    reader = Reader()
    reader.feed(text)
    return reader.close()


_TOKENS = (
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "`",
    ":",
    ",",
    " ",
    "\n",
    "\\",
    "key: ",
    '"k" : ',
    '"b": "x"',
    '"c": 1,',
    "007",
    "-1.5",
)
_WORDS = (
    "a",
    "null",
    "true",
    '"a"',
    '"t", ',
    '"x\\"y"',
    '"""',
    "//",
    "/*",
    "*/",
    "\\n",
    "\\u0041",
    '{"a": [1, 2',
    "2,\n",
    "é",
    "1.",
)


def test_what_is_read_at_once_is_what_is_read_by_the_character() -> None:
    random = Random(1)
    for _ in range(1000):
        text = random.choice("{[") + "".join(random.choice(_TOKENS + _WORDS) for _ in range(random.randint(30, 90)))
        reader = Reader()
        for character in text:
            reader.feed(character)
        assert repr(reader.close()) == repr(_whole(text)), text


@pytest.mark.parametrize("depth", [150, 1000, 20_000])
@pytest.mark.parametrize("unit", ["[", "{", '{"a":', "[{", '{"a":[', "{a:", "```json\n{", "So: [", '[{"a":"x"},'])
def test_no_depth_overflows_the_stack(unit: str, depth: int) -> None:
    for number in (0, 1, 2, 6, 7):
        _read(_output(number), unit * depth)
        _parse(_output(number), unit * depth)
        _stream(_output(number), unit * depth, 4096)


@pytest.mark.parametrize("depth", [150, 400, 3000])
def test_valid_json_of_any_depth_is_read_or_refused(depth: int) -> None:
    for text in ("[" * depth + "]" * depth, '{"a":' * depth + "null" + "}" * depth):
        for number in range(len(TYPES)):
            _read(_output(number), text)
            _parse(_output(number), text)
            _stream(_output(number), f"So: {text}", 64)


def test_too_deep_an_answer_says_so() -> None:
    with pytest.raises(OutputError, match="nested more than 200 deep"):
        Output(list[Any]).read("So: " + "[" * 300)


def test_too_long_an_answer_says_so() -> None:
    with pytest.raises(OutputError, match=f"at most {MAX_TEXT} are read"):
        Output(Two).parse("{" + " " * MAX_TEXT)


@pytest.mark.parametrize("unit", ["[", '{"a":', '"a",', "{} ", '{"a":1}\n', "}", "```json\nx\n```\n", "1,", "\\", " "])
def test_memory_is_a_multiple_of_the_text(unit: str) -> None:
    for number in (0, 1, 3):
        text = unit * (10_000 // len(unit))
        output = _output(number)
        _read(output, unit)
        tracemalloc.start()
        try:
            _read(output, text)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 400 * len(text), (unit, TYPES[number], peak / len(text))


# -- any text at all

NASTY = st.lists(st.sampled_from((*UNITS, *OPENINGS, "NaN", "1e400", "9" * 400, "\ud83d", "\\x", "a", "0"))).map(
    "".join
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab") | st.text(max_size=3), inner),
    max_leaves=20,
)
DAMAGE = (
    "",
    "NaN",
    "1e400",
    "-",
    "9" * 5000,
    "\ud800",
    "\\u12",
    "\\x",
    '"',
    "'",
    ",",
    "[" * 10_000,
    "}",
    "```",
    "/*",
    "\x00",
)


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    text = json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        how = draw(st.sampled_from(("drop", "double", "turn", "put")))
        middle = {"drop": "", "double": text[start:end] * 2, "turn": text[start:end][::-1]}.get(how)
        text = (
            text[:start] + (draw(st.sampled_from(DAMAGE)) + text[start:end] if middle is None else middle) + text[end:]
        )
    return text


@settings(max_examples=120, deadline=None)
@given(
    NASTY | _damaged(), st.integers(0, len(TYPES) - 1), st.sampled_from((STRICT, FAITHFUL, LENIENT)), st.integers(1, 40)
)
def test_any_text_is_read_or_refused_at_a_bounded_cost(text: str, number: int, policy: Policy, size: int) -> None:
    output = _output(number, policy)
    for what in (_read, _parse, lambda output, text: _stream(output, text, size)):
        assert _calls(what, output, text) <= 1000 * len(text) + 50_000


def test_an_answer_with_too_many_readings_says_so() -> None:
    with pytest.raises(OutputError, match=rf"not found in {MAX_STEPS} steps"):
        _output(7).read("[]]" * 20_000)


def test_too_long_a_stream_says_so() -> None:
    partial = _output(0).partial()
    partial.feed("{" + " " * (MAX_TEXT - 1))
    with pytest.raises(OutputError, match=f"at most {MAX_TEXT} are read"):
        partial.feed(" ")


def test_too_deep_a_piece_of_prose_is_passed_over() -> None:
    assert _output(0).read("[" * 300 + "x" + "]" * 300 + ' So: {"a": 1} ').value == Two(a=1)


def test_a_type_that_needs_more_of_the_stack_than_there_is_names_the_depth() -> None:
    with pytest.raises(OutputError, match=r"nested 19\d deep"):
        _output(7).read('So: {"a":' + "[" * 190 + "x" + "]" * 190 + "}")
