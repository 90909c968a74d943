"""What the mock server answers: the same words for every peer, in both wire formats, as bytes made once.

A scenario is the first part of the URL's path: `/text/v1/chat/completions` answers with the text of 200 tokens,
`/stream2000/v1/messages` with a stream of 2,000 deltas. Nothing here needs a package.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

TOKENS: Final = 200
"""Words in the answer of a call that does not stream."""

STREAMS: Final = {"stream200": 200, "stream2000": 2000, "paced": 200}
"""Scenario to the number of deltas in its stream."""

GAP: Final = 0.001
"""Seconds between the events of the scenario `paced`: long enough that every event is a read of its own."""

MODEL: Final = "gpt-x"
PROMPT: Final = "Describe the harbour at dawn in two hundred words, calmly, without naming a single colour."
WORDS: Final = [
    "the",
    "quiet",
    "harbour",
    "wakes",
    "before",
    "its",
    "people",
    "do",
    "and",
    "the",
    "gulls",
    "argue",
    "over",
    "what",
    "the",
    "tide",
    "has",
    "left",
    "behind",
    "while",
    "ropes",
    "creak",
    "against",
    "old",
    "timber",
    "and",
    "somewhere",
    "an",
    "engine",
    "coughs",
    "into",
    "life",
]  # a sentence reads better than its list

_LINES: Final = 55


def deltas(count: int) -> list[str]:
    """Return the pieces in which a model would send `count` tokens."""
    return [f" {WORDS[number % len(WORDS)]}" for number in range(count)]


def text(count: int = TOKENS) -> str:
    """Return the whole answer of `count` tokens."""
    return "".join(deltas(count))


@cache
def order(count: int = _LINES) -> dict[str, Any]:
    """Return an order of `count` lines. The scenario `typed` answers with that of 55: about 8 KB as JSON."""
    lines: list[dict[str, Any]] = [
        {
            "sku": f"HB-{number:05d}",
            "title": f"{WORDS[number % len(WORDS)]} {WORDS[(number * 7) % len(WORDS)]} lantern, size {number}",
            "quantity": number % 9 + 1,
            "price": round(3.95 + number * 1.25, 2),
            "in_stock": number % 3 != 0,
            "tags": [WORDS[(number + 1) % len(WORDS)], WORDS[(number + 2) % len(WORDS)], "boat"],
        }
        for number in range(count)
    ]
    address = {"street": "Quay 7", "city": "Bergen", "postcode": "5003", "country": "NO"}
    return {
        "id": "ord_0001",
        "customer": "Ingrid Dahl",
        "status": "paid",
        "note": None,
        "total": round(sum(line["quantity"] * line["price"] for line in lines), 2),
        "address": address,
        "lines": lines,
    }


def order_json() -> str:
    """Return `order()` as the JSON text that the model writes."""
    return json.dumps(order())


def openai_body(content: str, tokens: int) -> bytes:
    """Return the body of a chat completion that says `content`."""
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    details = {"reasoning_tokens": 0, "audio_tokens": 0}
    usage = {
        "prompt_tokens": 21,
        "completion_tokens": tokens,
        "total_tokens": 21 + tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": details,
    }
    return _json({**_openai_head("chat.completion"), "choices": [choice], "usage": usage})


def anthropic_body(content: str, tokens: int) -> bytes:
    """Return the body of an Anthropic message that says `content`."""
    message = {
        **_anthropic_message(),
        "content": [{"type": "text", "text": content}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 21, "output_tokens": tokens},
    }
    return _json(message)


def openai_events(pieces: list[str]) -> list[bytes]:
    """Return the server-sent events of a streamed chat completion, with its usage and `[DONE]`."""
    head = {**_openai_head("chat.completion.chunk"), "service_tier": "default", "system_fingerprint": "fp_50cad350e4"}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**head, "choices": [choice], "usage": None})

    usage = {"prompt_tokens": 21, "completion_tokens": len(pieces), "total_tokens": 21 + len(pieces)}
    return [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        *(chunk({"content": piece}) for piece in pieces),
        chunk({}, "stop"),
        _event({**head, "choices": [], "usage": usage}),
        b"data: [DONE]\n\n",
    ]


def anthropic_events(pieces: list[str]) -> list[bytes]:
    """Return the server-sent events of a streamed Anthropic message."""
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    ended = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": len(pieces)}}
    return [
        _typed_event("message_start", {"message": _anthropic_message()}),
        _typed_event("content_block_start", block),
        _typed_event("ping", {}),
        *(
            _typed_event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}})
            for piece in pieces
        ),
        _typed_event("content_block_stop", {"index": 0}),
        _typed_event("message_delta", ended),
        _typed_event("message_stop", {}),
    ]


def _openai_head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-C4sXbN1v0b8kQ2rT", "object": kind, "created": 1763700000, "model": MODEL}


def _anthropic_message() -> dict[str, Any]:
    return {
        "id": "msg_01C4sXbN1v0b8kQ2rT",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 21, "output_tokens": 1},
    }


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _event(value: object) -> bytes:
    return b"data: " + _json(value) + b"\n\n"


def _typed_event(name: str, fields: dict[str, Any]) -> bytes:
    return f"event: {name}\n".encode() + _event({"type": name, **fields})
