from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.types import Event, ToolCallDelta, ToolCallEnd, ToolCallStart
from callm.wire.openai_chat.tool_calls import ToolCalls
from tests.transcripts import fold
from tests.wire.openai_chat.chunks import body, calls, chunk, fragment, good, message, stream


def collect(*fragments: dict[str, Any], seed: str = "c1") -> list[tuple[str, str]]:
    """The names and arguments of the calls that the fragments add up to."""
    return [(call.name, call.arguments) for call in fold(events_of(*fragments, seed=seed)).tool_calls]


def events_of(*fragments: dict[str, Any], seed: str = "c1", complete: bool = True) -> list[Event]:
    state, out = ToolCalls(), list[Event]()
    for item in fragments:
        state.add(item, seed, out)
    state.end(seed, out, complete=complete)
    return out


SLOPPY: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]] = {
    "by index, as OpenAI sends it": (
        [
            fragment("f", "", index=0, id="a", type="function"),
            fragment(None, '{"x":', index=0),
            fragment(None, "1}", index=0),
            fragment("g", "", index=1, id="b"),
            fragment(None, "{}", index=1),
        ],
        [("f", '{"x":1}'), ("g", "{}")],
    ),
    "interleaved": (
        [
            fragment("f", "", index=0, id="a"),
            fragment("g", "", index=1, id="b"),
            fragment(None, '{"x":', index=0),
            fragment(None, '{"y":', index=1),
            fragment(None, "1}", index=0),
            fragment(None, "2}", index=1),
        ],
        [("f", '{"x":1}'), ("g", '{"y":2}')],
    ),
    "no index": (
        [fragment("f", '{"x":', id="a"), fragment(None, "1}"), fragment("g", "{}", id="b")],
        [("f", '{"x":1}'), ("g", "{}")],
    ),
    "null index": ([fragment("f", "{}", id="a", index=None), fragment("g", "{}", id="b", index=None)], [("f", "{}"), ("g", "{}")]),
    "index that is no number": ([fragment("f", "{}", id="a", index="0"), fragment("g", "{}", id="b", index=True)], [("f", "{}"), ("g", "{}")]),
    "index always 0": ([fragment("f", "{}", id="a", index=0), fragment("g", "{}", id="b", index=0)], [("f", "{}"), ("g", "{}")]),
    "index always 0, then pieces": (
        [fragment("f", "{}", id="a", index=0), fragment("g", "{", id="b", index=0), fragment(None, "}", index=0)],
        [("f", "{}"), ("g", "{}")],
    ),
    "index always 0 and no ids": (
        [fragment("f", '{"a":1}', index=0), fragment("f", '{"a":2}', index=0), fragment("g", "{}", index=0)],
        [("f", '{"a":1}'), ("f", '{"a":2}'), ("g", "{}")],
    ),
    "nothing but names": ([fragment("f", "{}"), fragment("g", "{}")], [("f", "{}"), ("g", "{}")]),
    "id and name repeated": (
        [fragment("f", '{"x":', index=0, id="a"), fragment("f", "1}", index=0, id="a")],
        [("f", '{"x":1}')],
    ),
    "name repeated before the arguments": (
        [fragment("terminal", "", index=0, id="a"), fragment("terminal", "{}", index=0, id="a")],
        [("terminal", "{}")],
    ),
    "name repeated without ids": (
        [fragment("f", '{"x":', index=0), fragment("f", "1}", index=0)],
        [("f", '{"x":1}')],
    ),
    "another name in the middle of arguments": (
        [fragment("f", '{"x":', index=0), fragment("g", "{}", index=0)],
        [("f", '{"x":'), ("g", "{}")],
    ),
    "name in pieces": (
        [fragment("get_", None, index=0, id="a"), fragment("weather", None, index=0), fragment(None, "{}", index=0)],
        [("get_weather", "{}")],
    ),
    "empty id": ([fragment("f", "{", index=0, id=""), fragment(None, "}", index=0, id="")], [("f", "{}")]),
    "number as id": ([fragment("f", "{", index=0, id=7), fragment(None, "}", index=0, id=7)], [("f", "{}")]),
    "id comes late": ([fragment("f", "{", index=0), fragment(None, "}", index=0, id="a")], [("f", "{}")]),
    "id comes late, name repeated": ([fragment("f", "{", index=0), fragment("f", "}", index=0, id="a")], [("f", "{}")]),
    "name comes late": ([fragment(None, "{", index=0, id="a"), fragment("f", "", index=0), fragment(None, "}", index=0)], [("f", "{}")]),
    "same id for two calls": ([fragment("f", "{}", index=0, id="a"), fragment("g", "{}", index=1, id="a")], [("f", "{}"), ("g", "{}")]),
    "index moves on without a call": ([fragment("f", "{", index=0, id="a"), fragment(None, "}", index=1)], [("f", "{}")]),
    "index moves on with the id": ([fragment("f", "{", index=0, id="a"), fragment(None, "}", index=1, id="a")], [("f", "{}")]),
    "null arguments": ([{"index": 0, "id": "a", "function": {"name": "f", "arguments": None}}], [("f", "{}")]),
    "empty arguments": ([fragment("f", "", index=0, id="a")], [("f", "{}")]),
    "object as arguments": ([fragment("f", {"x": [1, None]}, index=0, id="a")], [("f", '{"x":[1,null]}')]),
    "list as arguments": ([fragment("f", [1], index=0, id="a")], [("f", "[1]")]),
    "number as arguments": ([fragment("f", 7, index=0, id="a")], [("f", "7")]),
    "custom": (
        [
            {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "select"}},
            {"index": 0, "custom": {"input": " 1"}},
        ],
        [("sql", "select 1")],
    ),
    "flat": ([{"id": "a", "name": "f", "arguments": "{}"}], [("f", "{}")]),
    "fragments that say nothing": (
        [{}, {"index": 0}, {"index": 0, "function": None}, {"index": 0, "id": "", "function": {"arguments": ""}}],
        [],
    ),
    "no name at all": ([fragment(None, "{}", index=0, id="a")], [("", "{}")]),
    "odd types": ([{"index": [], "id": {}, "function": {"name": ["f"], "arguments": "{}"}}], [("", "{}")]),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOPPY)
