from __future__ import annotations

from typing import Any

import pytest

from callm.types import (
    AudioDelta,
    Citation,
    Event,
    Finish,
    LogProbs,
    Metadata,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Text,
    TextDelta,
    ToolCall,
)
from callm.wire.openai_chat.choice import FINISH_REASONS, Choice
from tests.transcripts import fold
from tests.wire.openai_chat.chunks import body, chunk, fragment, good, message, plain, stream


def events_of(*entries: dict[str, Any], whole: bool = False) -> list[Event]:
    choice, out = Choice(), list[Event]()
    for entry in entries:
        choice.add(entry, "c1", out, whole=whole)
    end = choice.finish("c1", out)
    return [*out, end]


def delta(**fields: Any) -> dict[str, Any]:
    return {"delta": fields}


@pytest.mark.parametrize(("native", "reason"), [*FINISH_REASONS.items(), ("STOP", "stop"), ("surprise", "other")])
def test_every_finish_reason_has_our_word(native: str, reason: str) -> None:
    assert events_of({"finish_reason": native})[-1] == Finish(reason, native)  # type: ignore[arg-type]  # the table says it


def test_an_empty_finish_reason_is_none_and_the_last_one_counts() -> None:
    end = events_of({"finish_reason": "stop"}, {"finish_reason": "content_filter"}, {"finish_reason": ""})[-1]
    assert end == Finish("content_filter", "content_filter")


def test_the_stop_text_that_matched_is_named() -> None:
    assert events_of({"finish_reason": "stop", "stop_reason": "END"})[-1] == Finish("stop", "stop", "END")
    assert events_of({"finish_reason": "stop", "stop_reason": 128009})[-1] == Finish("stop", "stop")


def test_a_refusal_is_apart_from_the_text() -> None:
    for result in (
        stream(chunk({"refusal": "I "}), chunk({"refusal": "can't."}), chunk({}, "stop")),
        body(message(None, refusal="I can't.")),
    ):
        response = good(result)
        assert (response.text, response.refusal, response.finish_reason) == ("", "I can't.", "refusal")


def test_a_refusal_that_was_cut_is_a_cut() -> None:
    assert events_of(delta(refusal="I"), {"finish_reason": "length"})[-1] == Finish("length", "length")


def test_thoughts_are_closed_by_what_follows_them() -> None:
    end = ReasoningEnd(format="openai_chat")
    for follower in ({"content": "A"}, {"tool_calls": [fragment("f", "{}", id="a")]}):
        events = events_of(delta(reasoning_content="t"), delta(**follower), {"finish_reason": "stop"})
        assert events[:2] == [ReasoningDelta("t"), end]
    assert events_of(delta(reasoning_content="t"), {"finish_reason": "stop"})[1] == end


def test_thoughts_and_text_of_one_delta_come_in_this_order() -> None:
    response = fold(events_of(delta(content="A", reasoning="t"), {"finish_reason": "stop"}))
    assert response.parts == (Reasoning("t", format="openai_chat"), Text("A"))


def test_the_parts_of_mistral_become_thoughts_and_text() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}
    events, _ = stream(
        chunk({"content": [thinking]}),
        chunk({"content": [{"type": "thinking", "thinking": "u", "signature": "s", "closed": True}]}),
        chunk(
            {"content": [{"type": "text", "text": "A"}, {"type": "reference", "reference_ids": [1]}, 7, {"type": "x"}]}
        ),
        chunk({"content": "B"}, "stop"),
    )
    assert plain(events) == [
        ReasoningDelta("t"),
        ReasoningDelta("u"),
        ReasoningEnd("s", "openai_chat"),
        TextDelta("A"),
        Citation({"type": "reference", "reference_ids": [1]}),
        TextDelta("B"),
        Finish("stop", "stop"),
    ]


