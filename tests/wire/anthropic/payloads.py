"""What the Messages API sends, in short words, for the tests of this folder."""

from __future__ import annotations

import json
from typing import Any

from callm.types import (
    Event,
    Response,
    Secret,
)
from callm.wire.anthropic import Anthropic
from callm.wire.codec import Target
from tests.transcripts import fold, read

CODEC = Anthropic()
TARGET = Target(
    "claude-x", "https://api.anthropic.com", api_key=Secret("sk-ant-canary-0123456789"), provider="anthropic"
)
START: dict[str, Any] = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": []}}
STOP: dict[str, Any] = {"type": "message_stop"}
TOOL: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}}


def frames(*payloads: dict[str, Any] | str, event: str | None = None) -> bytes:
    texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    kinds = [event or (payload if isinstance(payload, dict) else {}).get("type", "") for payload in payloads]
    return "".join(f"event: {kind}\ndata: {text}\n\n" for kind, text in zip(kinds, texts, strict=True)).encode()


def run(*payloads: dict[str, Any] | str) -> list[Event]:
    """Return the events of `payloads`, which must be a whole answer."""
    events, error = read(CODEC.decoder(TARGET, stream=True), [frames(*payloads)])
    assert error is None, error
    return events


def body(**fields: Any) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    return json.dumps({**message, "stop_reason": "end_turn", "stop_sequence": None, **fields}).encode()


def run_body(data: bytes) -> Response:
    events, error = read(CODEC.decoder(TARGET, stream=False), [data])
    assert error is None, error
    return fold(events)


def opened(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def closed(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def arguments(index: int, text: str) -> dict[str, Any]:
    return delta(index, type="input_json_delta", partial_json=text)


def ended(reason: str | None = "end_turn", usage: dict[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None, **facts}, "usage": usage}
