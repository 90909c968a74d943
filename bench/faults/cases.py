"""What goes wrong: a row for each fault. The whole answer is always the same JSON text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from callm.testing import Answer, Fault

Wire = Literal["openai", "anthropic"]

WHOLE: Final = '{"name": "Ada Lovelace", "city": "London", "age": 36}'
CUT: Final = '{"name": "Ada Lovelace", "city": "London", "age": 3'
"""What is left of `WHOLE` where the answer breaks off: a reader that closes the brace has an age of 3."""

NONE: Final = "none"
MODES: Final = {"call": "call", "stream": "stream", "typed": "typed call", "grow": "typed stream"}
"""Mode to what the report calls it."""

_OPENAI_BUSY: Final = {"message": "overloaded", "type": "server_error", "code": "server_is_overloaded"}
_ANTHROPIC_BUSY: Final = {"message": "Overloaded", "type": "overloaded_error"}
_HTML: Final = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + "proxy " * 50 + "</body></html>"


@dataclass(frozen=True, slots=True)
class Case:
    """One fault.

    Attributes:
        name: what it is called on the command line.
        title: what the server does.
        modes: how the peers are asked.
        fault: what the server does to every request, in OpenAI's format.
        anthropic: the same in Anthropic's, where that differs.
    """

    name: str
    title: str
    modes: tuple[str, ...]
    fault: Fault
    anthropic: Fault | None = None

    def on(self, wire: Wire) -> Fault:
        """Return the fault in the format of `wire`."""
        return self.anthropic if wire == "anthropic" and self.anthropic is not None else self.fault


def _json(value: Any) -> str:
    return json.dumps(value)


def _openai(choices: list[Any]) -> str:
    usage = {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1790000000, "model": "gpt-x"}
    return _json({**body, "choices": choices, "usage": usage})


def _anthropic(content: list[Any]) -> str:
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "gpt-x", "stop_sequence": None}
    return _json({**body, "content": content, "stop_reason": None, "usage": {"input_tokens": 9, "output_tokens": 0}})


_REFUSED: Final = {
    "index": 0,
    "message": {"role": "assistant", "content": None, "refusal": "I can't help with that."},
    "logprobs": None,
    "finish_reason": "stop",
}
_CALL: Final = ("call",)
_STREAM: Final = ("stream",)
_TYPED: Final = ("typed",)

CASES: Final = [
    Case(NONE, "no fault", ("call", "stream", "typed", "grow"), Fault()),
    Case(
        "stream-ends",
        "breaks off in mid-answer with a clean end of the body",
        ("stream", "grow"),
        Fault(answer=Answer(text=CUT), marker=False),
    ),
    Case("stream-reset", "connection reset after some content", _STREAM, Fault(at=600, then="reset", pause=0.05)),
    Case(
        "stream-error",
        "an error event after some content",
        _STREAM,
        Fault(error=_OPENAI_BUSY, error_after=4),
        Fault(error=_ANTHROPIC_BUSY, error_after=4),
    ),
    Case(
        "stream-error-first",
        "an error event before any content",
        _STREAM,
        Fault(error=_OPENAI_BUSY, error_after=0),
        Fault(error=_ANTHROPIC_BUSY, error_after=0),
    ),
    Case("stream-stalls", "headers, then silence", _STREAM, Fault(at=0, then="stall", seconds=3600)),
    Case("stream-pings", "headers, then only pings", _STREAM, Fault(pings=0.5)),
    Case("body-cut", "the body's JSON breaks off, cleanly framed", _CALL, Fault(at=240, then="end")),
    Case("rate-limit", "429, `Retry-After: 1`", _CALL, Fault(status=429, headers={"retry-after": "1"})),
    Case(
        "quota",
        "429 `insufficient_quota` (Anthropic: 400, no credit)",
        _CALL,
        Fault(status=429, error={"message": "You exceeded your current quota", "code": "insufficient_quota"}),
        Fault(status=400, error={"message": "Your credit balance is too low to access the Anthropic API."}),
    ),
    *(Case(str(status), str(status), _CALL, Fault(status=status)) for status in (500, 503, 529, 400)),
    Case("hang-up", "connection closed before the headers", _CALL, Fault(at=-1)),
    Case("stalls", "no headers, silence", _CALL, Fault(at=-1, then="stall", seconds=3600)),
    Case("bomb", "0.25 MB of gzip that unpack to 256 MB of spaces", _CALL, Fault(bomb=256 * 1024 * 1024)),
    Case(
        "no-choices",
        "200, no choices (Anthropic: no content)",
        _CALL,
        Fault(body=_openai([])),
        Fault(body=_anthropic([])),
    ),
    Case(
        "garbage",
        "200, bytes that are no text",
        _CALL,
        Fault(data=bytes(range(256)) * 4, content_type="application/octet-stream"),
    ),
    Case("html", "200, a proxy's HTML page", _CALL, Fault(body=_HTML, content_type="text/html; charset=utf-8")),
    Case("length", "finish reason `length`, JSON cut", _TYPED, Fault(answer=Answer(text=CUT, finish_reason="length"))),
    Case(
        "filtered",
        "finish reason `content_filter` (Anthropic: `refusal`), JSON cut",
        _TYPED,
        Fault(answer=Answer(text=CUT, finish_reason="content_filter")),
    ),
    Case(
        "refused",
        "a refusal in words (OpenAI: in the field `refusal`)",
        _TYPED,
        Fault(body=_openai([_REFUSED])),
        Fault(answer=Answer(text="I can't help with that.", finish_reason="content_filter")),
    ),
]


def wire_of(peer: str) -> Wire:
    """Return the format that a peer speaks."""
    return "anthropic" if "anthropic" in peer else "openai"


def mode_for(mode: str, offered: set[str]) -> str | None:
    """Return the mode in which a peer with the modes `offered` is asked; one that has only typed calls makes those."""
    instead = {"call": "typed", "stream": "grow"}.get(mode, mode)
    if mode in offered:
        return mode
    return instead if instead in offered and not offered & {"call", "stream"} else None
