"""Instructions and turns."""

from __future__ import annotations

from typing import Any

import pytest

from callm.errors import ConfigError, UnsupportedError
from callm.types import (
    Image,
    Message,
    Opaque,
    Reasoning,
    Request,
    Text,
    ToolCall,
    ToolResult,
)
from callm.wire.codec import HTTPRequest
from tests.wire.anthropic.payloads import CODEC, TARGET

HI = Message.user("Hi")


def encode(*messages: Message) -> HTTPRequest:
    return CODEC.encode(Request(messages), TARGET)


def body(*messages: Message) -> dict[str, Any]:
    decoded: dict[str, Any] = encode(*messages).json
    return decoded


def wire(*messages: Message) -> list[dict[str, Any]]:
    decoded: list[dict[str, Any]] = body(*messages)["messages"]
    return decoded


def test_instructions_go_to_the_top_as_a_string_or_with_extras_as_blocks() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    assert body(Message.system("A"), HI)["system"] == "A"
    assert body(Message.system("A", "", "B"), Message("developer", "C"), HI)["system"] == "A\n\nB\n\nC"  # type: ignore[arg-type]  # a string is taken as its text
    assert body(Message.system("A", Text("B", cached)), HI)["system"] == [
        {"type": "text", "text": "A"},
        {"type": "text", "text": "B", **cached},
    ]
    assert body(Message("system", (Text("A"),), extra=cached), HI)["system"] == [
        {"type": "text", "text": "A", **cached}
    ]
    assert "system" not in body(Message.system(""), HI)


def test_instructions_from_the_middle_are_moved_with_a_notice() -> None:
    request = encode(Message.system("A"), HI, Message.system("B"), Message.assistant("Yes"))
    assert request.json["system"] == "A\n\nB"
    assert [message["role"] for message in request.json["messages"]] == ["user", "assistant"]
    assert request.notices == ("instructions from the middle of the conversation were moved to its beginning",)


def test_instructions_alone_are_sent_as_the_users() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    assert body(Message.system("A"))["messages"] == [{"role": "user", "content": "A"}]
    request = body(Message.system("A"), Message.system(Text("B", cached)))
    assert "system" not in request
    assert request["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B", **cached}]}
    ]


def test_turns_of_one_role_become_one_and_results_come_first() -> None:
    messages = wire(
        Message.user("A"),
        Message("user", (Text("B"),), extra={"x": 1}),
        Message.assistant("C"),
        Message.assistant(ToolCall("1", "f"), ToolCall("2", "f")),
        Message.user("late"),
        Message.tool(ToolResult("1", "one")),
        Message.tool(ToolResult("2", "two", is_error=True)),
        Message.user("now"),
    )
    assert messages == [
        {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}], "x": 1},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "C"},
                {"type": "tool_use", "id": "1", "name": "f", "input": {}},
                {"type": "tool_use", "id": "2", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "2", "content": "two", "is_error": True},
                {"type": "text", "text": "late"},
                {"type": "text", "text": "now"},
            ],
        },
    ]


def test_empty_texts_and_turns_are_left_out_and_nothing_at_all_is_an_error() -> None:
    assert wire(Message.user("", "Hi"), Message.assistant(""), Message.user("you")) == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "you"}]}
    ]
    for messages in ([Message.user("")], [Message.system("")], [Message.assistant(Reasoning("x"))]):
        with pytest.raises(ConfigError, match="no content that can be sent"):
            encode(*messages)


def test_a_part_of_one_plain_text_is_a_string_and_with_extras_a_block() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    assert wire(HI) == [{"role": "user", "content": "Hi"}]
    assert wire(Message.user(Text("Hi", cached))) == [
        {"role": "user", "content": [{"type": "text", "text": "Hi", **cached}]}
    ]


def test_instructions_that_are_no_text_are_an_error() -> None:
    with pytest.raises(UnsupportedError, match="system can hold only text here, not Image"):
        encode(Message.system(Image(url="https://h/a.png")), HI)


def test_an_answer_can_be_sent_back_as_it_came() -> None:
    block = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    parts = (
        Reasoning("a", "s1", format="anthropic"),
        Reasoning(redacted="r", format="anthropic"),
        Opaque("anthropic", block),
        Text("Hi"),
        ToolCall("1", "f", '{"b": 1.0, "a": 2}'),
    )
    request = encode(HI, Message("assistant", parts), Message.tool(ToolResult("1", "x")))
    assert b'"input":{"b": 1.0, "a": 2}' in request.body
    assert request.json["messages"][1]["content"][:4] == [
        {"type": "thinking", "thinking": "a", "signature": "s1"},
        {"type": "redacted_thinking", "data": "r"},
        block,
        {"type": "text", "text": "Hi"},
    ]
