"""Everything that happens in a call is an event, and a call is the sequence of its events.

Events travel in batches: one list for each network read. They are immutable, compare by value, pickle, and as JSON are
tagged by `type`, so a cache or a log can store them and play them again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final, Literal, TypeAlias

import msgspec

from callm.types.messages import Part

FinishReason: TypeAlias = Literal[
    "stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"
]


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one answer. None means the provider did not say; 0 means it said zero.

    Attributes:
        input_tokens: all of the prompt, cached tokens included.
        output_tokens: all of the answer, reasoning included.
        cache_read_tokens: the part of the input that was read from the provider's cache.
        cache_write_tokens: the part of the input that was written to it, whatever its lifetime.
        cache_write_1h_tokens: the part of `cache_write_tokens` with the one-hour lifetime (Anthropic).
        reasoning_tokens: the part of the output that was reasoning.
        audio_input_tokens: the part of the input that was audio.
        audio_output_tokens: the part of the output that was audio.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None

    @property
    def total_tokens(self) -> int | None:
        """Input and output together, or None unless both are known."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """Return the sum, field by field; what only one side knows is taken from it."""
        return Usage(*map(_add, msgspec.structs.astuple(self), msgspec.structs.astuple(other)))


def _add(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


class _Event(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    pass


class ResponseHeaders(_Event, frozen=True, tag="response_headers"):
    """The HTTP answer began. `headers` has lower-case names; `endpoint` is the provider and model that were asked."""

    status: int
    headers: dict[str, str] = {}
    request_id: str | None = None
    endpoint: str = ""


class ResponseStart(_Event, frozen=True, tag="response_start"):
    """The provider named its answer and the model that gives it. Empty where it did not."""

    id: str = ""
    model: str = ""


class TextDelta(_Event, frozen=True, gc=False, tag="text_delta"):
    """The next piece of the answer's text."""

    text: str


class ReasoningDelta(_Event, frozen=True, gc=False, tag="reasoning_delta"):
    """The next piece of the model's visible thoughts."""

    text: str


class ReasoningEnd(_Event, frozen=True, tag="reasoning_end"):
    """A reasoning block is complete. The fields are those of `Reasoning`."""

    signature: str | None = None
    format: str = ""
    id: str | None = None
    extra: dict[str, Any] = {}


class RefusalDelta(_Event, frozen=True, gc=False, tag="refusal_delta"):
    """The next piece of the text with which the model refuses."""

    text: str


class ToolCallStart(_Event, frozen=True, tag="tool_call_start"):
    """The model began a tool call. `index` counts the calls of this answer from 0."""

    index: int
    id: str
    name: str


class ToolCallDelta(_Event, frozen=True, gc=False, tag="tool_call_delta"):
    """The next piece of the JSON text of a call's arguments."""

    index: int
    arguments: str


class ToolCallEnd(_Event, frozen=True, tag="tool_call_end"):
    """The call's arguments are complete. A call without this event must never be run.

    `extra` holds provider fields of the call that must be sent back with it (Google's thought signature).
    """

    index: int
    extra: dict[str, Any] = {}


class PartAdded(_Event, frozen=True, tag="part_added"):
    """A part that came whole: redacted reasoning, an opaque block, an image."""

    part: Part


class AudioDelta(_Event, frozen=True, tag="audio_delta"):
    """The next piece of spoken output: base64 `data`, its `transcript`, or both."""

    data: str = ""
    transcript: str = ""
    id: str | None = None


class Citation(_Event, frozen=True, tag="citation"):
    """A source the model cites, in the provider's own shape."""

    citation: dict[str, Any]


class LogProbs(_Event, frozen=True, tag="logprobs"):
    """Log probabilities of the tokens of the last delta, in the provider's own shape."""

    tokens: list[Any]


class Metadata(_Event, frozen=True, tag="metadata"):
    """Facts beside the answer, by the provider's own names (service tier, fingerprint, cost). Later ones win."""

    fields: dict[str, Any]


class UsageReport(_Event, frozen=True, tag="usage_report"):
    """The tokens so far. Running totals: a later report replaces an earlier one."""

    usage: Usage


class ChoiceEvent(_Event, frozen=True, tag="choice_event"):
    """An event of another choice than the first, when several were asked for (`n`). `index` is 1 or more."""

    index: int
    event: Event


class Notice(_Event, frozen=True, tag="notice"):
    """Something of the request that this provider could not be given, in words."""

    message: str


class Finish(_Event, frozen=True, tag="finish"):
    """The provider's terminal marker came: the answer is whole.

    Attributes:
        reason: why it ended, in the words all providers share here.
        native: why it ended, in the provider's own word.
        stop_sequence: the stop sequence that matched, where the provider says it.
    """

    reason: FinishReason
    native: str | None = None
    stop_sequence: str | None = None


class Selected(_Event, frozen=True, tag="selected"):
    """One of several models was chosen, and is asked now: by a fallback, a round-robin, a hedge."""

    model: str


class Waited(_Event, frozen=True, tag="waited"):
    """The call stood in a line of our own before it was sent, for so many `seconds`. `line` says which one."""

    line: str
    seconds: float


class AttemptFailed(_Event, frozen=True, tag="attempt_failed"):
    """An attempt failed, and another follows. What came of it is no part of the answer.

    Attributes:
        model: who failed.
        error: the name of the error's class.
        kind: the error's stable name.
        message: the error in words.
        attempt: which attempt at this model it was, from 1.
        wait: seconds until the next one begins.
        status: the HTTP status, where there was one.
        request_id: the provider's id of the request, where there was one.
        usage: the tokens of the attempt, as far as the provider had said.
    """

    model: str
    error: str
    kind: str
    message: str
    attempt: int = 1
    wait: float = 0.0
    status: int | None = None
    request_id: str | None = None
    usage: Usage = Usage()


class Restarted(_Event, frozen=True, tag="restarted"):
    """The answer begins anew: discard all content that came before, which was of `model`.

    Comes only where `on_break="restart"` was asked for.
    """

    model: str = ""


class CacheHit(_Event, frozen=True, tag="cache_hit"):
    """The answer comes from a cache, where it has been for `age` seconds. Its usage is that of the call that was stored."""

    age: float = 0.0


class Continued(_Event, frozen=True, tag="continued"):
    """The answer was cut by the token limit, and goes on with another request. `usage` is that of the part before."""

    number: int
    usage: Usage = Usage()


Event: TypeAlias = (
    ResponseHeaders
    | ResponseStart
    | TextDelta
    | ReasoningDelta
    | ReasoningEnd
    | RefusalDelta
    | ToolCallStart
    | ToolCallDelta
    | ToolCallEnd
    | PartAdded
    | AudioDelta
    | Citation
    | LogProbs
    | Metadata
    | UsageReport
    | ChoiceEvent
    | Notice
    | Selected
    | Waited
    | AttemptFailed
    | Restarted
    | CacheHit
    | Continued
    | Finish
)

Events: TypeAlias = AsyncGenerator[list[Event], None]
"""What a `Model` streams: batches of events, none of them empty."""

CONTENT: Final = frozenset(
    {TextDelta, ReasoningDelta, RefusalDelta, ToolCallStart, ToolCallDelta, PartAdded, AudioDelta, ChoiceEvent}
)
"""The types of event that count as content: after one of them an attempt can't be replaced unseen."""
