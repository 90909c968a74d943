"""Blocks, tool calls and reasons to stop: what no recording shows."""

from __future__ import annotations

from typing import Any

import pytest

from callm.errors import ProtocolError
from callm.types import (
    Citation,
    Finish,
    Metadata,
    Opaque,
    PartAdded,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    ResponseStart,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from tests.transcripts import fold, load, read, read_case
from tests.wire.anthropic.payloads import (
    CODEC,
    START,
    STOP,
    TARGET,
    TOOL,
    arguments,
    body,
    closed,
    delta,
    ended,
    opened,
    run,
    run_body,
)


def test_thoughts_keep_their_signatures_and_their_order() -> None:
    case = next(case for case in load("anthropic") if case.name == "anthropic/reasoning")
    parts = fold(read_case(CODEC, case, TARGET)[0]).parts
    assert parts[:2] == (
        Reasoning("2+2 is 4", "EqQBCg==", format="anthropic"),
        Reasoning(redacted="Ev8BCk=", format="anthropic"),
    )


def test_a_stream_and_a_body_of_one_answer_give_the_same_response() -> None:
    content: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "x"}]},
        {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"q": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []},
        {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": [2.5, "é"]}},
    ]
    streamed = run(
        START,
        opened(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="signature_delta", signature="wrong"),
        delta(0, type="signature_delta", signature="s"),
        closed(0),
        opened(1, **content[1]),
        closed(1),
        opened(2, type="text", text=""),
        delta(2, type="citations_delta", citation={"type": "char_location", "cited_text": "x"}),
        delta(2, type="text_delta", text="Hi"),
        closed(2),
        opened(3, **{**content[3], "input": {}}),
        arguments(3, '{"q": '),
        arguments(3, '"x"}'),
        closed(3),
        opened(4, **content[4]),
        closed(4),
        opened(5, **TOOL),
        arguments(5, '{"a":1,"b":'),
        arguments(5, '[2.5,"é"]}'),
        closed(5),
        ended("tool_use", {"output_tokens": 3}),
        STOP,
    )
    whole = run_body(body(content=content, stop_reason="tool_use", usage={"output_tokens": 3}))
    assert fold(streamed) == whole
    assert whole.parts == (
        Reasoning("hm", "s", format="anthropic"),
        Reasoning(redacted="r", format="anthropic"),
        Text("Hi"),
        Opaque("anthropic", content[3]),
        Opaque("anthropic", content[4]),
        ToolCall("toolu_1", "add", '{"a":1,"b":[2.5,"é"]}'),
    )
    assert whole.citations == [{"type": "char_location", "cited_text": "x"}]


def test_the_events_of_a_tool_call() -> None:
    events = run(
        START,
        opened(0, **TOOL),
        arguments(0, ""),
        arguments(0, '{"a"'),
        arguments(0, ":1}"),
        closed(0),
        opened(1, **{**TOOL, "id": "toolu_2"}),
        closed(1),
        ended("tool_use"),
        STOP,
    )
    assert events == [
        ResponseStart("msg_1", "m"),
        ToolCallStart(0, "toolu_1", "add"),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":1}"),
        ToolCallEnd(0),
        ToolCallStart(1, "toolu_2", "add"),
        ToolCallEnd(1),
        Finish("tool_calls", "tool_use"),
    ]
    assert [call.arguments for call in fold(events).tool_calls] == ['{"a":1}', "{}"]


def test_arguments_that_came_with_the_start_of_their_block_count_unless_pieces_follow() -> None:
    whole = {**TOOL, "input": {"a": 1}}
    events = run(START, opened(0, **whole), closed(0), opened(1, **whole), arguments(1, "{}"), closed(1), ended(), STOP)
    assert [call.arguments for call in fold(events).tool_calls] == ['{"a":1}', "{}"]


