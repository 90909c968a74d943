"""Damaged JSON in which nothing is in doubt is rewritten as JSON that says what the reader reads."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

import callm
from callm.parse import mend as module
from callm.parse.mend import Mended, mend
from callm.parse.reader import read
from callm.parse.tree import Open


def mended(text: str, *, words: bool = False) -> Mended:
    found = mend(text, words=words)
    assert isinstance(found, Mended), text
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': 'it', 'b': [1, 'say \"x\"']}", {"a": "it", "b": [1, 'say "x"']}),
        ('{a: 1, b-c: "x"}', {"a": 1, "b-c": "x"}),
        ('{"a": [1, 2,], "b": {"c": null,},}', {"a": [1, 2], "b": {"c": None}}),
        ('{"a": 1, // one, two\n "b": "http://x", /* , */ "c": 2 }', {"a": 1, "b": "http://x", "c": 2}),
        ('["x" // last\n]', ["x"]),
        ("[1,, 2]", [1, 2]),
        ('{"a": 1 // one, two\n, "b": true/* yes */}', {"a": 1, "b": True}),
        ('{title: "x", true_one: -1.5e3}', {"title": "x", "true_one": -1500.0}),
    ],
)
def test_clear_damage_is_mended(text: str, value: Any) -> None:
    found = mended(text)
    assert found.value == value == json.loads(found.text)
    assert found.end == len(text)
    assert read(text) == [value]


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ('{"a": [{"b": "x"}, {"b": "y"', Open({"a": Open([{"b": "x"}, Open({"b": "y"})])})),
        ('[1, {"a": 2,', Open([1, Open({"a": 2})])),
        ("[[", Open([Open([])])),
    ],
)
def test_what_is_not_closed_is_open(text: str, node: Any) -> None:
    assert mended(text).node == node
    assert read(text) == [node]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": x}',
        '{"a": "he said "hi""}',
        "{'a': 'it's'}",
        '{"a": 1',  # more digits may come
        '{"a": 1, "a": 2}',
        '{"a": 12345678901234567890}',
        '{"a": 1]',
        '["\\x"]',
        "[True]",
        "[,1]",
        '["a" "b"]',
        "[" * 300 + "]" * 300 + "x",
    ],
)
def test_what_is_in_doubt_is_left_to_the_reader(text: str) -> None:
    found = mend(text)
    assert isinstance(found, int) or found.end < len(text)


def test_constants_of_python_are_those_of_json_where_asked_for() -> None:
    text = "{'a': None, 'b': [True, False], c: undefined, 'None': 'True'}"
    assert isinstance(mend(text), int)
    found = mended(text, words=True)
    assert found.value == {"a": None, "b": [True, False], "c": None, "None": "True"}
    assert found.words


def test_prose_behind_the_answer_is_none_of_it() -> None:
    text = "{a: 1} \nand so on"
    assert mended(text).end < len("{a: 1} \na")
    assert callm.parse(dict[str, int], f"So {text}") == {"a": 1}


_PIECES = (
    *('"k": ', "k: ", "'k': ", '"x"', "'x'", "1", "-2.5", "true", "null", "x", "e1: ", "007", "1e5", '"', "'", "\\"),
    *(",", ", ", ",\n", "{", "}", "[", "]", " ", "// c\n", "/* c, */", '"a\\"b"', '"j": 1, ', "'l': 'm', ", "//", "é"),
)


def test_what_is_mended_is_what_the_reader_reads() -> None:
    random = Random(3)
    agreed = 0
    for _ in range(60_000):
        text = random.choice("{[") + "".join(random.choice(_PIECES) for _ in range(random.randint(2, 12)))
        found = mend(text)
        if isinstance(found, Mended) and found.end == len(text):
            agreed += 1
            assert repr(read(text)) == repr([found.node]), text
    assert agreed > 1000


def test_a_typed_answer_is_decoded_from_the_mended_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> Any:
        raise AssertionError(text)

    monkeypatch.setattr("callm.parse.output.locate", fail)
    for text in ("So: {'a': 1,} it is", "```json\n{a: 1}\n```", '{"a": 1, // one\n', "```\n{a: 1}\n```"):
        assert callm.parse(dict[str, int], text) == {"a": 1}
    assert module.MAX_DEPTH == 200
