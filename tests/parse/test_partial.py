"""The typed value so far: what must hold of every stream, and the ways in which models begin and end."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import callm
from callm.parse.output import Output
from callm.parse.partial import Partial
from tests.parse.documents import (
    DRESSES,
    EITHER,
    MAPS,
    OBJECTS,
    SCALARS,
    WRAPPED,
    Address,
    Mood,
    dump,
    pieces,
    plain,
    value,
)

BLOCKS = 50
DOCUMENTS = 102
"""In each block, so that there are more than 5,000."""

TYPES = {id(kind): kind for kind in (*OBJECTS, *WRAPPED, *MAPS, *SCALARS, *EITHER)}
OUTPUTS: dict[int, Output[Any]] = {key: Output(kind) for key, kind in TYPES.items()}


def stream(output: Output[Any], deltas: list[str]) -> list[Any]:
    partial: Partial[Any] = output.partial()
    shown = [found for delta in deltas if (found := partial.feed(delta)) is not None]
    last = partial.close()
    return shown if last is None else [*shown, last]


def shown(kind: Any, *deltas: str) -> list[Any]:
    return [plain(found) for found in stream(Output(kind), list(deltas))]


def by_characters(kind: Any, text: str) -> list[Any]:
    return shown(kind, *text)


def gone(before: Any, after: Any, path: str = "") -> str:
    """Return what of `before` is no more in `after`, or empty."""
    if before is None:
        return ""
    if isinstance(before, str) and isinstance(after, str):
        return "" if after.startswith(before) else f"{path}: {before!r} became {after!r}"
    if isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        pairs = [(f"[{number}]", before[number], after[number]) for number in range(len(before))]
    elif isinstance(before, dict) and isinstance(after, dict):
        pairs = [(f".{name}", part, after.get(name)) for name, part in before.items() if part not in ([], {})]
    else:
        return "" if type(before) is type(after) and before == after else f"{path}: {before!r} became {after!r}"
    return next((lost for step, old, new in pairs if (lost := gone(old, new, path + step))), "")


def document(seed: int) -> tuple[Output[Any], str, list[str]]:
    """Return a type, the JSON of a value of it, and what a model may make of it, in pieces."""
    random = Random(seed)
    kind = random.choice(list(TYPES.values()))
    output = OUTPUTS[id(kind)]
    data = value(output.schema, output.schema.root, random)
    is_short = any(kind is other for other in (*SCALARS, *EITHER))
    if output.wrapped and (any(kind is other for other in EITHER) or random.random() < 0.7):
        data = {"value": data}
    text = dump(data, random)
    dress = "{}" if is_short else random.choice(DRESSES)
    return output, text, pieces(dress.format(text), random)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_stream_of_5000_grows_only_and_ends_in_the_strict_value(block: int) -> None:
    for seed in range(block * DOCUMENTS, (block + 1) * DOCUMENTS):
        output, text, deltas = document(seed)
        last: Any = None
        snapshots: list[tuple[Any, Any]] = []
        for number, found in enumerate(stream(output, deltas)):
            seen = plain(found)
            assert number == 0 or (seen, repr(seen)) != (last, repr(last)), (seed, "the same again", seen)
            assert not gone(last, seen), (seed, gone(last, seen), "".join(deltas))
            last = seen
            snapshots.append((found, seen))
        assert all(plain(found) == seen for found, seen in snapshots), (seed, "an older value has changed")
        strict = plain(output.parse(text))
        assert last == strict or _sorted(last) == _sorted(strict), (seed, "".join(deltas))


def _sorted(of: Any) -> Any:
    """Return a record with the numbers of its set in order."""
    return {**of, "numbers": sorted(of["numbers"])} if isinstance(of, dict) and "numbers" in of else of


# -- where the value begins


class Answer(BaseModel):
    text: str
    score: int


HELLO = '{"text": "hello", "score": 3}'
LAST = {"text": "hello", "score": 3}

TEXTS = {
    "alone": HELLO,
    "in a fence": f"```json\n{HELLO}\n```",
    "in a fence that is never closed": f"```json\n{HELLO}",
    "in a fence without a label": f"```\n{HELLO}\n```",
    "in an indented fence": f"Sure:\n  ```json\n  {HELLO}\n  ```\n",
    "in a fence with Windows line ends": f"Sure:\r\n```json\r\n{HELLO}\r\n```\r\nBye {{x}}",
    "behind a citation": f"As said in [1]: {HELLO}",
    "behind braces": f"I fill {{text}} and {{score}}: {HELLO}",
    "in a fence behind braces": f"The keys of {{text, score}} are:\n```json\n{HELLO}\n```",
    "in a fence behind a brace that is never closed": f"The set {{1, 2 is\n```json\n{HELLO}\n```",
    "in a fence behind a draft": f'A draft: {{"text": "dr"}}\n```json\n{HELLO}\n```',
    "behind code in a fence": f"```python\nd = {{1: 2}}\n```\nThat gives:\n```json\n{HELLO}\n```",
    "in a fence with another in it": '```json\n{"text": "hello", /*\n```yaml\n*/ "score": 3}\n```',
    "before another block": f'```json\n{HELLO}\n```\nor\n```json\n{{"text": "bye", "score": 4}}\n```',
    "before another object": f'{HELLO}\nor {{"text": "bye", "score": 4}}',
    "behind an object that is something else": f'{{"plan": "answer"}}\n{HELLO}',
    "behind a thought": f'<think>{{"text": "draft"}} perhaps</think>{HELLO}',
    "behind a thought and prose": f"<think>[1] {{}}</think>\n\nHere:\n```json\n{HELLO}\n```",
    "before text": f"{HELLO}\nI hope that {{this}} helps [2].",
    "with a comma too many": '{"text": "hello", "score": 3,}',
    "in single quotes": "{'text': 'hello', 'score': 3}",
    "without quotes": "{text: hello, score: 3}",
    "with comments": '{"text": "hello", // yes\n "score": 3, /* of 5 */}',
    "with keys in another case": '{"Text": "hello", "SCORE": 3}',
    "with keys twice": '{"text": "hello", "text": "bye", "score": 3, "score": 4}',
    "with keys that nobody asked for": '{"why": {"a": [1, {"b": "}"}]}, "text": "hello", "score": 3}',
    "in a list": f"[{HELLO}]",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_answer_is_found_however_the_text_is_cut(text: str) -> None:
    assert by_characters(Answer, text)[-1] == LAST
    for cut in range(1, len(text)):
        assert shown(Answer, text[:cut], text[cut:])[-1] == LAST, (text[:cut], text[cut:])


def test_a_value_is_there_as_soon_as_it_has_begun() -> None:
    assert shown(Answer, "{", '"text": "he', 'llo", "score": 1', "2}") == [
        {"text": None, "score": None},
        {"text": "he", "score": None},
        {"text": "hello", "score": None},
        {"text": "hello", "score": 12},
    ]


def test_braces_in_prose_are_not_shown_before_they_say_something() -> None:
    assert shown(Answer, "I fill {text} as ", "asked: {", '"text": "hi"') == [{"text": "hi", "score": None}]


def test_a_fence_cut_in_its_label_is_none_yet() -> None:
    assert shown(Answer, "Sure:\n``", "`js", "on\n", "{", '"text": "a') == [
        {"text": None, "score": None},
        {"text": "a", "score": None},
    ]


def test_what_stands_behind_the_end_of_a_fence_is_no_part_of_an_unfinished_value() -> None:
    text = '```json\n{"score": 3, "text": "hello\n```\nThat is the "answer", I think'
    assert by_characters(Answer, text)[-1] == LAST


def test_nothing_is_shown_of_a_thought() -> None:
    assert by_characters(Answer, '<think>{"text": "a", "score": 1}</thi') == []


def test_an_empty_piece_changes_nothing() -> None:
    partial = Output(Answer).partial()
    assert partial.feed("") is None
    assert partial.feed("{") is not None
    assert partial.feed("") is None


def test_a_half_character_is_not_shown() -> None:
    text = json.dumps({"text": "a😀b", "score": 1})
    assert [found["text"] for found in by_characters(Answer, text)[:6]] == [None, "", "a", "a😀", "a😀b", "a😀b"]


def test_a_thousand_that_may_go_on_is_a_number_all_the_same() -> None:
    assert shown(Answer, '{"score": 1,', ' "text": "x"}')[0] == {"text": None, "score": 1}


# -- what is neither object nor array


def test_plain_text_is_shown_as_it_grows() -> None:
    assert shown(str, "He", "llo", " {") == ["He", "Hello", "Hello {"]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (int, "42", [42]),
        (float, "0.5", [0.5]),
        (bool, "true", [True]),
        (Mood, '"good"', [Mood.GOOD]),
        (Mood, "Good.", [Mood.GOOD]),
        (Literal["x", "yy"], "yy", ["yy"]),
        (int, '{"value": 42}', [42]),
        (Mood, '{"value": "good"}', [Mood.GOOD]),
        (int, '```json\n{"value": 42}\n```', [42]),
        (Mood, '```json\n"bad"\n```', [Mood.BAD]),
        (int, "no number", []),
    ],
)
def test_words_and_numbers_appear_when_they_are_complete(kind: Any, text: str, expected: list[Any]) -> None:
    assert by_characters(kind, text) == expected


def test_text_or_an_object_is_told_by_how_it_begins() -> None:
    kind = str | Address
    assert shown(kind, "Not", " me") == ["Not", "Not me"]
    assert shown(kind, '{"value": "No', ' idea"}') == ["No", "No idea"]
    assert shown(kind, '{"value": {"street": "Quay', '"}}')[0] == {"street": "Quay", "number": None, "zip": None}
    assert shown(kind, '{"street": "Quay", ')[0] == {"street": "Quay", "number": None, "zip": None}


def test_prose_gives_way_to_a_fence_where_an_object_may_be_meant() -> None:
    found = by_characters(str | Address, 'Sure:\n```json\n{"street": "Quay", "number": 1}\n```')
    assert found[0] == "S"
    assert found[-1] == {"street": "Quay", "number": 1, "zip": None}


@pytest.mark.parametrize("text", ["nul", "tru", "12", "-"])
def test_what_may_be_a_constant_or_a_number_is_no_text_yet(text: str) -> None:
    assert shown(int | str, text)[:-1] == []
    assert Output(Answer).partial().feed(f'{{"text": {text}') == Output(Answer).partial().feed("{")


def test_text_that_can_be_no_number_grows() -> None:
    assert by_characters(int | str, "12a b") == ["12a", "12a ", "12a b"]
    assert shown(int | str, "\n", "ab", "\nc") == ["\nab", "\nab\nc"]
    assert shown(str | Address, "ab\ncdefghijk") == ["ab\ncdefghijk"]
    assert shown(str | Address, "ab\nc\n", "d") == ["ab\nc", "ab\nc\nd"]


def test_the_end_of_the_text_shows_what_waited_for_it() -> None:
    assert by_characters(Answer, '{"score": 3, "text": "hello"')[-1] == LAST
    assert shown(Mood, '{"value": "good"') == [Mood.GOOD]


def test_a_stream_that_ends_before_the_value_begins_has_none() -> None:
    assert by_characters(Answer, "I can't say.") == []
    assert by_characters(Answer, "") == []


def test_a_second_call_for_the_end_says_nothing_new() -> None:
    partial = Output(str).partial()
    assert partial.feed("a") == "a"
    assert partial.close() is None


def test_a_long_piece_is_shown_as_it_stands_at_its_end() -> None:
    long = json.dumps([{"street": "Quay", "number": number} for number in range(500)])
    partial = Output(list[Address]).partial()
    found = partial.feed(long[:-1])
    assert found is not None
    assert [address.number for address in found] == list(range(500))
    assert partial.feed("]") is None


def test_prose_behind_a_fence_does_not_replace_an_unfinished_value_that_may_be_the_one() -> None:
    text = f'```json\n{{"score": 3, "text": "hello"\n```\nNot {HELLO.replace("3", "4")}'
    assert by_characters(Answer, text)[-1] == LAST


@given(st.text(alphabet='{}[]",:ab1 \n`\\<>', max_size=60), st.integers(1, 5))
def test_no_text_breaks_it(text: str, size: int) -> None:
    for kind in (Address, list[Address], dict[str, int], int, Literal["a", "b"], list[int] | Address, str | Address):
        shown(kind, *(text[at : at + size] for at in range(0, len(text), size)))


def test_those_who_bring_their_own_client_get_the_same() -> None:
    found = list(callm.parse_partial(Answer, ['{"text": "he', 'llo", ', '"score": 3}']))
    assert plain(found) == [{"text": "he", "score": None}, {"text": "hello", "score": None}, LAST]
