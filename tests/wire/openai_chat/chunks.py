"""Shorthand for the tests of this format: streams from dictionaries, and what a decoder makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from callm.errors import CallmError
from callm.types import Event, Metadata, Response, ResponseStart
from callm.wire.codec import Quirks, Target
from callm.wire.openai_chat import OpenAIChat
from tests.transcripts import fold, read

TARGET = Target(model="m", base_url="https://api.example.com/v1", provider="p")
DONE = b"data: [DONE]\n\n"


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    """A chunk with one choice; `index`, `logprobs` and the like of `choice` go into it."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish, **more.pop("choice", {})}
    return {"id": "c1", "model": "m1", "choices": [choice], **more}


def calls(*fragments: Any, finish: Any = None) -> dict[str, Any]:
    """A chunk with fragments of tool calls."""
    return chunk({"tool_calls": list(fragments)}, finish)


def fragment(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """A fragment of a tool call; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**more, "function": function}


def sse(*chunks: Any, done: bool = True) -> bytes:
    """The bytes of a stream; a chunk that is a string is sent as it is."""
    texts = [item if isinstance(item, str) else json.dumps(item) for item in chunks]
    return b"".join(f"data: {text}\n\n".encode("utf-8", "surrogatepass") for text in texts) + (DONE if done else b"")


def stream(*chunks: Any, done: bool = True, target: Target = TARGET) -> tuple[list[Event], CallmError | None]:
    """The events and the error of a stream."""
    return read(OpenAIChat().decoder(target, stream=True), [sse(*chunks, done=done)])


def body(data: Any, target: Target = TARGET) -> tuple[list[Event], CallmError | None]:
    """The events and the error of a whole body."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return read(OpenAIChat().decoder(target, stream=False), [raw])


def message(content: Any = None, finish: Any = "stop", **fields: Any) -> dict[str, Any]:
    """A whole answer with one choice."""
    entry = {"index": 0, "message": {"role": "assistant", "content": content, **fields}, "finish_reason": finish}
    return {"id": "c1", "model": "m1", "choices": [entry]}


def good(result: tuple[list[Event], CallmError | None]) -> Response:
    """The response of an answer without an error."""
    events, error = result
    assert error is None
    return fold(events)


def plain(events: Iterable[Event]) -> list[Event]:
    """The events without those that every answer begins with."""
    return [event for event in events if not isinstance(event, ResponseStart | Metadata)]


def quirky(**quirks: Any) -> Target:
    """The target with other quirks."""
    return Target(model="m", base_url="https://api.example.com/v1", provider="p", quirks=Quirks(**quirks))