def test_reasoning_details_are_kept_for_the_way_back() -> None:
    first = {"type": "reasoning.text", "text": "I ", "index": 0, "id": None, "format": "f"}
    more = {"type": "reasoning.text", "text": "think", "index": 0}
    seal = {"type": "reasoning.text", "signature": "s", "index": 0}
    sealed = {"type": "reasoning.encrypted", "data": "x", "index": 1}
    events, _ = stream(
        chunk({"reasoning": "I ", "reasoning_details": [first]}),
        chunk({"reasoning": "think", "reasoning_details": [more]}),
        chunk({"content": "A", "reasoning_details": [seal, sealed]}),
        chunk({}, "stop"),
    )
    details = [{**first, "text": "I think", "signature": "s"}, sealed]
    assert fold(events).parts == (
        Reasoning("I think", format="openai_chat"),
        Text("A"),
        Reasoning(format="openai_chat", extra={"reasoning_details": details}),
    )


def test_reasoning_details_of_a_body_stand_with_their_thoughts() -> None:
    details = [{"type": "reasoning.summary", "summary": "t"}, {"type": "reasoning.encrypted", "data": "x"}]
    response = good(body(message("A", reasoning="t", reasoning_details=details)))
    assert response.parts == (
        Reasoning("t", format="openai_chat", extra={"reasoning_details": details}),
        Text("A"),
    )


def test_audio_comes_in_pieces() -> None:
    events, _ = stream(
        chunk({"audio": {"id": "a1"}}),
        chunk({"audio": {"data": "AAA="}}),
        chunk({"audio": {"transcript": "hi"}}),
        chunk({"audio": {"expires_at": 99}}),
        chunk({}, "stop"),
    )
    assert plain(events)[:3] == [AudioDelta(id="a1"), AudioDelta("AAA="), AudioDelta(transcript="hi")]
    response = fold(events)
    assert (response.audio, response.transcript, response.audio_id) == (["AAA="], "hi", "a1")
    assert response.metadata["audio_expires_at"] == 99


def test_annotations_are_citations() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "https://example.com"}}
    assert good(body(message("A", annotations=[note, 7]))).citations == [note]
    assert good(stream(chunk({"content": "A", "annotations": [note]}), chunk({}, "stop"))).citations == [note]


@pytest.mark.parametrize(
    ("logprobs", "tokens"),
    [
        ({"content": [{"token": "a"}], "refusal": None}, [{"token": "a"}]),
        ({"content": None, "refusal": [{"token": "b"}]}, [{"token": "b"}]),
        ({"tokens": ["a"], "token_logprobs": [-0.1]}, [{"tokens": ["a"], "token_logprobs": [-0.1]}]),  # Together
        ({"content": None}, None),
        ({}, None),
        ([1], None),
    ],
)
def test_log_probabilities_are_handed_on(logprobs: Any, tokens: list[Any] | None) -> None:
    events = events_of({**delta(content="a"), "logprobs": logprobs})
    assert [event.tokens for event in events if isinstance(event, LogProbs)] == ([] if tokens is None else [tokens])


def test_facts_of_a_choice_are_told_once_and_when_they_change() -> None:
    safe, hit = {"hate": {"filtered": False}}, {"hate": {"filtered": True}}
    results: list[dict[str, Any]] = [safe, safe, {}, hit]
    events = events_of(*({**delta(content="a"), "content_filter_results": result} for result in results))
    assert [event.fields for event in events if isinstance(event, Metadata)] == [
        {"content_filter_results": safe},
        {"content_filter_results": hit},
    ]


def test_text_beside_the_delta_is_read() -> None:
    assert fold(events_of({"text": "A", "finish_reason": "stop"})).text == "A"


def test_text_and_calls_of_one_delta_are_both_kept() -> None:
    events, _ = stream(chunk({"content": "A", "tool_calls": [fragment("f", "{}", id="a")]}), chunk({}, "stop"))
    assert fold(events).parts == (Text("A"), ToolCall("a", "f"))
    assert RefusalDelta not in map(type, events)
