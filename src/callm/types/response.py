"""`Response` is the sum of the events of a call: the public accumulator, and the result of every call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import msgspec

from callm.errors import CallmError
from callm.types.events import (
    AttemptFailed,
    AudioDelta,
    CacheHit,
    ChoiceEvent,
    Citation,
    Continued,
    Event,
    Finish,
    FinishReason,
    LogProbs,
    Metadata,
    Notice,
    PartAdded,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    ResponseHeaders,
    ResponseStart,
    Restarted,
    Selected,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
    Waited,
)
from callm.types.messages import Message, Part, Reasoning, Text, ToolCall

_STORY: Final = frozenset({"answered_by", "attempts", "waited", "time_to_first_content", "duration"})
"""What stays of a response whose answer is discarded."""


class _OpenCall(msgspec.Struct):
    id: str
    name: str
    pieces: list[str]
    position: int


class Response(msgspec.Struct):
    """Everything the events of one call add up to. `add(events)` grows it; it can be read at any time.

    Attributes:
        id: the provider's id of the answer.
        model: the model that answered, in the provider's words.
        finish_reason: why it ended; None until the provider's terminal marker came.
        native_finish_reason: the same in the provider's own word.
        stop_sequence: the stop sequence that matched, if the provider says it.
        usage: the tokens; its fields are None while unknown.
        refusal: the text with which the model refused, or empty.
        request_id: the provider's id of the HTTP request.
        status: the HTTP status.
        headers: the HTTP headers, with lower-case names.
        metadata: other facts by the provider's own names.
        citations, logprobs: in the provider's own shape, in order.
        audio: spoken output: base64 pieces. `transcript` is its text, `audio_id` the provider's id of it.
        notices: what of the request this provider could not be given.
        choices: the other choices by index, when several were asked for.
        answered_by: the model that answered, `provider/model`, also where a fallback or round-robin chose it.
        attempts: the attempts that failed before this answer, in order.
        cached: whether the answer came from a cache of ours.
        continued: how often an answer cut by the token limit was asked to go on.
        waited: seconds spent in lines of our own: the rate limiter's.
        output: the typed value, once parsed.
        error: the error that ended the call, or None.
        time_to_first_content: seconds from sending to the first content; None if none came.
        duration: seconds from sending to the end; None until then.
    """

    id: str = ""
    model: str = ""
    finish_reason: FinishReason | None = None
    native_finish_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage = Usage()
    refusal: str = ""
    request_id: str | None = None
    status: int | None = None
    headers: dict[str, str] = {}
    metadata: dict[str, Any] = {}
    citations: list[dict[str, Any]] = []
    logprobs: list[Any] = []
    audio: list[str] = []
    transcript: str = ""
    audio_id: str | None = None
    notices: list[str] = []
    choices: dict[int, Response] = {}
    answered_by: str = ""
    attempts: list[AttemptFailed] = []
    cached: bool = False
    continued: int = 0
    waited: float = 0.0
    output: Any = None
    error: CallmError | None = None
    time_to_first_content: float | None = None
    duration: float | None = None
    _parts: list[Part | None] = []
    _calls: dict[int, _OpenCall] = {}
    _texts: list[str] = []
    _thoughts: list[str] = []
    _before: Usage = Usage()

    def add(self, events: Iterable[Event]) -> None:
        """Take the next events."""
        for event in events:
            kind = type(event)
            if kind is TextDelta:
                if self._thoughts:
                    self._end_reasoning(ReasoningEnd())
                self._texts.append(event.text)  # type: ignore[union-attr]  # `kind` says it is a TextDelta
            else:
                self._fold[kind](self, event)

    @property
    def is_done(self) -> bool:
        """Whether the provider's terminal marker came."""
        return self.finish_reason is not None

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the model said so far, in order. Tool calls appear when they are complete."""
        parts = [part for part in self._parts if part is not None]
        if self._thoughts:
            parts.append(Reasoning("".join(self._thoughts)))
        if self._texts:
            parts.append(Text("".join(self._texts)))
        return tuple(parts)

    @property
    def text(self) -> str:
        """The text of the answer, without reasoning."""
        if not self._parts:
            return "".join(self._texts)
        return "".join(part.text for part in self._parts if isinstance(part, Text)) + "".join(self._texts)

    @property
    def reasoning(self) -> str:
        """The visible thoughts."""
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The complete tool calls. A call whose arguments were cut off is not among them."""
        return tuple(part for part in self._parts if isinstance(part, ToolCall))

    @property
    def incomplete_tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that were begun and not finished: to be shown, never run."""
        return tuple(ToolCall(call.id, call.name, "".join(call.pieces)) for call in self._calls.values())

    @property
    def message(self) -> Message:
        """The answer as the assistant's turn, to be sent back in the next request."""
        return Message("assistant", self.parts)

    def _end_text(self) -> None:
        if self._texts:
            self._parts.append(Text("".join(self._texts)))
            self._texts = []

    def _end_reasoning(self, end: ReasoningEnd) -> None:
        text = "".join(self._thoughts)
        self._thoughts = []
        self._end_text()
        self._parts.append(Reasoning(text, end.signature, format=end.format, id=end.id, extra=end.extra))

    def _end_open(self) -> None:
        if self._thoughts:
            self._end_reasoning(ReasoningEnd())
        self._end_text()

    def _add_reasoning(self, event: ReasoningDelta) -> None:
        self._end_text()
        self._thoughts.append(event.text)

    def _start_call(self, event: ToolCallStart) -> None:
        self._end_open()
        self._calls[event.index] = _OpenCall(event.id, event.name, [], len(self._parts))
        self._parts.append(None)  # its place among the parts, filled when the call is complete

    def _end_call(self, event: ToolCallEnd) -> None:
        call = self._calls.pop(event.index)
        self._parts[call.position] = ToolCall(call.id, call.name, "".join(call.pieces).strip() or "{}", event.extra)

    def _add_part(self, event: PartAdded) -> None:
        self._end_open()
        self._parts.append(event.part)

    def _finish(self, event: Finish) -> None:
        self.finish_reason = event.reason
        self.native_finish_reason = event.native
        self.stop_sequence = event.stop_sequence

    def _start(self, event: ResponseStart) -> None:
        self.id, self.model = event.id or self.id, event.model or self.model

    def _headers(self, event: ResponseHeaders) -> None:
        self.status, self.headers, self.request_id = event.status, event.headers, event.request_id
        self.answered_by = event.endpoint or self.answered_by

    def _audio(self, event: AudioDelta) -> None:
        if event.data:
            self.audio.append(event.data)
        self.transcript += event.transcript
        self.audio_id = event.id or self.audio_id

    def _refuse(self, event: RefusalDelta) -> None:
        self.refusal += event.text

    def _call_delta(self, event: ToolCallDelta) -> None:
        self._calls[event.index].pieces.append(event.arguments)

    def _usage(self, event: UsageReport) -> None:
        self.usage = self._before + event.usage if self.continued else event.usage

    def _continue(self, event: Continued) -> None:
        self.continued = event.number
        self._before = self._before + event.usage
        self.usage = self._before
        self.finish_reason = None

    def _fail(self, event: AttemptFailed) -> None:
        self.attempts.append(event)
        if self.continued:  # the parts before are out and stay; this one had no content, or `Restarted` follows
            self.usage = self._before
        else:
            self._discard()

    def _discard(self) -> None:
        """Forget the answer, but not the story of the call."""
        fresh = Response()
        for name in self.__struct_fields__:
            if name not in _STORY:
                setattr(self, name, getattr(fresh, name))

    def _select(self, event: Selected) -> None:
        self.answered_by = event.model

    def _hit(self, event: CacheHit) -> None:
        del event
        self.cached = True

    def _wait(self, event: Waited) -> None:
        self.waited += event.seconds

    def _choice(self, event: ChoiceEvent) -> None:
        self.choices.setdefault(event.index, Response()).add((event.event,))

    _fold: ClassVar[dict[type, Callable[[Response, Any], object]]] = {
        ResponseHeaders: _headers,
        ResponseStart: _start,
        ReasoningDelta: _add_reasoning,
        ReasoningEnd: _end_reasoning,
        RefusalDelta: _refuse,
        ToolCallStart: _start_call,
        ToolCallDelta: _call_delta,
        ToolCallEnd: _end_call,
        PartAdded: _add_part,
        AudioDelta: _audio,
        Citation: lambda response, event: response.citations.append(event.citation),
        LogProbs: lambda response, event: response.logprobs.extend(event.tokens),
        Metadata: lambda response, event: response.metadata.update(event.fields),
        UsageReport: _usage,
        ChoiceEvent: _choice,
        Notice: lambda response, event: response.notices.append(event.message),
        Selected: _select,
        Waited: _wait,
        AttemptFailed: _fail,
        Restarted: lambda response, _: response._discard(),
        CacheHit: _hit,
        Continued: _continue,
        Finish: _finish,
    }
