"""The short way for a whole body: one choice, some text, and nothing rare. Everything else goes the long way (`decode`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from callm.types import Event, Finish, FinishReason, Metadata, ResponseStart, TextDelta, Usage, UsageReport
from callm.wire.openai_chat.usage import read_facts, read_usage
from callm.wire.untyped import NO_JSON

_ENDS: Final[Mapping[Any, FinishReason]] = {"stop": "stop", "length": "length"}


class _Message(msgspec.Struct, gc=False):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None
    annotations: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message | None = None
    finish_reason: str | None = None
    index: Any = 0
    logprobs: Any = None
    error: Any = None
    stop_reason: Any = None
    native_finish_reason: Any = None
    content_filter_results: Any = None
    content_filter_offsets: Any = None


class _Body(msgspec.Struct, gc=False):
    choices: list[_Choice]
    usage: dict[str, Any]
    id: str
    model: str
    error: Any = None
    x_groq: Any = None
    object: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None
    provider: Any = None
    citations: Any = None
    search_results: Any = None
    warnings: Any = None
    moderation: Any = None
    timings: Any = None
    prompt_filter_results: Any = None


FACTS: Final = _Body.__struct_fields__[7:]
"""What stands beside the answer and becomes metadata."""

_NO_FACTS: Final = (None,) * len(FACTS)
_RARE_OF_CHOICE: Final = 2  # the fields from here on are rare
_RARE_OF_MESSAGE: Final = 1
_NO_USAGE: Final = Usage()
_decode = msgspec.json.Decoder(_Body).decode


def read_whole(data: str) -> list[Event] | None:
    """Return the events of a plain body, or None for one that needs a closer look."""
    try:
        body = _decode(data)
    except NO_JSON:
        return None
    if len(body.choices) != 1 or body.error or body.x_groq or body.object == "error":
        return None
    choice = body.choices[0]
    message, reason = choice.message, _ENDS.get(choice.finish_reason)
    if message is None or reason is None or any(astuple(choice)[_RARE_OF_CHOICE:]):
        return None
    content = message.content
    if type(content) is not str or not content or any(astuple(message)[_RARE_OF_MESSAGE:]):
        return None
    events: list[Event] = [ResponseStart(body.id, body.model)] if body.id or body.model else []
    if (values := astuple(body)[-len(FACTS) :]) != _NO_FACTS:
        events.append(Metadata({name: value for name, value in zip(FACTS, values, strict=True) if value is not None}))
    events.append(TextDelta(content))
    if (usage := read_usage(body.usage)) != _NO_USAGE:
        events.append(UsageReport(usage))
    if costs := read_facts(body.usage):
        events.append(Metadata(costs))
    events.append(Finish(reason, choice.finish_reason))
    return events
