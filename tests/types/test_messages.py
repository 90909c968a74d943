"""Messages and parts: short ways to write them, and errors for what they can't be."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import pytest

from callm.errors import ConfigError, OutputError
from callm.types import Audio, File, Image, Message, Text, ToolCall, ToolResult
from callm.types.messages import sniff_media_type

PNG = b"\x89PNG\r\n\x1a\n..."


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\0\0\0\0AVI ", None),
        (b"RIFF", None),
        (b"%PDF-1.7", "application/pdf"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"fLaC", "audio/flac"),
        (b"OggS", "audio/ogg"),
        (b"plain text", None),
        (b"", None),
    ],
)
def test_the_first_bytes_show_the_type(data: bytes, media_type: str | None) -> None:
    assert sniff_media_type(data) == media_type


def test_media_take_their_type_from_their_bytes_unless_told() -> None:
    assert Image(PNG).media_type == "image/png"
    assert Image(PNG, media_type="image/x").media_type == "image/x"
    assert Image(url="https://h/a.png").media_type is None
    assert msgspec.structs.replace(Image(PNG), detail="low") == Image(PNG, detail="low")


@pytest.mark.parametrize("kind", [Image, Audio, File])
@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({}, "needs exactly one of data=, url= and file_id="),
        ({"data": PNG, "url": "https://h"}, "needs exactly one of data=, url= and file_id="),
        ({"data": "text"}, "data must be bytes, not str"),
        ({"data": bytearray(b"x")}, "data must be bytes, not bytearray"),
        ({"data": b"plain"}, "needs media_type="),
    ],
)
def test_media_of_no_or_several_or_unknown_sources_are_refused(
    kind: type[Image | Audio | File], sources: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{kind.__name__} {message}"):
        kind(**sources)


def test_messages_have_short_ways_to_write_them() -> None:
    assert Message.user("Hi", Image(PNG)) == Message("user", (Text("Hi"), Image(PNG)))
    assert Message.system("A") == Message("system", (Text("A"),))
    assert Message.assistant("A", ToolCall("1", "f")) == Message("assistant", (Text("A"), ToolCall("1", "f")))
    assert Message.tool(ToolResult("1", "x")) == Message("tool", (ToolResult("1", "x"),))


def test_a_text_or_a_list_will_do_for_parts() -> None:
    text: Any = "Hi"
    several: Any = [Text("a"), Text("b")]
    assert Message("user", text) == Message.user("Hi")
    assert Message("user", several).parts == (Text("a"), Text("b"))
    assert Message.user("a", Image(PNG), "b").text == "ab"


@pytest.mark.parametrize(
    ("role", "parts", "message"),
    [
        ("bot", (), "message role must be one of system, developer, user, assistant, tool, not 'bot'"),
        (None, (), "message role must be one of .*, not None"),
        ("user", (5,), "a user message has a part of type int: use one of Text, Image"),
        ("user", ["Hi"], "a user message has a part of type str"),
        ("user", None, "the parts of a user message must be a text or a list, not null"),
        ("user", Text("Hi"), "the parts of a user message must be a text or a list, not Text"),
        ("user", b"Hi", "a user message has a part of type int"),
    ],
)
def test_a_message_that_is_none_is_refused_by_name(role: Any, parts: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Message(role, parts)


def test_arguments_of_a_call_are_parsed_or_shown() -> None:
    assert ToolCall("1", "f", ' {"a": [1, null]} ').parse() == {"a": [1, None]}
    assert ToolCall("1", "f").parse() == {}
    for arguments in ("", "{", "[1]", "null", '{"a": 1} x', "[" * 100_000):
        with pytest.raises(OutputError, match="the arguments of tool call 'f' are no JSON object") as caught:
            ToolCall("1", "f", arguments).parse()
        assert caught.value.text == arguments[:500]
        assert len(str(caught.value)) < 500


def test_the_text_of_a_result() -> None:
    assert ToolResult("1", "a").text == "a"
    assert ToolResult("1", (Text("a"), Image(PNG), Text("b"))).text == "ab"
    assert ToolResult("1").text == ""


def test_a_conversation_goes_through_json_and_pickle() -> None:
    messages = (
        Message.user("Hi", Image(PNG), Audio(b"ID3"), File(b"%PDF-", name="a")),
        Message.assistant(ToolCall("1", "f")),
        Message.tool(ToolResult("1", (Text("x"), Image(url="https://h")))),
    )
    assert msgspec.json.decode(msgspec.json.encode(messages), type=tuple[Message, ...]) == messages
    assert pickle.loads(pickle.dumps(messages)) == messages