def test_calls_are_found_however_carelessly_they_are_sent(name: str) -> None:
    fragments, expected = SLOPPY[name]
    assert collect(*fragments) == expected


def test_a_call_is_announced_with_its_first_arguments() -> None:
    state, out = ToolCalls(), list[Event]()
    state.add(fragment("f", "", index=0, id="a"), "c1", out)
    assert out == []
    state.add(fragment(None, "{", index=0), "c1", out)
    assert out == [ToolCallStart(0, "a", "f"), ToolCallDelta(0, "{")]
    state.add(fragment(None, "}", index=0), "c1", out)
    assert out[2:] == [ToolCallDelta(0, "}")]
    state.end("c1", out, complete=True)
    assert out[3:] == [ToolCallEnd(0)]


def test_arguments_before_the_name_wait_for_it() -> None:
    events = events_of(fragment(None, "{", index=0, id="a"), fragment("f", "}", index=0))
    assert events == [ToolCallStart(0, "a", "f"), ToolCallDelta(0, "{}"), ToolCallEnd(0)]


def test_a_cut_answer_ends_no_call() -> None:
    events = events_of(fragment("f", "{}", index=0, id="a"), fragment("g", "", index=1, id="b"), complete=False)
    assert not any(isinstance(event, ToolCallEnd) for event in events)
    assert [call.name for call in fold(events).incomplete_tool_calls] == ["f", "g"]


@pytest.mark.parametrize("finish", ["length", "content_filter", "max_tokens"])
def test_calls_of_an_answer_that_was_cut_are_never_run(finish: str) -> None:
    response = good(stream(calls(fragment("f", '{"a":1}', index=0, id="a")), chunk({}, finish)))
    assert response.tool_calls == ()
    assert [call.name for call in response.incomplete_tool_calls] == ["f"]
    assert response.finish_reason != "tool_calls"


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call", "tool_use", "end_turn"])
def test_an_answer_with_calls_ends_for_them_whatever_the_server_says(finish: str) -> None:
    response = good(stream(calls(fragment("f", "{}", index=0, id="a")), chunk({}, finish)))
    assert (response.finish_reason, response.native_finish_reason) == ("tool_calls", finish)
    assert len(response.tool_calls) == 1


def test_an_id_is_minted_where_the_server_gives_none() -> None:
    first = fold(events_of(fragment("f", "{}", index=0), fragment("g", "{}", index=1))).tool_calls
    again = fold(events_of(fragment("f", "{}", index=0), fragment("g", "{}", index=1))).tool_calls
    other = fold(events_of(fragment("f", "{}", index=0), seed="c2")).tool_calls
    ids = [call.id for call in (*first, *other)]
    assert [call.id for call in again] == ids[:2]
    assert len(set(ids)) == 3
    assert all(len(id_) == 9 and id_.isalnum() for id_ in ids)


def test_the_old_function_call_is_a_tool_call() -> None:
    response = good(
        stream(
            chunk({"function_call": {"name": "f", "arguments": ""}}),
            chunk({"function_call": {"arguments": "{}"}}),
            chunk({}, "function_call"),
        )
    )
    assert [(call.name, call.arguments) for call in response.tool_calls] == [("f", "{}")]
    data = message(None, "function_call", function_call={"name": "f", "arguments": "{}"})
    assert [call.name for call in good(body(data)).tool_calls] == ["f"]


def test_provider_fields_of_a_call_are_kept() -> None:
    signature = {"google": {"thought_signature": "sig"}}
    whole = fragment("f", "{}", index=0, id="a", type="function", extra_content=signature, other=None)
    assert fold(events_of(whole)).tool_calls[0].extra == {"extra_content": signature}


def test_many_calls_keep_their_places() -> None:
    fragments = [fragment(f"f{n}", f'{{"n":{n}}}', index=n, id=f"i{n}") for n in range(50)]
    assert collect(*fragments) == [(f"f{n}", f'{{"n":{n}}}') for n in range(50)]


FIELD = st.one_of(st.none(), st.text(max_size=3), st.integers(-2, 3), st.lists(st.integers(), max_size=2))
FRAGMENT = st.fixed_dictionaries(
    {},
    optional={
        "index": FIELD,
        "id": FIELD,
        "function": st.one_of(FIELD, st.fixed_dictionaries({}, optional={"name": FIELD, "arguments": FIELD})),
        "custom": FIELD,
    },
)


@given(st.lists(FRAGMENT, max_size=8), st.booleans())
def test_any_fragments_make_events_that_fold(fragments: list[dict[str, Any]], complete: bool) -> None:
    response = fold(events_of(*fragments, complete=complete))
    assert bool(response.tool_calls) <= complete