@pytest.mark.parametrize(
    ("reason", "complete"),
    [("tool_use", 1), ("max_tokens", 0), ("refusal", 0), ("end_turn", 0), ("model_context_window_exceeded", 0)],
)
def test_arguments_that_are_no_json_end_their_call_only_if_the_model_meant_to_call(reason: str, complete: int) -> None:
    response = fold(run(START, opened(0, **TOOL), arguments(0, '{"a": 12'), closed(0), ended(reason), STOP))
    assert len(response.tool_calls) == complete
    assert [call.arguments for call in response.tool_calls + response.incomplete_tool_calls] == ['{"a": 12']


def test_a_call_whose_block_was_never_closed_is_not_complete() -> None:
    response = fold(run(START, opened(0, **TOOL), arguments(0, '{"a": 12}'), ended("tool_use"), STOP))
    assert response.tool_calls == ()
    assert response.incomplete_tool_calls == (ToolCall("toolu_1", "add", '{"a": 12}'),)


def test_arguments_nested_beyond_reason_are_no_json() -> None:
    deep = "[" * 100_000
    assert (
        fold(run(START, opened(0, **TOOL), arguments(0, deep), closed(0), ended("max_tokens"), STOP)).tool_calls == ()
    )


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("something_new", "other"),
    ],
)
def test_every_stop_reason_has_a_finish_reason(native: str, reason: str) -> None:
    assert run(START, ended(native), STOP)[-1] == Finish(reason, native)  # type: ignore[arg-type]  # a table of strings
    assert run_body(body(stop_reason=native)).finish_reason == reason


def test_a_body_without_a_stop_reason_is_not_whole() -> None:
    assert run(START, ended(None), STOP)[-1] == Finish("other")  # a stream has its marker
    _, error = read(CODEC.decoder(TARGET, stream=False), [body(stop_reason=None)])
    assert isinstance(error, ProtocolError)
    assert "no stop_reason" in str(error)


def test_the_matched_stop_sequence_is_told() -> None:
    assert run(START, ended("stop_sequence", stop_sequence="END"), STOP)[-1] == Finish("stop", "stop_sequence", "END")


def test_a_later_null_does_not_undo_a_stop_reason() -> None:
    assert run(START, ended("max_tokens"), ended(None, {"output_tokens": 2}), STOP)[-1] == Finish(
        "length", "max_tokens"
    )


def test_a_refusal_tells_its_explanation_and_keeps_its_details() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "No."}
    events = run(START, delta(0, type="text_delta", text="Well"), ended("refusal", stop_details=details), STOP)
    assert events[2:] == [Metadata({"stop_details": details}), RefusalDelta("No."), Finish("refusal", "refusal")]
    silent = run(START, ended("refusal", stop_details={"type": "refusal", "explanation": None}), STOP)
    assert not any(isinstance(event, RefusalDelta) for event in silent)
    assert fold(events).refusal == "No."


def test_unknown_blocks_are_kept_if_they_came_whole_and_dropped_if_not() -> None:
    events = run(
        START,
        opened(0, type="container_upload", file_id="f"),
        closed(0),
        opened(1, type="hologram", foo=1),
        delta(1, type="hologram_delta", bar=2),
        closed(1),
        opened(2, type="server_tool_use", id="s", name="n", input={}),
        arguments(2, '{"q": "cu'),
        closed(2),
        opened(3),
        closed(3),
        opened(4, type=["text"]),
        closed(4),
        opened(5, type="mcp_tool_use", id="never closed"),
        ended(),
        STOP,
    )
    assert [event for event in events if isinstance(event, PartAdded)] == [
        PartAdded(Opaque("anthropic", {"type": "container_upload", "file_id": "f"}))
    ]


def test_thoughts_without_a_signature_have_none() -> None:
    events = run(START, opened(0, type="thinking", thinking="a", signature=""), closed(0), ended(), STOP)
    assert events[1:3] == [ReasoningDelta("a"), ReasoningEnd(None, "anthropic")]


def test_citations_of_a_wrong_type_are_skipped() -> None:
    content = [{"type": "text", "text": "Hi", "citations": ["x", {"a": 1}]}, {"type": "text", "citations": 5}]
    events, _ = read(CODEC.decoder(TARGET, stream=False), [body(content=content)])
    assert [event for event in events if isinstance(event, Citation)] == [Citation({"a": 1})]
