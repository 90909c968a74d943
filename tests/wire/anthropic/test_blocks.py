"""Each part of a message to its content block, or to an error or notice that says why not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from callm.errors import ConfigError, UnsupportedError
from callm.types import Audio, File, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from callm.wire.anthropic.blocks import Block, Notices, assistant_block, text_block, user_block

PNG = b"\x89PNG\r\n\x1a\n"
PNG_SOURCE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}


def as_json(block: Block | None) -> Any:
    """Return `block` as it reads on the wire: raw arguments are JSON there."""
    return msgspec.json.decode(msgspec.json.encode(block))


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("Hi"), {"type": "text", "text": "Hi"}),
        (Text("Hi", MARK), {"type": "text", "text": "Hi", **MARK}),
        (Text(""), None),
        (Image(PNG), {"type": "image", "source": PNG_SOURCE}),
        (Image(PNG, extra=MARK), {"type": "image", "source": PNG_SOURCE, **MARK}),
        (Image(url="https://h/a"), {"type": "image", "source": {"type": "url", "url": "https://h/a"}}),
        (Image(file_id="file_1"), {"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        (
            File(b"%PDF-", name="a.pdf", extra={"citations": {"enabled": True}}),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                "title": "a.pdf",
                "citations": {"enabled": True},
            },
        ),
        (File(url="https://h/a.pdf"), {"type": "document", "source": {"type": "url", "url": "https://h/a.pdf"}}),
        (File(file_id="file_1"), {"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        (
            File("é".encode(), media_type="text/markdown"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
        ),
        (
            File(b"{}", media_type="application/json"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "{}"}},
        ),
        (ToolResult("1", "ok"), {"type": "tool_result", "tool_use_id": "1", "content": "ok"}),
        (ToolResult("1"), {"type": "tool_result", "tool_use_id": "1"}),
        (
            ToolResult("1", (Text("a"), Text(""), Image(PNG)), is_error=True, name="f", extra=MARK),
            {
                "type": "tool_result",
                "tool_use_id": "1",
                "content": [{"type": "text", "text": "a"}, {"type": "image", "source": PNG_SOURCE}],
                "is_error": True,
                **MARK,
            },
        ),
        (Opaque("anthropic", {"type": "search_result"}), {"type": "search_result"}),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_a_user_may_say(part: Part, block: Block | None) -> None:
    notices: Notices = {}
    assert user_block(part, notices) == block
    assert notices == {}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("Hi"), {"type": "text", "text": "Hi"}),
        (ToolCall("1", "f", '{"a": [1]}'), {"type": "tool_use", "id": "1", "name": "f", "input": {"a": [1]}}),
        (ToolCall("1", "f", extra=MARK), {"type": "tool_use", "id": "1", "name": "f", "input": {}, **MARK}),
        (
            Reasoning("hm", "s", format="anthropic"),
            {"type": "thinking", "thinking": "hm", "signature": "s"},
        ),
        (Reasoning("", "s", format="anthropic"), {"type": "thinking", "thinking": "", "signature": "s"}),
        (Reasoning(redacted="r", format="anthropic"), {"type": "redacted_thinking", "data": "r"}),
        (Opaque("anthropic", {"type": "server_tool_use", "id": "s"}), {"type": "server_tool_use", "id": "s"}),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_the_model_may_have_said(part: Part, block: Block) -> None:
    notices: Notices = {}
    assert as_json(assistant_block(part, notices)) == block
    assert notices == {}


@pytest.mark.parametrize(
    ("part", "notice"),
    [
        (Reasoning("hm", "s", format="openai_chat"), "reasoning of another format was left out"),
        (Reasoning("hm", "s"), "reasoning of another format was left out"),
        (Reasoning("hm", format="anthropic"), "reasoning without a signature was left out"),
        (Opaque("gemini", {"type": "x"}), "a block of the format gemini was left out"),
    ],
)
def test_what_only_another_provider_understands_is_left_out_with_a_notice(part: Part, notice: str) -> None:
    notices: Notices = {}
    assert assistant_block(part, notices) is None
    assert [text for text in notices if notice in text] == list(notices)


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "no", '{"a": "\\ud800"}', "[" * 100_000])
def test_arguments_that_are_no_object_are_wrapped_in_one_with_a_notice(arguments: str) -> None:
    notices: Notices = {}
    block = assistant_block(ToolCall("1", "f", arguments), notices)
    assert block is not None
    assert block["input"] == {"invalid_json": arguments}
    assert list(notices) == ["the arguments of tool call 'f' are no JSON object: they were sent inside one"]


def test_the_detail_of_an_image_leaves_a_notice() -> None:
    notices: Notices = {}
    assert user_block(Image(PNG, detail="high"), notices) == {"type": "image", "source": PNG_SOURCE}
    assert list(notices) == ["the detail of an image was left out: the anthropic format has no place for it"]


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Audio(b"ID3"), "type Audio in a message of role user"),
        (ToolCall("1", "f"), "type ToolCall in a message of role user"),
        (Reasoning("hm"), "type Reasoning in a message of role user"),
        (ToolResult("1", (Audio(b"ID3"),)), "type Audio in a message of role tool"),  # type: ignore[arg-type]  # wrong on purpose
        (Image(b"BM", media_type="image/bmp"), "an image of type image/bmp can't be sent: use image/jpeg"),
        (
            File(b"PK", media_type="application/zip"),
            "a file of type application/zip can't be sent: use application/pdf",
        ),
        (File(PNG), "a file of type image/png can't be sent"),
    ],
)
def test_what_a_user_can_not_say_is_an_error(part: Part, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        user_block(part, {})


@pytest.mark.parametrize("part", [Image(PNG), File(b"%PDF-"), Audio(b"ID3"), ToolResult("1")])
def test_what_the_model_can_not_have_said_is_an_error(part: Part) -> None:
    with pytest.raises(UnsupportedError, match=f"type {type(part).__name__} in a message of role assistant"):
        assistant_block(part, {})


def test_a_text_file_that_is_no_text_is_an_error() -> None:
    with pytest.raises(ConfigError, match="UTF-8: invalid start byte at byte 1"):
        user_block(File(b"a\xff", media_type="text/plain"), {})


def test_an_empty_text_has_no_block() -> None:
    assert text_block(Text("", MARK), {}) is None
