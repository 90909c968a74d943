from __future__ import annotations

from typing import Any

import pytest

from callm.errors import UnsupportedError
from callm.types import Audio, File, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from callm.wire.codec import Quirks
from callm.wire.openai_chat.messages import add_text, encode_messages

PNG = b"\x89PNG\r\n\x1a\n"
PNG_URL = "data:image/png;base64,iVBORw0KGgo="


def encode(*messages: Message, **quirks: Any) -> list[dict[str, Any]]:
    return encode_messages(messages, Quirks(**quirks), frozenset({"sql"}), [])


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (Message.system("Be terse."), {"role": "system", "content": "Be terse."}),
        (Message("developer", (Text("x"),)), {"role": "system", "content": "x"}),
        (Message.user("Hi"), {"role": "user", "content": "Hi"}),
        (Message("user", (Text("Hi"),), name="Ann"), {"role": "user", "content": "Hi", "name": "Ann"}),
        (Message("user", (Text("Hi"),), extra={"x": 1}), {"role": "user", "content": "Hi", "x": 1}),
        (Message("user", ()), {"role": "user", "content": ""}),
        (Message.user("a", "b"), {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
        (Message.user(Text("a", {"cache_control": {"type": "ephemeral"}})),
         {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}),
        (Message.user(Image(data=PNG, detail="low")),
         {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}}]}),
        (Message.user(Image(url="https://example.com/a.png", extra={"x": 1})),
         {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}, "x": 1}]}),
        (Message.user(Audio(data=b"ID3")),
         {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}}]}),
        (Message.user(Audio(data=b"RIFF....WAVE")),
         {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "UklGRi4uLi5XQVZF", "format": "wav"}}]}),
        (Message.user(File(data=b"%PDF-", name="a.pdf")),
         {"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]}),
        (Message.user(File(data=b"%PDF-")),
         {"role": "user", "content": [{"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}]}),
        (Message.user(File(data=b"x", media_type="text/plain")),
         {"role": "user", "content": [{"type": "file", "file": {"filename": "document", "file_data": "data:text/plain;base64,eA=="}}]}),
        (Message.user(File(file_id="file-1")), {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}),
        (Message.user(Opaque("openai_chat", {"type": "x", "y": 1})), {"role": "user", "content": [{"type": "x", "y": 1}]}),
        (Message.assistant("Yes."), {"role": "assistant", "content": "Yes."}),
        (Message("assistant", ()), {"role": "assistant", "content": ""}),
        (Message("assistant", (), extra={"audio": {"id": "a1"}}), {"role": "assistant", "content": "", "audio": {"id": "a1"}}),
        (Message.assistant(ToolCall("a", "f", '{"x":1}')),
         {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}]}),
        (Message.assistant("Wait.", ToolCall("a", "f", extra={"extra_content": 1})),
         {"role": "assistant", "content": "Wait.",
          "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": 1}]}),
        (Message.assistant(ToolCall("a", "sql", "select 1")),
         {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}]}),
        (Message.tool(ToolResult("a", "7C")), {"role": "tool", "tool_call_id": "a", "content": "7C"}),
        (Message.tool(ToolResult("a", (Text("7"), Text("C")))),
         {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "7"}, {"type": "text", "text": "C"}]}),
        (Message.tool(ToolResult("a", "no such city", is_error=True)),
         {"role": "tool", "tool_call_id": "a", "content": "Error: no such city"}),
        (Message.tool(ToolResult("a", "7C", extra={"name": "f"})), {"role": "tool", "tool_call_id": "a", "content": "7C", "name": "f"}),
    ],
)  # fmt: skip
def test_every_message_has_its_wire_form(message: Message, wire: dict[str, Any]) -> None:
    assert encode(message) == [wire]


def test_the_role_of_instructions_is_the_vendors() -> None:
    messages = (Message.system("a"), Message("developer", (Text("b"),)))
    assert [wire["role"] for wire in encode(*messages, system="developer")] == ["developer", "developer"]


def test_each_tool_result_is_a_message_of_its_own() -> None:
    wire = encode(Message.tool(ToolResult("a", "1"), ToolResult("b", "2")))
    assert [(message["role"], message["tool_call_id"]) for message in wire] == [("tool", "a"), ("tool", "b")]


def test_tool_results_in_a_user_turn_come_before_it() -> None:
    wire = encode(Message.user(ToolResult("a", "1"), "And now?"))
    assert [message["role"] for message in wire] == ["tool", "user"]
    assert [message["role"] for message in encode(Message.user(ToolResult("a", "1")))] == ["tool"]


