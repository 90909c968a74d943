"""Events are values: they compare, pickle, and go through JSON and back."""

from __future__ import annotations

import copy
import pickle
from typing import Any, get_args

import msgspec
import pytest

from callm.types import (
    CONTENT,
    AttemptFailed,
    AudioDelta,
    CacheHit,
    ChoiceEvent,
    Citation,
    Continued,
    Event,
    File,
    Finish,
    Image,
    LogProbs,
    Metadata,
    Notice,
    Opaque,
    PartAdded,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    ResponseHeaders,
    ResponseStart,
    Restarted,
    Selected,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
    Usage,
    UsageReport,
    Waited,
)

EVENTS: list[Event] = [
    ResponseHeaders(200, {"content-type": "text/event-stream"}, "req_1"),
    ResponseStart("msg_1", "m"),
    TextDelta("é 👩‍🔬"),
    ReasoningDelta("hm"),
    ReasoningEnd("s", "anthropic", "r_1", {"a": 1}),
    RefusalDelta("no"),
    ToolCallStart(0, "c_1", "f"),
    ToolCallDelta(0, '{"a":'),
    ToolCallEnd(0),
    PartAdded(Reasoning(redacted="r", format="anthropic")),
    PartAdded(Opaque("anthropic", {"type": "x", "deep": [{"a": None}]})),
    PartAdded(Image(b"\x89PNG\r\n\x1a\n")),
    PartAdded(File(url="https://h/a.pdf", name="a")),
    PartAdded(ToolResult("1", (Text("a"),))),
    PartAdded(ToolCall("1", "f")),
    AudioDelta("AAAA", "hello", "a_1"),
    Citation({"type": "x"}),
    LogProbs([{"token": "a", "logprob": -0.1}]),
    Metadata({"service_tier": "priority"}),
    UsageReport(Usage(1, 2, 3, 4, 5, 6, 7, 8)),
    ChoiceEvent(1, TextDelta("other")),
    Notice("seed was left out"),
    Selected("openai/gpt-x"),
    Waited("rate limit", 1.5),
    AttemptFailed("openai/gpt-x", "RateLimitError", "rate_limit", "slow down", 2, 0.5, 429, "req_1", Usage(1, 0)),
    Restarted("openai/gpt-x"),
    CacheHit(2.5),
    Continued(1, Usage(1, 2)),
    Finish("stop", "end_turn", "END"),
]
IDS = [type(event).__name__ for event in EVENTS]


def test_every_kind_of_event_is_tested_here() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    assert set(get_args(Event)) > CONTENT


@pytest.mark.parametrize("event", EVENTS, ids=IDS)
def test_an_event_survives_pickle_copy_and_json(event: Event) -> None:
    assert pickle.loads(pickle.dumps(event)) == event
    assert copy.copy(event) == copy.deepcopy(event) == event
    text = msgspec.json.encode(event)
    assert b'"type":"' in text
    assert msgspec.json.decode(text, type=Event) == event
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event) == event


@pytest.mark.parametrize("event", EVENTS, ids=IDS)
def test_an_event_can_not_be_changed(event: Event) -> None:
    with pytest.raises(AttributeError):
        setattr(event, type(event).__struct_fields__[0], None)


def test_the_tags_are_their_own() -> None:
    tags = [msgspec.json.decode(msgspec.json.encode(event))["type"] for event in EVENTS]
    assert len(set(tags)) == len(get_args(Event))


def test_the_empty_containers_of_two_events_are_not_one() -> None:
    one, two = ReasoningEnd(), ReasoningEnd()
    one.extra["a"] = 1
    assert two.extra == {}


def test_usage_adds_up_what_is_known() -> None:
    one = Usage(input_tokens=1, output_tokens=2, cache_read_tokens=0)
    other = Usage(input_tokens=10, cache_read_tokens=5, reasoning_tokens=7)
    assert one + other == Usage(input_tokens=11, output_tokens=2, cache_read_tokens=5, reasoning_tokens=7)
    assert one + Usage() == one


@pytest.mark.parametrize(
    ("usage", "total"), [(Usage(1, 2), 3), (Usage(0, 0), 0), (Usage(1), None), (Usage(None, 1), None)]
)
def test_the_total_is_known_if_both_sides_are(usage: Usage, total: int | None) -> None:
    assert usage.total_tokens == total


def test_every_field_of_usage_is_added() -> None:
    ones = Usage(*[1] * len(Usage.__struct_fields__))
    assert ones + ones == Usage(*[2] * len(Usage.__struct_fields__))


def test_unknown_tags_are_refused() -> None:
    broken: Any = b'{"type":"nothing_of_ours"}'
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(broken, type=Event)
