"""The answers of the BAML runtime, case by case: final values and partial values of prefixes."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from callm.baml.lower import read_types
from callm.parse.coerce import Coercion
from callm.parse.found import Found, Miss
from callm.parse.locate import locate
from callm.parse.output import Output
from callm.parse.partial_value import StreamState
from callm.parse.policies import LENIENT
from callm.schema import ClassType

CASES = [json.loads(line) for line in Path(__file__).with_name("parse_cases.jsonl").read_text("utf-8").splitlines()]
FINAL = [case for case in CASES if not case["stream"]]
STREAMED = [case for case in CASES if case["stream"]]

DELIBERATE = {  # see docs/parsing.md
    '{x:1,tag:"u\\u00e9"}': "escapes are decoded, where the reference loses a digit",
    '{k: "a\\/b"}': "`\\/` is `/`, as JSON says",
    "5": "a constraint on a member of a union holds",
}
STREAM_DELIBERATE = {
    '{"n": 4, "': "a number that was asked for with its state keeps it when complete",
    '{"val":1,"left":{"val":2': "what a recursive class holds so far is shown",
    '{"val":1,"left":{"val":2,"left":{"val":3}': "what a recursive class holds so far is shown",
}


def plain(found: Found, *, states: bool = False) -> Any:
    value: Any
    if isinstance(found.parts, dict):
        value = {name: plain(part, states=states) for name, part in found.parts.items()}
    elif found.parts is not None:
        value = [plain(part, states=states) for part in found.parts]
    else:
        value = found.value
        if isinstance(value, float) and not math.isfinite(value):
            value = {"$float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if found.checks and value is not None and not isinstance(found.type, ClassType):
        checks = {
            check.label: {
                "name": check.label,
                "expression": check.expression,
                "status": "succeeded" if passed else "failed",
            }
            for check, passed in found.checks
        }
        value = {"value": value, "checks": checks}
    return {"value": value, "state": found.state.capitalize()} if states and found.state else value


def answer(case, *, streaming):
    schema = read_types(case["baml"]).schema(case["return_type"])
    if schema.is_text:
        return case["text"]
    result = Coercion(schema, streaming=streaming).root(locate(case["text"], done=not streaming))
    return {"error": True} if isinstance(result, Miss) else plain(result, states=streaming)


def same(one, other):
    return one == other and type(one) is type(other)


@pytest.mark.parametrize("case", FINAL, ids=lambda case: f"{case['return_type']}: {case['text']}"[:60])
def test_a_whole_answer_is_read_as_the_reference_reads_it(case):
    equal = same(answer(case, streaming=False), case["expect"])
    assert equal or case["text"] in DELIBERATE


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: f"{case['return_type']}: {case['text']}"[:60])
def test_a_prefix_is_read_as_the_reference_reads_it(case):
    equal = same(answer(case, streaming=True), case["expect"])
    assert equal or case["text"] in STREAM_DELIBERATE


def test_at_least_98_of_100_are_equal():
    equal = [same(answer(case, streaming=case["stream"]), case["expect"]) for case in CASES]
    assert sum(equal) / len(equal) >= 0.98


def as_data(value):
    if isinstance(value, StreamState):
        return {"value": as_data(value.value), "state": value.state.capitalize()}
    if isinstance(value, dict):
        return {name: as_data(item) for name, item in value.items()}
    return [as_data(item) for item in value] if isinstance(value, list) else value


def test_character_by_character_nine_of_ten_prefixes_show_the_same():
    equal = 0
    for case in STREAMED:
        partial = Output(read_types(case["baml"]).schema(case["return_type"]), policy=LENIENT).partial()
        last = {"error": True}
        for character in case["text"]:
            value = partial.feed(character)
            last = last if value is None else as_data(value)
        equal += last == case["expect"]
    assert equal / len(STREAMED) >= 0.9