DETAILS = [{"type": "reasoning.encrypted", "data": "x"}]
THOUGHTS = Message.assistant(
    Reasoning("I think", "sig", format="openai_chat", extra={"reasoning_details": DETAILS}), "Yes."
)


@pytest.mark.parametrize(
    ("field", "wire"),
    [
        (None, {"content": "Yes."}),
        ("reasoning_content", {"content": "Yes.", "reasoning_content": "I think"}),
        ("reasoning", {"content": "Yes.", "reasoning": "I think"}),
        ("reasoning_details", {"content": "Yes.", "reasoning_details": DETAILS}),
        ("content", {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "I think"}], "signature": "sig"},
                                 {"type": "text", "text": "Yes."}]}),
    ],
)  # fmt: skip
def test_thoughts_go_back_in_the_field_that_the_vendor_wants(field: str | None, wire: dict[str, Any]) -> None:
    assert encode(THOUGHTS, echo_reasoning=field) == [{"role": "assistant", **wire}]


def test_thoughts_without_details_go_back_as_text() -> None:
    message = Message.assistant(Reasoning("I think"), ToolCall("a", "f"))
    assert encode(message, echo_reasoning="reasoning_details")[0]["reasoning"] == "I think"
    nothing = Message.assistant(Reasoning(), "Yes.")
    assert encode(nothing, echo_reasoning="reasoning_details") == [{"role": "assistant", "content": "Yes."}]
    assert encode(nothing, echo_reasoning="reasoning_content") == [{"role": "assistant", "content": "Yes."}]


def test_thoughts_of_mistral_go_back_before_calls_and_parts() -> None:
    call = encode(Message.assistant(Reasoning("t"), ToolCall("a", "f")), echo_reasoning="content")[0]
    assert [part["type"] for part in call["content"]] == ["thinking"]
    parts = encode(Message.assistant(Reasoning("t"), "a", "b"), echo_reasoning="content")[0]
    assert [part["type"] for part in parts["content"]] == ["thinking", "text", "text"]
    assert encode(Message.assistant("a"), echo_reasoning="content")[0]["content"] == "a"


def test_what_another_format_sealed_is_left_out_with_one_notice_each() -> None:
    notices: list[str] = []
    sealed = Reasoning("t", "sig", format="anthropic")
    message = Message.assistant(sealed, sealed, Opaque("anthropic", {"type": "x"}), "Yes.")
    wire = encode_messages([message], Quirks(echo_reasoning="reasoning_content"), frozenset(), notices)
    assert wire == [{"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}]
    assert len(notices) == 2
    assert all("anthropic" in notice for notice in notices)


@pytest.mark.parametrize(
    ("role", "part", "words"),
    [
        ("user", Image(file_id="file-1"), ["Image", "file_id=", "data= or url="]),
        ("user", File(url="https://example.com/a.pdf"), ["File", "url=", "data="]),
        ("user", Audio(url="https://example.com/a.wav"), ["Audio", "url=", "data="]),
        ("user", Audio(file_id="file-1"), ["Audio", "file_id=", "data="]),
        ("user", Audio(data=b"fLaC"), ["Audio", "audio/flac", "convert"]),
        ("user", ToolCall("a", "f"), ["user", "ToolCall", "assistant"]),
        ("system", Image(data=PNG), ["system", "Image", "user"]),
        ("system", ToolResult("a", "x"), ["system", "ToolResult"]),
        ("assistant", Image(data=PNG), ["assistant", "Image", "user"]),
        ("tool", Text("x"), ["tool", "Text", "ToolResult"]),
        ("tool", ToolResult("a", (Image(data=PNG),)), ["tool result", "Image", "user message"]),
    ],
)
def test_a_part_without_a_place_is_refused_by_name_with_a_way_out(role: Any, part: Part, words: list[str]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        encode(Message(role, (part,)))
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ("Hi", "Hi\n\nAnswer in JSON."),
        ("", "Answer in JSON."),
        ([{"type": "x"}], [{"type": "x"}, {"type": "text", "text": "Answer in JSON."}]),
    ],
)
def test_text_is_added_to_the_last_user_message(content: Any, result: Any) -> None:
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": content},
        {"role": "tool", "content": "x"},
    ]
    add_text(messages, "Answer in JSON.")
    assert [message["content"] for message in messages] == ["first", result, "x"]


def test_text_becomes_a_user_message_where_there_is_none() -> None:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "x"}]
    add_text(messages, "Answer in JSON.")
    assert messages[1:] == [{"role": "user", "content": "Answer in JSON."}]
